// Sentences ascend, do not overlap, and leave nothing but white space out; passages of any text keep their
// promises.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/utf8.h"
#include "passage/cutter.h"

namespace {

bool blank(std::string_view text) {
  while (!text.empty()) {
    const loam::CodePoint point = loam::decode_utf8(text);
    if (!loam::is_space(point.value)) return false;
    text.remove_prefix(point.size);
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  loam::Document document;
  document.text = loam::to_valid_utf8(std::string_view(reinterpret_cast<const char*>(data), size));
  std::size_t end = 0;
  for (const loam::Span span : loam::passage::sentences(document.text)) {
    if (span.start < end || span.end <= span.start || !blank(loam::slice(document.text, {end, span.start})))
      std::abort();
    end = span.end;
  }
  if (!blank(loam::slice(document.text, {end, document.text.size()}))) std::abort();

  loam::passage::CutOptions options;
  options.target_tokens = 16;
  options.max_tokens = 24;
  const auto count = [](std::string_view text) -> loam::Result<int> {
    return 2 + static_cast<int>((text.size() + 3) / 4);
  };
  const auto passages = loam::passage::cut(document, count, options);
  if (!passages.ok()) std::abort();
  end = 0;
  for (const loam::Passage& passage : *passages) {
    if (passage.span.start < end || passage.text != loam::slice(document.text, passage.span)) std::abort();
    if (passage.tokens > options.max_tokens || !blank(loam::slice(document.text, {end, passage.span.start})))
      std::abort();
    end = passage.span.end;
  }
  if (!blank(loam::slice(document.text, {end, document.text.size()}))) std::abort();
  return 0;
}
