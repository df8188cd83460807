#include "base/document.h"

#include <algorithm>

namespace loam {

std::optional<int> Document::page_at(std::size_t offset) const {
  // The last page that starts at or before the offset.
  auto after = std::upper_bound(pages.begin(), pages.end(), offset,
                                [](std::size_t at, const Page& page) { return at < page.span.start; });
  if (after == pages.begin()) return std::nullopt;
  return std::prev(after)->number;
}

}  // namespace loam
