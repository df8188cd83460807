// Claims and passages from outside: never a crash, never a span outside the passage, never support for a
// number that the passage does not hold.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "answer/align.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = text.find('\n');
  const std::string claim = text.substr(0, cut);
  loam::Hit hit;
  hit.passage.text = cut == std::string::npos ? std::string() : text.substr(cut + 1);
  hit.passage.span = {7, 7 + hit.passage.text.size()};
  const loam::answer::Support support = loam::answer::align(claim, {hit});
  if (support.supported && !hit.passage.span.contains(support.span)) std::abort();
  if (support.supported && support.span.empty()) std::abort();
  if (!support.supported && support.why_not.empty()) std::abort();
  return 0;
}
