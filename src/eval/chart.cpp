#include "eval/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "eval/svg.h"

namespace loam::eval {
namespace {

using Anchor = SvgWriter::Anchor;

constexpr double kMargin = 20;
constexpr double kLabelSize = 13;
constexpr double kSmallSize = 11;

/// Smallest and largest number seen.
struct Range {
  AxisUnit unit;
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    if (!drawable(value, unit)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
};

/// A little air on both sides, but no shares below 0% or above 100%.
Range with_room(Range range, const Axis& axis, double share) {
  if (range.empty() || axis.scale == AxisScale::logarithmic) return range;
  const bool shares = axis.unit == AxisUnit::percent && range.low >= 0 && range.high <= 1;
  const double room = (range.high - range.low) * share;
  range.low -= room;
  range.high += room;
  if (shares) {
    range.low = std::max(range.low, 0.0);
    range.high = std::min(range.high, 1.0);
  }
  return range;
}

std::string_view ink_of(Emphasis emphasis) {
  switch (emphasis) {
    case Emphasis::strong:
      return "strong";
    case Emphasis::normal:
      return "plain";
    case Emphasis::faint:
      return "faint";
  }
  return "plain";
}

std::string interval_text(const IntervalRow& row, AxisUnit unit, int decimals) {
  const auto bare = [&](double value) {
    std::string text = value_text(value, unit, decimals);
    if (text.ends_with('%')) text.pop_back();
    return text;
  };
  return fmt::format("{} to {}", bare(row.low), bare(row.high));
}

std::string empty_picture(const std::string& title, const std::string& subtitle, double width) {
  SvgWriter svg;
  const double top = draw_head(svg, title, subtitle, width);
  svg.text(width / 2, top + 50, "There is nothing to show.", kLabelSize, "mute", Anchor::middle);
  return svg.document(width, top + 100, title.empty() ? "an empty chart" : title);
}

}  // namespace

// Intervals, one below the other --------------------------------------------------------------------------

std::string svg_of(const IntervalChart& chart, const ChartOptions& options) {
  const double width = std::max(360, options.width);
  if (chart.rows.empty()) return empty_picture(chart.title, chart.subtitle, width);

  Range range{chart.axis.unit};
  for (const IntervalRow& row : chart.rows) {
    if (!drawable(row.value, chart.axis.unit)) continue;
    range.add(row.value);
    range.add(row.low);
    range.add(row.high);
  }
  for (const ReferenceLine& line : chart.references) range.add(line.value);
  range = with_room(range, chart.axis, 0.06);

  double label_width = 0;
  bool notes = false;
  for (const IntervalRow& row : chart.rows) {
    label_width =
        std::max({label_width, text_width(row.label, kLabelSize), text_width(row.note, kSmallSize)});
    notes = notes || !row.note.empty();
  }
  label_width = std::min(label_width, width * 0.36);
  const double row_height = notes ? 44 : 32;
  const double value_width = 118;
  const double left = kMargin + label_width + 18;
  const double right = width - kMargin - value_width;
  const AxisMap x(chart.axis, range.low, range.high, left, right, static_cast<int>((right - left) / 75));
  const int decimals = decimals_for(x.range(), chart.axis.unit);

  SvgWriter svg;
  const bool named_references = std::any_of(chart.references.begin(), chart.references.end(),
                                            [](const auto& r) { return !r.label.empty(); });
  const double top = draw_head(svg, chart.title, chart.subtitle, width) + (named_references ? 18 : 0);
  const double bottom = top + row_height * static_cast<double>(chart.rows.size());
  for (const AxisMap::Tick& tick : x.ticks()) {
    svg.line(tick.pixel, top, tick.pixel, bottom, "grid", 1);
    svg.text(tick.pixel, bottom + 16, tick.label, kSmallSize, "mute", Anchor::middle);
  }
  svg.line(left, bottom, right, bottom, "axis", 1);
  for (const ReferenceLine& line : chart.references) {
    if (!x.contains(line.value)) continue;
    svg.line(x.pixel(line.value), top, x.pixel(line.value), bottom, "mute", 1.2, "4 4");
    svg.text(x.pixel(line.value), top - 6, fitted(line.label, kSmallSize, right - left), kSmallSize, "mute",
             x.pixel(line.value) > (left + right) / 2 ? Anchor::end : Anchor::start);
  }

  double y = top;
  for (const IntervalRow& row : chart.rows) {
    const double middle = y + row_height / 2;
    const std::string_view ink = ink_of(row.emphasis);
    const bool there = x.shows(row.value);
    const std::string value = there ? value_text(row.value, chart.axis.unit, decimals) : "missing";
    const std::string interval = there ? interval_text(row, chart.axis.unit, decimals) : "";
    svg.open(there ? fmt::format("{}: {} ({})", row.label, value, interval)
                   : fmt::format("{}: no value", row.label));
    const std::string_view label_ink = row.emphasis == Emphasis::faint ? "mute" : "ink";
    svg.text(kMargin, row.note.empty() ? middle + 4.5 : middle - 2,
             fitted(row.label, kLabelSize, label_width), kLabelSize, label_ink, Anchor::start,
             row.emphasis == Emphasis::strong);
    if (!row.note.empty())
      svg.text(kMargin, middle + 14, fitted(row.note, kSmallSize, label_width), kSmallSize, "mute");
    if (there) {
      if (x.shows(row.low) && x.shows(row.high)) {
        const double from = x.pixel(row.low);
        const double to = x.pixel(row.high);
        svg.path(fmt::format("M{:.1f} {:.1f}H{:.1f}", from, middle, to), ink, 3);
        // Ends without a cap go on beyond the picture.
        if (x.contains(row.low)) svg.line(from, middle - 5, from, middle + 5, ink, 2);
        if (x.contains(row.high)) svg.line(to, middle - 5, to, middle + 5, ink, 2);
      }
      if (x.contains(row.value))
        svg.dot(x.pixel(row.value), middle, 5.5, ink, row.emphasis != Emphasis::faint);
    }
    svg.text(right + 16, interval.empty() ? middle + 4.5 : middle - 2, value, kLabelSize, label_ink,
             Anchor::start, row.emphasis == Emphasis::strong);
    svg.text(right + 16, middle + 14, interval, kSmallSize, "mute");
    svg.close();
    y += row_height;
  }
  double end = bottom + 24;
  if (!chart.axis.label.empty()) {
    svg.text((left + right) / 2, end + 12, fitted(chart.axis.label, 12, right - left), 12, "mute",
             Anchor::middle);
    end += 22;
  }
  if (!chart.footer.empty())
    end = draw_paragraph(svg, chart.footer, kMargin, end + 8, width - 2 * kMargin, kSmallSize, "mute");
  return svg.document(width, end + 14, chart.title.empty() ? "values with intervals" : chart.title);
}

// Curves
// ------------------------------------------------------------------------------------------------------

namespace {

/// Draws a line chart; its members are the places on the paper.
class LinePicture {
 public:
  LinePicture(const LineChart& chart, const ChartOptions& options)
      : chart_(chart), width_(std::max(360, options.width)), height_(std::max(240, options.height)) {}

