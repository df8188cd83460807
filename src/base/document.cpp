#include "base/document.h"

#include <algorithm>

namespace loam {

std::optional<int> page_at(const std::vector<Page>& pages, std::size_t offset) {
  auto after = std::upper_bound(pages.begin(), pages.end(), offset,
                                [](std::size_t at, const Page& page) { return at < page.span.start; });
  if (after == pages.begin()) return std::nullopt;
  return std::prev(after)->number;
}

std::optional<int> Document::page_at(std::size_t offset) const { return loam::page_at(pages, offset); }

}  // namespace loam
