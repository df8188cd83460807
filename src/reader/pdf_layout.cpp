#include "reader/pdf_layout.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "base/utf8.h"
#include "reader/text.h"

namespace loam::reader {
namespace {

constexpr std::size_t kMaxSegmentsForColumns =
    5000;  // beyond this a page is a drawing, not two columns of text
constexpr std::size_t kMinColumnSegments = 4;
constexpr int kMaxColumnDepth = 3;  // up to eight columns

float height(const Segment& segment) { return segment.top - segment.bottom; }

// Share of the lower one's height in which two boxes overlap vertically.
float overlap(float bottom_a, float top_a, float bottom_b, float top_b) {
  const float shared = std::min(top_a, top_b) - std::max(bottom_a, bottom_b);
  const float lower = std::max(0.01F, std::min(top_a - bottom_a, top_b - bottom_b));
  return shared / lower;
}

bool is_right_to_left(const std::vector<Segment>& cells) {
  std::size_t rtl = 0;
  std::size_t all = 0;
  for (const Segment& cell : cells) {
    std::string_view text = cell.text;
    while (!text.empty()) {
      const CodePoint point = decode_utf8(text);
      if (point.value >= 0x590 && point.value <= 0x8FF) ++rtl;
      ++all;
      text.remove_prefix(point.size);
    }
  }
  return 2 * rtl > all;
}

// A bullet or number before a list item or heading, often set far to the left.
bool is_marker(std::string_view text) { return text.size() <= 5 && list_marker_size(text) == text.size(); }

void finish_line(Line& line) {
  if (is_right_to_left(line.cells)) {
    std::stable_sort(line.cells.begin(), line.cells.end(),
                     [](const auto& a, const auto& b) { return a.right > b.right; });
  } else {
    std::stable_sort(line.cells.begin(), line.cells.end(),
                     [](const auto& a, const auto& b) { return a.left < b.left; });
  }
  int weight = -1;
  int bold = 0;
  int all = 0;
  for (const Segment& cell : line.cells) {
    if (cell.characters > weight) {
      weight = cell.characters;
      line.size = cell.size;
    }
    all += cell.characters;
    bold += cell.bold ? cell.characters : 0;
    line.left = std::min(line.left, cell.left);
    line.right = std::max(line.right, cell.right);
  }
  line.bold = 2 * bold > all;
  // Neighbours with a small gap are one cell.
  std::vector<Segment> joined;
  for (Segment& cell : line.cells) {
    const bool after_marker = joined.size() == 1 && is_marker(joined.front().text);
    const float gap =
        joined.empty() ? 0 : std::max(cell.left - joined.back().right, joined.back().left - cell.right);
    if (joined.empty() || gap > (after_marker ? 6.0F : 1.5F) * line.size) {
      joined.push_back(std::move(cell));
      continue;
    }
    Segment& last = joined.back();
    if (gap > 0.15F * line.size && !last.text.ends_with(' ')) last.text += ' ';
    last.text += cell.text;
    last.left = std::min(last.left, cell.left);
    last.right = std::max(last.right, cell.right);
    last.characters += cell.characters;
  }
  line.cells = std::move(joined);
}

// Lines of one column, top to bottom.
void add_lines(std::vector<Segment> segments, std::vector<Line>& lines) {
  if (segments.empty()) return;
  std::stable_sort(segments.begin(), segments.end(),
                   [](const auto& a, const auto& b) { return a.top + a.bottom > b.top + b.bottom; });
  const std::size_t first = lines.size();
  const int column = lines.empty() ? 0 : lines.back().column + 1;
  for (Segment& segment : segments) {
    Line* line = lines.size() > first ? &lines.back() : nullptr;
    if (line == nullptr || overlap(line->bottom, line->top, segment.bottom, segment.top) < 0.5F) {
      lines.push_back({});
      line = &lines.back();
      line->left = segment.left;
      line->right = segment.right;
      line->bottom = segment.bottom;
      line->top = segment.top;
      line->column = column;
    } else if (height(segment) >
               line->top - line->bottom) {  // the tallest piece is the line; marks are raised
      line->bottom = segment.bottom;
      line->top = segment.top;
    }
    line->cells.push_back(std::move(segment));
  }
  float left = std::numeric_limits<float>::max();
  float right = std::numeric_limits<float>::lowest();
  std::vector<float> distances;
  for (std::size_t i = first; i < lines.size(); ++i) {
    finish_line(lines[i]);
    left = std::min(left, lines[i].left);
    right = std::max(right, lines[i].right);
    if (i > first) distances.push_back(lines[i - 1].bottom - lines[i].bottom);
  }
  float pitch = 0;
  if (distances.size() >= 3) {
    // The lower quartile: lines inside paragraphs are closer than paragraphs, and usually more.
    const auto at = distances.begin() + static_cast<std::ptrdiff_t>(distances.size() / 4);
    std::nth_element(distances.begin(), at, distances.end());
    pitch = *at;
  }
  for (std::size_t i = first; i < lines.size(); ++i) {
    lines[i].column_left = left;
    lines[i].column_right = right;
    lines[i].pitch = std::clamp(pitch, 1.0F * lines[i].size, 2.5F * lines[i].size);
    if (pitch <= 0) lines[i].pitch = 1.3F * lines[i].size;
  }
}

struct Gutter {
  bool found = false;
  float left = 0;
  float right = 0;
};

// Columns are filled with lines of some length; the cells of a table are short. Labels of figures are
// forgiven.
struct ColumnEvidence {
  std::size_t long_lines = 0;
  float share = 0;  // of the characters that stand in long lines
};

ColumnEvidence column_evidence(const std::vector<const Segment*>& segments) {
  if (segments.empty()) return {};
  float left = segments.front()->left;
  float right = segments.front()->right;
  for (const Segment* segment : segments) {
    left = std::min(left, segment->left);
    right = std::max(right, segment->right);
  }
  ColumnEvidence found;
  std::size_t all = 0;
  std::size_t in_long_lines = 0;
  for (const Segment* segment : segments) {
    const float width = segment->right - segment->left;
    const auto characters = static_cast<std::size_t>(segment->characters);
    all += characters;
    if (width < 0.6F * (right - left) || width < 9 * segment->size) continue;
    ++found.long_lines;
    in_long_lines += characters;
  }
  found.share = static_cast<float>(in_long_lines) / static_cast<float>(std::max<std::size_t>(1, all));
  return found;
}

bool look_like_columns(const std::vector<const Segment*>& left, const std::vector<const Segment*>& right) {
  const ColumnEvidence a = column_evidence(left);
  const ColumnEvidence b = column_evidence(right);
  if (std::min(a.long_lines, b.long_lines) < 3) return false;
  return std::max(a.share, b.share) > 0.6F && std::min(a.share, b.share) > 0.35F;
}

Gutter find_gutter(const std::vector<Segment>& segments) {
  if (segments.size() < 2 * kMinColumnSegments || segments.size() > kMaxSegmentsForColumns) return {};
  float left = std::numeric_limits<float>::max();
  float right = std::numeric_limits<float>::lowest();
  float size = 0;
  for (const Segment& segment : segments) {
    left = std::min(left, segment.left);
    right = std::max(right, segment.right);
    size += segment.size;
  }
  size /= static_cast<float>(segments.size());
  const float width = right - left;
  if (!(width > 50) || width > 20000) return {};
  // How many segments cover each point of the width.
  std::vector<int> cover(static_cast<std::size_t>(width) + 2, 0);
  for (const Segment& segment : segments) {
    ++cover[static_cast<std::size_t>(segment.left - left)];
    --cover[std::min(cover.size() - 1, static_cast<std::size_t>(segment.right - left) + 1)];
  }
  for (std::size_t i = 1; i < cover.size(); ++i) cover[i] += cover[i - 1];

  const auto low = static_cast<std::size_t>(0.15F * width);
  const auto high = static_cast<std::size_t>(0.85F * width);
  const auto min_gap = static_cast<std::size_t>(std::max(5.0F, 0.6F * size));
  const int most = static_cast<int>(segments.size()) * 2 / 5;
  Gutter best;
  int best_cover = most + 1;
  std::size_t best_gap = 0;
  for (std::size_t i = low; i < high;) {
    std::size_t end = i + 1;
    while (end < high && cover[end] == cover[i]) ++end;
    const std::size_t gap = end - i;
    if (gap >= min_gap && (cover[i] < best_cover || (cover[i] == best_cover && gap > best_gap))) {
      best = {true, left + static_cast<float>(i), left + static_cast<float>(end)};
      best_cover = cover[i];
      best_gap = gap;
    }
    i = end;
  }
  if (!best.found) return {};
  const float middle = (best.left + best.right) / 2;
  std::vector<const Segment*> on_left;
  std::vector<const Segment*> on_right;
  for (const Segment& segment : segments) {
    if (segment.right <= middle) on_left.push_back(&segment);
    if (segment.left >= middle) on_right.push_back(&segment);
  }
  if (!look_like_columns(on_left, on_right)) return {};
  // Both must stand beside each other, not one above the other.
  const auto extent = [](const std::vector<const Segment*>& side) {
    float bottom = side.front()->bottom;
    float top = side.front()->top;
    for (const Segment* segment : side) {
      bottom = std::min(bottom, segment->bottom);
      top = std::max(top, segment->top);
    }
    return std::pair(bottom, top);
  };
  const auto [left_bottom, left_top] = extent(on_left);
  const auto [right_bottom, right_top] = extent(on_right);
  if (overlap(left_bottom, left_top, right_bottom, right_top) < 0.5F) return {};
  return best;
}

void order_region(std::vector<Segment> segments, int depth, std::vector<Line>& lines) {
  const Gutter gutter = depth > 0 ? find_gutter(segments) : Gutter{};
  if (!gutter.found) {
    add_lines(std::move(segments), lines);
    return;
  }
  const float middle = (gutter.left + gutter.right) / 2;
  std::stable_sort(segments.begin(), segments.end(),
                   [](const auto& a, const auto& b) { return a.top > b.top; });
  std::vector<Segment> left;
  std::vector<Segment> right;
  std::vector<Segment> across;
  const auto flush_columns = [&] {
    order_region(std::exchange(left, {}), depth - 1, lines);
    order_region(std::exchange(right, {}), depth - 1, lines);
  };
  for (Segment& segment : segments) {
    if (segment.right <= middle || segment.left >= middle) {
      if (!across.empty()) add_lines(std::exchange(across, {}), lines);
      (segment.right <= middle ? left : right).push_back(std::move(segment));
    } else {
      if (!left.empty() || !right.empty()) flush_columns();
      across.push_back(std::move(segment));
    }
  }
  flush_columns();
  add_lines(std::move(across), lines);
}

}  // namespace

std::string Line::text() const {
  std::string joined;
  for (const Segment& cell : cells) {
    if (!joined.empty()) joined += ' ';
    joined += cell.text;
  }
  return joined;
}

std::vector<Line> reading_order(const std::vector<Segment>& segments) {
  std::vector<Line> lines;
  order_region(segments, kMaxColumnDepth, lines);
  return lines;
}

}  // namespace loam::reader
