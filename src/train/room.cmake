# Loops over numbers are optimised in every build, or the tests of whole models take minutes. No loop here looks
# at errno or at floating point exceptions, and telling the compiler so lets it use vectors.
set_source_files_properties(
  ${CMAKE_SOURCE_DIR}/src/train/gemm_kernels.cpp ${CMAKE_SOURCE_DIR}/src/train/gemm.cpp
  ${CMAKE_SOURCE_DIR}/src/train/narrow.cpp ${CMAKE_SOURCE_DIR}/src/train/rms_norm.cpp
  ${CMAKE_SOURCE_DIR}/src/train/swiglu.cpp ${CMAKE_SOURCE_DIR}/src/train/rope.cpp
  ${CMAKE_SOURCE_DIR}/src/train/attention.cpp ${CMAKE_SOURCE_DIR}/src/train/cross_entropy.cpp
  ${CMAKE_SOURCE_DIR}/src/train/adamw.cpp ${CMAKE_SOURCE_DIR}/src/train/layer_norm.cpp
  ${CMAKE_SOURCE_DIR}/src/train/gelu.cpp
  PROPERTIES COMPILE_OPTIONS "-O3;-fno-math-errno;-fno-trapping-math")
