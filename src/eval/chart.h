// Pictures of results: SVG as text. No scripts, no fonts or files from elsewhere; readable on light and on
// dark ground. What comes from outside (labels) is escaped. Pure functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace loam::eval {

enum class AxisUnit {
  number,
  percent,  ///< values are shares: 0.95 is written 95%
  time      ///< values are Unix seconds, written as dates or hours in UTC
};
enum class AxisScale { linear, logarithmic };

struct Axis {
  std::string label;
  AxisUnit unit = AxisUnit::number;
  AxisScale scale = AxisScale::linear;  ///< logarithmic needs values above 0; others are left out
  std::optional<double> low, high;      ///< empty: from the data
};

/// A straight line across the chart with a name: a target, the best.
struct ReferenceLine {
  double value = 0;
  std::string label;
};

enum class Emphasis {
  strong,  ///< the ones to look at
  normal,
  faint
};

/// A value with its interval, on a line of its own.
struct IntervalRow {
  std::string label;
  double value = 0, low = 0, high = 0;  ///< a value that is not a number is said to be missing
  std::string note;                     ///< small text below the label: cost, run
  Emphasis emphasis = Emphasis::normal;
};

/// Values with intervals, one below the other: a leaderboard.
struct IntervalChart {
  std::string title, subtitle;
  Axis axis;
  std::vector<IntervalRow> rows;          ///< from top to bottom
  std::vector<ReferenceLine> references;  ///< vertical
  std::string footer;                     ///< how to read it
};

struct LinePoint {
  double x = 0, y = 0;
  std::optional<double> low, high;  ///< the band around y
};
enum class LineShape { straight, steps };

struct LineSeries {
  std::string name;
  std::vector<LinePoint> points;  ///< ascending x; a point that is not a number breaks the line
  LineShape shape = LineShape::straight;
  bool markers = false;  ///< a dot at each point: for few points
};

/// Curves with bands: error over coverage, score over time.
struct LineChart {
  std::string title, subtitle;
  Axis x, y;
  std::vector<LineSeries> series;
  std::vector<ReferenceLine> horizontal;  ///< at a y
  std::vector<ReferenceLine> vertical;    ///< at an x
  std::string footer;
};

struct ChartOptions {
  int width = 760;   ///< pixels of the drawing; it scales with its container
  int height = 380;  ///< of a line chart's whole picture; an interval chart is as high as its rows need
};

/// A whole SVG document. A chart without rows or points says so in its middle.
std::string svg_of(const IntervalChart& chart, const ChartOptions& options = {});
std::string svg_of(const LineChart& chart, const ChartOptions& options = {});

}  // namespace loam::eval
