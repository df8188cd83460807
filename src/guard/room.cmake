# The sandbox's first program: static and free of our flags (no sanitizer runs inside), carried by the library as
# bytes (sandbox_start_bytes.cpp), so that there is no second file to find or to tamper with.
add_executable(loam_sandbox_start ${CMAKE_CURRENT_LIST_DIR}/helper/sandbox_start.cpp)
target_compile_options(loam_sandbox_start PRIVATE -Os -fno-exceptions -Wall -Wextra -Werror)
target_link_options(loam_sandbox_start PRIVATE -static -no-pie -s)
set_target_properties(loam_sandbox_start PROPERTIES POSITION_INDEPENDENT_CODE OFF
  RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/generated/loam_guard)
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/sandbox_start_bytes.cpp PROPERTIES
  COMPILE_DEFINITIONS LOAM_SANDBOX_START_FILE="${CMAKE_BINARY_DIR}/generated/loam_guard/loam_sandbox_start"
  OBJECT_DEPENDS ${CMAKE_BINARY_DIR}/generated/loam_guard/loam_sandbox_start)
add_dependencies(loam_guard loam_sandbox_start)
