// Pictures are sound XML, hold every value, and take any text and any number.
#include "eval/chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/utf8.h"
#include "eval/html_page.h"
#include "eval/svg.h"

namespace loam::eval {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Empty when tags are balanced, attributes quoted and texts escaped; else what is wrong.
std::string fault_in(const std::string& xml) {
  std::vector<std::string> open;
  for (std::size_t at = 0; at < xml.size(); ++at) {
    if (xml[at] == '&') {
      const std::size_t end = xml.find(';', at);
      if (end == std::string::npos || end - at > 6) return "a bare & at " + std::to_string(at);
    }
    if (xml[at] != '<') continue;
    const std::size_t end = xml.find('>', at);
    if (end == std::string::npos) return "an open tag";
    const std::string tag = xml.substr(at + 1, end - at - 1);
    if (std::count(tag.begin(), tag.end(), '"') % 2 != 0) return "an open quote in " + tag;
    const std::string name = tag.substr(0, tag.find_first_of(" /", 1));
    if (tag.starts_with('/')) {
      if (open.empty() || "/" + open.back() != tag) return "closed out of turn: " + tag;
      open.pop_back();
    } else if (!tag.ends_with('/')) {
      open.push_back(name);
    }
    at = end;
  }
  if (!open.empty()) return "not closed: " + open.back();
  return is_valid_utf8(xml) ? "" : "not UTF-8";
}

IntervalChart board() {
  IntervalChart chart;
  chart.title = "Accuracy";
  chart.rows = {{"embeddings + logreg", 0.871, 0.84, 0.9, "run 3", Emphasis::strong},
                {"majority", 0.3, 0.26, 0.34, "", Emphasis::faint}};
  return chart;
}

LineChart curve() {
  LineChart chart;
  chart.title = "Error over coverage";
  chart.x.unit = chart.y.unit = AxisUnit::percent;
  LineSeries line{"tfidf", {}, LineShape::straight, false};
  for (int i = 1; i <= 20; ++i) {
    const double x = i / 20.0;
    line.points.push_back({x, x * x * 0.2, x * x * 0.15, x * x * 0.25});
  }
  chart.series = {line};
  return chart;
}

// proves P-LEDGER-14
TEST(ChartTest, hostile_text_and_impossible_numbers_give_a_sound_picture) {
  const std::vector<std::string> texts = {"<script>alert(1)</script>",
                                          "\"><g onload=x>",
                                          "a & b",
                                          "\xFF\xFE half \xC3",
                                          std::string("nul \0 and \x1b[31m", 15),
                                          std::string(5000, 'W'),
                                          "\xE2\x80\xAE gnp.exe",
                                          "",
                                          "日本語の名前",
                                          "]]>"};
  const std::vector<double> numbers = {0, -1, 1e308, -1e308, 1e-308, kNan, kInfinity, -kInfinity, 0.5};
  for (const std::string& text : texts) {
    for (const AxisUnit unit : {AxisUnit::number, AxisUnit::percent, AxisUnit::time}) {
      for (const AxisScale scale : {AxisScale::linear, AxisScale::logarithmic}) {
        IntervalChart intervals;
        LineChart lines;
        intervals.title = intervals.subtitle = intervals.footer = lines.title = lines.subtitle =
            lines.footer = text;
        intervals.axis = lines.y = {text, unit, scale, {}, {}};
        lines.x = {text, unit, scale, {}, {}};
        LineSeries series{text, {}, LineShape::steps, true};
        for (const double n : numbers) {
          intervals.rows.push_back({text, n, n - 1, n + 1, text, Emphasis::normal});
          series.points.push_back({n, n, n, kNan});
          intervals.references.push_back({n, text});
          lines.horizontal.push_back({n, text});
          lines.vertical.push_back({n, text});
        }
        lines.series.assign(9, series);
        for (const std::string& svg : {svg_of(intervals), svg_of(lines)}) {
          EXPECT_EQ(fault_in(svg), "");
          EXPECT_EQ(svg.find("<script"), std::string::npos);
          EXPECT_EQ(svg.find("nan"), std::string::npos);
          EXPECT_EQ(svg.find("inf"), std::string::npos);
          EXPECT_EQ(svg.find("\xE2\x80\xAE"), std::string::npos);
        }
      }
    }
  }
}

TEST(ChartTest, every_row_stands_in_the_picture_with_value_and_interval) {
  const std::string svg = svg_of(board());
  EXPECT_EQ(fault_in(svg), "");
  for (const char* text :
       {"embeddings + logreg", "majority", "0.871", "0.840 to 0.900", "0.260 to 0.340", "run 3"})
    EXPECT_THAT(svg, HasSubstr(text));
  EXPECT_THAT(svg, HasSubstr("prefers-color-scheme:dark"));
}

TEST(ChartTest, the_same_chart_is_the_same_bytes) {
  EXPECT_EQ(svg_of(board()), svg_of(board()));
  EXPECT_EQ(svg_of(curve()), svg_of(curve()));
}

TEST(ChartTest, nothing_to_show_is_said) {
  EXPECT_THAT(svg_of(IntervalChart{}), HasSubstr("nothing to show"));
  EXPECT_THAT(svg_of(LineChart{}), HasSubstr("nothing to show"));
  LineChart only_nan;
  only_nan.series = {{"x", {{kNan, 1, {}, {}}}, LineShape::straight, false}};
  EXPECT_THAT(svg_of(only_nan), HasSubstr("nothing to show"));
}

TEST(ChartTest, a_point_that_is_not_a_number_breaks_the_line) {
  LineChart chart = curve();
  const auto paths_in = [](const std::string& svg) {
    std::size_t count = 0;
    for (std::size_t at = svg.find("fill=\"none\""); at != std::string::npos;
         at = svg.find("fill=\"none\"", at + 1))
      ++count;
    return count;
  };
  EXPECT_EQ(paths_in(svg_of(chart)), 1U);
  chart.series[0].points[10].y = kNan;
  EXPECT_EQ(paths_in(svg_of(chart)), 2U);
}

TEST(AxisMapTest, marks_are_round_numbers_inside_the_axis_and_the_ends_map_to_the_ends) {
  const AxisMap axis({"", AxisUnit::percent, AxisScale::linear, {}, {}}, 0.612, 0.943, 100, 600, 6);
  EXPECT_DOUBLE_EQ(axis.pixel(0.612), 100);
  EXPECT_DOUBLE_EQ(axis.pixel(0.943), 600);
  ASSERT_GE(axis.ticks().size(), 3U);
  EXPECT_EQ(axis.ticks().front().label, "65%");
  EXPECT_EQ(axis.ticks().back().label, "90%");
  EXPECT_DOUBLE_EQ(axis.pixel(7), 600);  // beyond is kept at the edge
}

TEST(AxisMapTest, a_logarithmic_axis_gives_each_decade_the_same_room) {
  const AxisMap axis({"", AxisUnit::number, AxisScale::logarithmic, {}, {}}, 1, 100, 0, 200, 4);
  EXPECT_NEAR(axis.pixel(10), 100, 1e-9);
  EXPECT_FALSE(axis.shows(0));
  EXPECT_FALSE(axis.shows(-5));
}

TEST(AxisMapTest, times_are_written_as_days_or_hours) {
  const Axis axis{"", AxisUnit::time, AxisScale::linear, {}, {}};
  constexpr double kDay = 86400;
  const double start = 1763769600;  // 2025-11-22 00:00 UTC
  const AxisMap days(axis, start, start + 5 * kDay, 0, 500, 6);
  EXPECT_EQ(days.ticks().front().label, "2025-11-22");
  const AxisMap hours(axis, start + 3600, start + 7 * 3600, 0, 500, 6);
  EXPECT_EQ(hours.ticks().front().label, "01:00");
}

TEST(ValueTextTest, values_are_written_with_the_digits_that_tell_them_apart) {
  EXPECT_EQ(value_text(0.8714, AxisUnit::percent, 1), "87.1%");
  EXPECT_EQ(value_text(-0.00001, AxisUnit::number, 2), "0.00");
  EXPECT_EQ(value_text(kNan, AxisUnit::number, 2), "missing");
  EXPECT_EQ(decimals_for(0.5, AxisUnit::number), 3);
  EXPECT_EQ(decimals_for(0.5, AxisUnit::percent), 1);
  EXPECT_EQ(decimals_for(2000, AxisUnit::number), 0);
}

TEST(HtmlPageTest, a_page_is_text_that_cannot_load_or_run_anything) {
  HtmlPage page("A <title>");
  HtmlTable table;
  table.columns = {{"name"}, {"value", CellAlign::right}};
  table.rows = {{"<b>", "1"}, {"plain", "2"}};
  table.strong_rows = {1};
  page.lead("one & only").heading("<h>").paragraph("</p>").note("n").list({"<li>"}).facts({{"<dt>", "<dd>"}});
  page.table(table).figure(svg_of(board()), "a <caption>");
  const std::string html = page.text("Loam <1>");
  EXPECT_THAT(html, HasSubstr("<title>A &lt;title&gt;</title>"));
  EXPECT_THAT(html, HasSubstr("one &amp; only"));
  EXPECT_THAT(html, HasSubstr("<td>&lt;b&gt;</td><td class=\"n\">1</td>"));
  EXPECT_THAT(html, HasSubstr("<tr class=\"strong\"><td>plain</td>"));
  EXPECT_THAT(html, HasSubstr("default-src 'none'"));
  for (const char* outside : {"<script", "<link", "<img", "@import", "url(", "<b>"})
    EXPECT_THAT(html, Not(HasSubstr(outside)));
}

}  // namespace
}  // namespace loam::eval
