# Warnings are errors in our own code only; foreign headers are included as SYSTEM.
add_library(loam_flags INTERFACE)
target_compile_options(loam_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-align
  -Woverloaded-virtual -Wconversion -Wno-sign-conversion -Wformat=2 -Werror
  -fstack-protector-strong)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports false positives for these two inside libstdc++ at -O2 (GCC PR 105562, 107852).
  target_compile_options(loam_flags INTERFACE -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(loam_flags INTERFACE -Wno-missing-braces)  # asks for braces that std::array does not need
endif()
target_compile_definitions(loam_flags INTERFACE $<$<CONFIG:Release>:_FORTIFY_SOURCE=2>)
target_link_options(loam_flags INTERFACE -Wl,-z,relro,-z,now)
if(LOAM_SANITIZE)
  target_compile_options(loam_flags INTERFACE -fsanitize=${LOAM_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(loam_flags INTERFACE -fsanitize=${LOAM_SANITIZE})
endif()