  std::string draw() {
    Range xs{chart_.x.unit};
    Range ys{chart_.y.unit};
    std::size_t points = 0;
    for (const LineSeries& one : chart_.series) {
      for (const LinePoint& point : one.points) {
        if (!drawable(point.x, chart_.x.unit) || !drawable(point.y, chart_.y.unit)) continue;
        if (chart_.x.scale == AxisScale::logarithmic && point.x <= 0) continue;
        ++points;
        xs.add(point.x);
        ys.add(point.y);
        if (point.low) ys.add(*point.low);
        if (point.high) ys.add(*point.high);
      }
    }
    if (points == 0) return empty_picture(chart_.title, chart_.subtitle, width_);
    for (const ReferenceLine& line : chart_.horizontal) ys.add(line.value);
    for (const ReferenceLine& line : chart_.vertical) xs.add(line.value);
    ys = with_room(ys, chart_.y, 0.06);

    const double head = draw_head(svg_, chart_.title, chart_.subtitle, width_);
    top_ = head + (chart_.y.label.empty() ? 6 : 22) + (chart_.vertical.empty() ? 0 : 14);
    const double foot = (chart_.x.label.empty() ? 30 : 50) + footer_height();
    bottom_ = std::max(top_ + 120, height_ - foot);
    right_ = width_ - kMargin - name_width();

    // The marks decide how wide the axis is, and its width how many marks fit: a first guess is near enough.
    const AxisMap guess(chart_.y, ys.low, ys.high, bottom_, top_, ticks_in(bottom_ - top_, 46));
    double tick_width = 20;
    for (const AxisMap::Tick& tick : guess.ticks())
      tick_width = std::max(tick_width, text_width(tick.label, kSmallSize));
    left_ = kMargin + tick_width + 10;
    const AxisMap x(chart_.x, xs.low, xs.high, left_, right_,
                    ticks_in(right_ - left_, chart_.x.unit == AxisUnit::time ? 95 : 75));
    draw_frame(x, guess);
    for (std::size_t i = 0; i < chart_.series.size(); ++i) draw_band(chart_.series[i], ink(i), x, guess);
    draw_references(x, guess);
    for (std::size_t i = 0; i < chart_.series.size(); ++i) draw_series(i, x, guess);
    draw_names(guess);
    double end = bottom_ + 30;
    if (!chart_.x.label.empty()) {
      svg_.text((left_ + right_) / 2, bottom_ + 38, fitted(chart_.x.label, 12, right_ - left_), 12, "mute",
                Anchor::middle);
      end += 20;
    }
    if (!chart_.footer.empty())
      end = draw_paragraph(svg_, chart_.footer, kMargin, end, width_ - 2 * kMargin, kSmallSize, "mute") + 10;
    return svg_.document(width_, end, chart_.title.empty() ? "a line chart" : chart_.title);
  }

