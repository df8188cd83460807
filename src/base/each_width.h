// One copy of a loop for each vector width, chosen when the program starts.
#pragma once

// Sanitizers do not get along with functions that are resolved before they are set up themselves.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define LOAM_EACH_WIDTH __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define LOAM_EACH_WIDTH
#endif
