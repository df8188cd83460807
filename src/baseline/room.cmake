# Fused multiply-add rounds once where two operations round twice: with it, processors would disagree in the last
# bit of a fitted model. These loops are most of the time of a fit, so they get -O2's vectoriser in any build.
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/baseline/kernels.cpp PROPERTIES COMPILE_OPTIONS "-ffp-contract=off;-O2")
