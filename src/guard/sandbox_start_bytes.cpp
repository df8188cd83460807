// The bytes of the sandbox's first program, taken in by the assembler.
#include <cstddef>

#include "guard/sandbox_start.h"

asm(".section .rodata\n"
    ".balign 16\n"
    ".global loam_sandbox_start_begin\n"
    ".global loam_sandbox_start_end\n"
    "loam_sandbox_start_begin:\n"
    ".incbin \"" LOAM_SANDBOX_START_FILE
    "\"\n"
    "loam_sandbox_start_end:\n"
    ".previous\n");

extern "C" {
extern const char loam_sandbox_start_begin[];
extern const char loam_sandbox_start_end[];
}

namespace loam::guard {

std::string_view sandbox_start_program() {
  return {loam_sandbox_start_begin,
          static_cast<std::size_t>(loam_sandbox_start_end - loam_sandbox_start_begin)};
}

}  // namespace loam::guard
