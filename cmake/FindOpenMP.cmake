# llama.cpp's libraries are built by GCC and use its OpenMP runtime, libgomp. Clang would look for a runtime of
# its own, which must not be mixed with it in one program; so Clang gets GCC's runtime too. Our own code uses
# no OpenMP.
if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang" OR APPLE)
  include(${CMAKE_ROOT}/Modules/FindOpenMP.cmake)
  return()
endif()

execute_process(COMMAND gcc -print-file-name=libgomp.so OUTPUT_VARIABLE libgomp OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT EXISTS "${libgomp}")
  message(FATAL_ERROR "GCC's OpenMP runtime libgomp.so was not found.\nNext step: scripts/packages")
endif()
foreach(language C CXX)
  if(NOT TARGET OpenMP::OpenMP_${language})
    add_library(OpenMP::OpenMP_${language} INTERFACE IMPORTED)
    set_target_properties(OpenMP::OpenMP_${language} PROPERTIES INTERFACE_LINK_LIBRARIES "${libgomp}")
  endif()
  set(OpenMP_${language}_FOUND TRUE)
endforeach()
set(OpenMP_FOUND TRUE)
