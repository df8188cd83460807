# Every foreign library, and where it comes from: Debian's packages (scripts/packages.txt) or the pinned
# downloads of scripts/deps. Headers are SYSTEM, so that their warnings are not ours.
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(GUMBO REQUIRED IMPORTED_TARGET gumbo)
add_library(loam_gumbo INTERFACE)
target_link_libraries(loam_gumbo INTERFACE PkgConfig::GUMBO)
pkg_check_modules(SECCOMP IMPORTED_TARGET libseccomp)  # the reader worker's system call filter
add_library(loam_seccomp INTERFACE)
if(SECCOMP_FOUND)
  target_link_libraries(loam_seccomp INTERFACE PkgConfig::SECCOMP)
  target_compile_definitions(loam_seccomp INTERFACE LOAM_HAVE_SECCOMP=1)
else()
  message(WARNING "libseccomp is not there: the reader's worker runs without a system call filter")
endif()
if(LOAM_TESTS)
  find_package(GTest REQUIRED)
endif()

set(llama_prefix ${LOAM_DEPS}/llama-${LOAM_BACKEND})
if(NOT EXISTS ${llama_prefix}/lib/libllama.a)
  message(FATAL_ERROR "llama.cpp is not in ${llama_prefix}.\nNext step: scripts/deps --backend ${LOAM_BACKEND}")
endif()
find_package(llama REQUIRED CONFIG PATHS ${llama_prefix} NO_DEFAULT_PATH)

add_library(loam_json INTERFACE)  # nlohmann/json and cpp-httplib as llama.cpp vendors them
target_include_directories(loam_json SYSTEM INTERFACE ${llama_prefix}/include/vendor)

# Static archives as targets of their own, so that CMake knows what each needs and orders the link line.
add_library(loam_httplib STATIC IMPORTED)
set_target_properties(loam_httplib PROPERTIES IMPORTED_LOCATION ${llama_prefix}/lib/libcpp-httplib.a)
target_link_libraries(loam_httplib INTERFACE OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
add_library(loam_llama_common STATIC IMPORTED)
set_target_properties(loam_llama_common PROPERTIES IMPORTED_LOCATION ${llama_prefix}/lib/libllama-common.a)
target_link_libraries(loam_llama_common INTERFACE
  ${llama_prefix}/lib/libllama-common-base.a llama loam_httplib)

add_library(loam_llama INTERFACE)
target_include_directories(loam_llama SYSTEM INTERFACE ${llama_prefix}/include ${llama_prefix}/include/common ${llama_prefix}/include/vendor)
target_compile_definitions(loam_llama INTERFACE CPPHTTPLIB_OPENSSL_SUPPORT)
target_link_libraries(loam_llama INTERFACE loam_llama_common)

# PDFium is loaded at run time, in the reader's child process only; at build time we need its headers or our own declarations.
add_library(loam_pdfium_headers INTERFACE)
