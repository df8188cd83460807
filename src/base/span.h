// A range of bytes in the extracted text of a document.
#pragma once

#include <cstddef>
#include <string_view>

namespace loam {

/// Half-open byte range [start, end) into a document's extracted UTF-8 text.
struct Span {
  std::size_t start = 0;
  std::size_t end = 0;

  constexpr std::size_t size() const { return end - start; }
  constexpr bool empty() const { return end <= start; }
  constexpr bool contains(Span other) const { return start <= other.start && other.end <= end; }
  constexpr bool overlaps(Span other) const { return start < other.end && other.start < end; }
  friend constexpr bool operator==(Span, Span) = default;
};

/// The bytes of `text` in `span`, clamped to the text. The view lives as long as `text`.
constexpr std::string_view slice(std::string_view text, Span span) {
  const std::size_t start = span.start < text.size() ? span.start : text.size();
  const std::size_t end = span.end < text.size() ? span.end : text.size();
  return end > start ? text.substr(start, end - start) : std::string_view{};
}

}  // namespace loam
