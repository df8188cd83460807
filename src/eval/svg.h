// What both kinds of chart draw with. Private to this room.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "eval/chart.h"

namespace loam::eval {

/// Text as XML and HTML take it: marks escaped, broken UTF-8 and control characters replaced.
std::string markup(std::string_view text);

/// Width in pixels of a text in a common sans-serif face, to about a tenth: no font is asked.
double text_width(std::string_view text, double size);

/// The text, or as much of its beginning as fits, with an ellipsis.
std::string fitted(std::string_view text, double size, double width);

/// Whether a picture can hold the value: a number, and none so large that differences overflow (1e100; times
/// until the year 33658).
bool drawable(double value, AxisUnit unit);

/// A value as the axis writes it; `decimals` of the number that is shown (of percents for shares).
std::string value_text(double value, AxisUnit unit, int decimals);

/// Decimals that tell apart values a hundredth of `range` from each other.
int decimals_for(double range, AxisUnit unit);

/// From values to pixels, with the marks of the axis.
class AxisMap {
 public:
  /// Covers `low` to `high` (any order, may be equal) unless the axis says otherwise.
  AxisMap(const Axis& axis, double low, double high, double from_pixel, double to_pixel, int wanted_ticks);

  struct Tick {
    double pixel = 0;
    std::string label;
  };
  const std::vector<Tick>& ticks() const { return ticks_; }
  bool shows(double value) const;     ///< a number, and above 0 where the scale is logarithmic
  double pixel(double value) const;   ///< kept within the axis
  bool contains(double value) const;  ///< shows(), and inside the range
  double range() const { return high_ - low_; }

 private:
  double position(double value) const;
  void place_ticks(int wanted);
  void place_time_ticks(int wanted);
  void place_logarithmic_ticks(int wanted);
  void add_tick(double value, std::string label);

  AxisUnit unit_;
  AxisScale scale_;
  double low_, high_, from_, to_;
  std::vector<Tick> ticks_;
};

/// Collects the elements of one picture. Colours are attributes, so that every viewer shows them; a viewer
/// that knows style sheets and prefers dark gets the dark ones by class.
class SvgWriter {
 public:
  enum class Anchor { start, middle, end };

  void text(double x, double y, std::string_view text, double size, std::string_view ink,
            Anchor anchor = Anchor::start, bool bold = false);
  /// `ink` is a class: "ink", "mute", "grid", "axis", "strong", "plain", "faint", "s0" ... "s6".
  void line(double x1, double y1, double x2, double y2, std::string_view ink, double width,
            std::string_view dash = {});
  void dot(double x, double y, double radius, std::string_view ink, bool filled);
  void path(const std::string& d, std::string_view ink, double width, std::string_view dash = {});
  void area(const std::string& d, std::string_view ink);
  /// Elements until close() share a tooltip.
  void open(std::string_view tooltip);
  void close();

  /// The document; `name` is read out by screen readers.
  std::string document(double width, double height, std::string_view name) const;

 private:
  std::string body_;
};

/// Title, subtitle and footer, broken into lines; gives the y below the head.
double draw_head(SvgWriter& svg, std::string_view title, std::string_view subtitle, double width);
/// Lines of text from `y` down; gives the y below them.
double draw_paragraph(SvgWriter& svg, std::string_view text, double x, double y, double width, double size,
                      std::string_view ink);

}  // namespace loam::eval
