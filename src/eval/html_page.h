// A report as one HTML file that needs nothing else: no scripts, no requests (its own policy forbids them),
// readable on light and dark ground, on paper, and by a screen reader. All text given is plain text and is
// escaped.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace loam::eval {

enum class CellAlign { left, right };

struct HtmlTable {
  struct Column {
    std::string name;
    CellAlign align = CellAlign::left;
  };
  std::string caption;
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;
  std::vector<std::size_t> strong_rows;  ///< indexes into rows
};

/// Built from top to bottom.
class HtmlPage {
 public:
  explicit HtmlPage(std::string title) : title_(std::move(title)) {}

  HtmlPage& lead(std::string_view text);  ///< the one sentence to take away
  HtmlPage& heading(std::string_view text);
  HtmlPage& paragraph(std::string_view text);
  HtmlPage& note(std::string_view text);  ///< a remark set apart
  HtmlPage& list(const std::vector<std::string>& items);
  HtmlPage& facts(const std::vector<std::pair<std::string, std::string>>& named);  ///< name and value
  HtmlPage& table(const HtmlTable& table);
  /// `svg` is a picture of svg_of(): the only thing that is not escaped.
  HtmlPage& figure(std::string_view svg, std::string_view caption = {});

  /// The whole document. `made_by` stands at its foot.
  std::string text(std::string_view made_by = "Loam") const;

 private:
  std::string title_;
  std::string body_;
};

}  // namespace loam::eval