 private:
  static int ticks_in(double pixels, double each) { return std::max(2, static_cast<int>(pixels / each)); }
  static std::string ink(std::size_t series) { return fmt::format("s{}", series % 7); }
  /// From the eighth series on the hues come again, broken.
  static std::string_view dash(std::size_t series) { return series < 7 ? "" : series < 14 ? "7 5" : "2 4"; }

  double footer_height() const {
    if (chart_.footer.empty()) return 0;
    const double lines = std::ceil(text_width(chart_.footer, kSmallSize) / (width_ - 2 * kMargin) + 0.1);
    return lines * kSmallSize * 1.4 + 8;
  }

  double name_width() const {
    double widest = 0;
    for (const LineSeries& one : chart_.series) widest = std::max(widest, text_width(one.name, 12));
    return widest > 0 ? std::min(widest + 30, width_ * 0.3) : 0;
  }

  void draw_frame(const AxisMap& x, const AxisMap& y) {
    for (const AxisMap::Tick& tick : y.ticks()) {
      svg_.line(left_, tick.pixel, right_, tick.pixel, "grid", 1);
      svg_.text(left_ - 8, tick.pixel + 4, tick.label, kSmallSize, "mute", Anchor::end);
    }
    for (const AxisMap::Tick& tick : x.ticks()) {
      svg_.line(tick.pixel, bottom_, tick.pixel, bottom_ + 5, "axis", 1);
      svg_.text(tick.pixel, bottom_ + 18, tick.label, kSmallSize, "mute", Anchor::middle);
    }
    svg_.line(left_, bottom_, right_, bottom_, "axis", 1);
    if (!chart_.y.label.empty())
      svg_.text(kMargin, top_ - (chart_.vertical.empty() ? 12 : 26),
                fitted(chart_.y.label, 12, width_ - 2 * kMargin), 12, "mute");
  }

  void draw_references(const AxisMap& x, const AxisMap& y) {
    for (const ReferenceLine& line : chart_.horizontal) {
      if (!y.contains(line.value)) continue;
      const double at = y.pixel(line.value);
      svg_.line(left_, at, right_, at, "mute", 1.2, "4 4");
      svg_.text(left_ + 6, at - 5, fitted(line.label, kSmallSize, right_ - left_), kSmallSize, "mute");
    }
    for (const ReferenceLine& line : chart_.vertical) {
      if (!x.contains(line.value)) continue;
      const double at = x.pixel(line.value);
      svg_.line(at, top_, at, bottom_, "mute", 1.2, "4 4");
      svg_.text(at, top_ - 6, fitted(line.label, kSmallSize, right_ - left_), kSmallSize, "mute",
                at > (left_ + right_) / 2 ? Anchor::end : Anchor::start);
    }
  }

  /// Calls `visit` with each run of points that belong together: all of them can be shown.
  template <typename Visit>
  static void for_each_stretch(const LineSeries& series, const AxisMap& x, const AxisMap& y, bool band,
                               const Visit& visit) {
    std::vector<LinePoint> stretch;
    const auto flush = [&] {
      if (!stretch.empty()) visit(stretch);
      stretch.clear();
    };
    for (const LinePoint& point : series.points) {
      bool shown = x.shows(point.x) && y.shows(point.y);
      if (band) shown = shown && point.low && point.high && y.shows(*point.low) && y.shows(*point.high);
      if (shown) {
        stretch.push_back(point);
      } else {
        flush();
      }
    }
    flush();
  }

