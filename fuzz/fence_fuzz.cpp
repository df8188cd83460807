// Any bytes: fenced text is valid, holds no marker, and is unchanged by fencing it again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/utf8.h"
#include "guard/fence.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const loam::guard::FencedText once = loam::guard::fence(text);
  if (!loam::is_valid_utf8(once.text)) std::abort();
  if (once.text.find(loam::guard::kFenceOpen) != std::string::npos) std::abort();
  if (once.text.find(loam::guard::kFenceClose) != std::string::npos) std::abort();
  if (loam::guard::fence(once.text).text != once.text) std::abort();
  return 0;
}