  /// The line through (x, value(point)); `steps` keeps each value until the next point.
  template <typename Value>
  static std::string through(const std::vector<LinePoint>& points, LineShape shape, const AxisMap& x,
                             const AxisMap& y, const Value& value) {
    std::string d;
    for (const LinePoint& point : points) {
      const double at_x = x.pixel(point.x);
      const double at_y = y.pixel(value(point));
      if (d.empty()) {
        d = fmt::format("M{:.1f} {:.1f}", at_x, at_y);
      } else if (shape == LineShape::steps) {
        d += fmt::format("H{:.1f}V{:.1f}", at_x, at_y);
      } else {
        d += fmt::format("L{:.1f} {:.1f}", at_x, at_y);
      }
    }
    return d;
  }

  void draw_band(const LineSeries& series, const std::string& hue, const AxisMap& x, const AxisMap& y) {
    for_each_stretch(series, x, y, true, [&](const std::vector<LinePoint>& points) {
      if (points.size() < 2) return;
      std::string d = through(points, series.shape, x, y, [](const LinePoint& p) { return *p.high; });
      std::vector<LinePoint> back(points.rbegin(), points.rend());
      if (series.shape == LineShape::steps) {
        // Backwards, a step goes down before it goes left.
        d += fmt::format("V{:.1f}", y.pixel(*back.front().low));
        for (std::size_t i = 1; i < back.size(); ++i)
          d += fmt::format("V{:.1f}H{:.1f}", y.pixel(*back[i].low), x.pixel(back[i].x));
      } else {
        std::string under = through(back, series.shape, x, y, [](const LinePoint& p) { return *p.low; });
        under.front() = 'L';
        d += under;
      }
      svg_.area(d + "Z", hue);
    });
  }

  void draw_series(std::size_t index, const AxisMap& x, const AxisMap& y) {
    const LineSeries& series = chart_.series[index];
    svg_.open(series.name);
    for_each_stretch(series, x, y, false, [&](const std::vector<LinePoint>& points) {
      svg_.path(through(points, series.shape, x, y, [](const LinePoint& p) { return p.y; }), ink(index), 2.2,
                dash(index));
      for (const LinePoint& point : points) {
        if (!series.markers && points.size() > 1) break;
        if (point.low && point.high && y.shows(*point.low) && y.shows(*point.high) && points.size() == 1)
          svg_.line(x.pixel(point.x), y.pixel(*point.low), x.pixel(point.x), y.pixel(*point.high), ink(index),
                    2);
        svg_.dot(x.pixel(point.x), y.pixel(point.y), 3.6, ink(index), true);
      }
    });
    svg_.close();
  }

  /// Names at the ends of the lines, moved apart where they would overlap.
  void draw_names(const AxisMap& y) {
    struct Name {
      std::size_t series;
      double at;
    };
    std::vector<Name> names;
    for (std::size_t i = 0; i < chart_.series.size(); ++i) {
      const LineSeries& one = chart_.series[i];
      if (one.name.empty()) continue;
      double at = bottom_;
      for (const LinePoint& point : one.points) {
        if (y.shows(point.y)) at = y.pixel(point.y);
      }
      names.push_back({i, at});
    }
    std::stable_sort(names.begin(), names.end(), [](const Name& a, const Name& b) { return a.at < b.at; });
    constexpr double kApart = 16;
    double least = top_;
    for (Name& name : names) {
      name.at = std::max(name.at, least);
      least = name.at + kApart;
    }
    double most = bottom_;
    for (auto name = names.rbegin(); name != names.rend(); ++name) {
      name->at = std::min(name->at, most);
      most = name->at - kApart;
    }
    for (const Name& name : names) {
      svg_.line(right_ + 8, name.at, right_ + 22, name.at, ink(name.series), 2.6, dash(name.series));
      svg_.text(right_ + 27, name.at + 4, fitted(chart_.series[name.series].name, 12, width_ - right_ - 32),
                12, "ink");
    }
  }

  const LineChart& chart_;
  double width_, height_;
  double left_ = 0, right_ = 0, top_ = 0, bottom_ = 0;
  SvgWriter svg_;
};

}  // namespace

std::string svg_of(const LineChart& chart, const ChartOptions& options) {
  return LinePicture(chart, options).draw();
}

}  // namespace loam::eval
