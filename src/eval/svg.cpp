#include "eval/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>

#include "base/utf8.h"

namespace loam::eval {
namespace {

struct Ink {
  const char* name;
  const char* light;
  const char* dark;
};

// Hues keep their order for people who do not see red and green apart (checked against Okabe & Ito's palette,
// "Color Universal Design", 2008); each has at least 3:1 contrast on its ground.
constexpr Ink kInks[] = {
    {"ground", "#ffffff", "#14171c"}, {"ink", "#1b1f24", "#e9ecf0"},   {"mute", "#5b6570", "#a3adb8"},
    {"grid", "#e6e9ed", "#272d35"},   {"axis", "#aeb6bf", "#4d5763"},  {"strong", "#1f66d1", "#7ab0ff"},
    {"plain", "#4a5560", "#b9c2cc"},  {"faint", "#8b96a1", "#74808c"}, {"s0", "#1f66d1", "#7ab0ff"},
    {"s1", "#d3540b", "#ff9a62"},     {"s2", "#0f8a68", "#46d3a6"},    {"s3", "#8546c0", "#c79bff"},
    {"s4", "#a06d00", "#e9bd4a"},     {"s5", "#c12d78", "#f880b8"},    {"s6", "#4a5560", "#b9c2cc"},
};

std::string_view light(std::string_view name) {
  for (const Ink& ink : kInks) {
    if (name == ink.name) return ink.light;
  }
  return "#000000";
}

std::string style_sheet() {
  std::string rules;
  for (const Ink& ink : kInks) {
    rules += fmt::format(".lf-{0}{{fill:{1}}}.ls-{0}{{stroke:{1}}}", ink.name, ink.dark);
  }
  return "<style>@media (prefers-color-scheme:dark){" + rules + "}</style>";
}

constexpr const char* kFace =
    "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue','Noto Sans','Liberation "
    "Sans',Arial,sans-serif";

double relative_width(char32_t c) {
  if (c >= 0x1100 && ((c <= 0x115F) || (c >= 0x2E80 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) ||
                      (c >= 0xFE30 && c <= 0xFF60) || (c >= 0x1F300 && c <= 0x3FFFD)))
    return 1.0;
  if (c >= 128) return 0.58;
  constexpr std::string_view kNarrow = "ijl.,:;'|!()[] `tfrI/";
  constexpr std::string_view kWide = "mwMW@%";
  const char byte = static_cast<char>(c);
  if (kNarrow.find(byte) != std::string_view::npos) return 0.34;
  if (kWide.find(byte) != std::string_view::npos) return 0.88;
  return byte >= 'A' && byte <= 'Z' ? 0.67 : 0.56;
}

/// 1, 2 or 5 times a power of ten, so that about `wanted` of them fill `range`.
double nice_step(double range, int wanted) {
  const double raw = range / std::max(1, wanted);
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double lead = raw / power;
  return (lead < 1.5 ? 1.0 : lead < 3.5 ? 2.0 : lead < 7.5 ? 5.0 : 10.0) * power;
}

int decimals_of_step(double step) {
  return std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 9);
}

std::string time_text(double unix_seconds, double step) {
  const auto seconds = static_cast<std::time_t>(unix_seconds);
  std::tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return {};
  constexpr double kDay = 86400;
  if (step >= kDay)
    return fmt::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
  if (parts.tm_hour == 0 && parts.tm_min == 0)
    return fmt::format("{:02}-{:02}", parts.tm_mon + 1, parts.tm_mday);
  return fmt::format("{:02}:{:02}", parts.tm_hour, parts.tm_min);
}

}  // namespace

std::string markup(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint c = decode_utf8(text);
    text.remove_prefix(std::max<std::size_t>(c.size, 1));
    switch (c.value) {
      case U'&':
        out += "&amp;";
        break;
      case U'<':
        out += "&lt;";
        break;
      case U'>':
        out += "&gt;";
        break;
      case U'"':
        out += "&quot;";
        break;
      case U'\'':
        out += "&#39;";
        break;
      case U'\n':
      case U'\t':
      case U'\r':
        out += ' ';
        break;
      default: {
        // XML 1.0, section 2.2: other control characters, U+FFFE and U+FFFF may not stand in a document at
        // all. Marks that turn the direction of writing could make a label say something else than it is.
        const bool turns =
            (c.value >= 0x202A && c.value <= 0x202E) || (c.value >= 0x2066 && c.value <= 0x2069);
        const bool forbidden = c.value < 0x20 || (c.value >= 0x7F && c.value < 0xA0) || c.value == 0xFFFE ||
                               c.value == 0xFFFF || turns;
        append_utf8(out, forbidden ? char32_t{0xFFFD} : c.value);
      }
    }
  }
  return out;
}

double text_width(std::string_view text, double size) {
  double width = 0;
  while (!text.empty()) {
    const CodePoint c = decode_utf8(text);
    width += relative_width(c.value);
    text.remove_prefix(std::max<std::size_t>(c.size, 1));
  }
  return width * size;
}

std::string fitted(std::string_view text, double size, double width) {
  if (text_width(text, size) <= width) return std::string(text);
  std::string out;
  double used = size;  // the ellipsis
  while (!text.empty()) {
    const CodePoint c = decode_utf8(text);
    used += relative_width(c.value) * size;
    if (used > width) break;
    append_utf8(out, c.value);
    text.remove_prefix(std::max<std::size_t>(c.size, 1));
  }
  while (out.ends_with(' ')) out.pop_back();
  return out + "…";
}

bool drawable(double value, AxisUnit unit) {
  return std::isfinite(value) && std::abs(value) <= (unit == AxisUnit::time ? 1e12 : 1e100);
}

std::string value_text(double value, AxisUnit unit, int decimals) {
  if (!drawable(value, unit)) return "missing";
  if (unit == AxisUnit::time) return time_text(value, 0);
  const double shown = unit == AxisUnit::percent ? value * 100 : value;
  std::string text = fmt::format("{:.{}f}", shown, decimals);
  if (std::abs(shown) >= 1e7) text = fmt::format("{:.3g}", shown);
  if (text.find_first_not_of("-0.") == std::string::npos && text.starts_with('-'))
    text.erase(0, 1);  // no "-0"
  return unit == AxisUnit::percent ? text + "%" : text;
}

int decimals_for(double range, AxisUnit unit) {
  const double shown = unit == AxisUnit::percent ? range * 100 : range;
  if (!(shown > 0) || !std::isfinite(shown)) return unit == AxisUnit::percent ? 1 : 3;
  return std::clamp(static_cast<int>(std::ceil(2.3 - std::log10(shown) - 1e-9)), 0, 6);
}

AxisMap::AxisMap(const Axis& axis, double low, double high, double from_pixel, double to_pixel,
                 int wanted_ticks)
    : unit_(axis.unit), scale_(axis.scale), low_(low), high_(high), from_(from_pixel), to_(to_pixel) {
  const auto usable = [&](double v) { return shows(v); };
  if (!usable(low_) || !usable(high_)) {
    low_ = scale_ == AxisScale::linear ? 0 : 1;
    high_ = low_ == 0 ? 1 : 10;
  }
  if (low_ > high_) std::swap(low_, high_);
  if (axis.low && usable(*axis.low)) low_ = *axis.low;
  if (axis.high && usable(*axis.high)) high_ = *axis.high;
  if (!(high_ > low_)) {  // one value, or bounds the wrong way round: some room on both sides
    const double middle = low_;
    const double room = scale_ == AxisScale::logarithmic ? 0
                        : unit_ == AxisUnit::percent     ? 0.05
                                                         : std::max(std::abs(middle) * 0.1, 1e-6);
    low_ = scale_ == AxisScale::logarithmic ? middle / 2 : middle - room;
    high_ = scale_ == AxisScale::logarithmic ? middle * 2 : middle + room;
  }
  if (scale_ == AxisScale::logarithmic) {
    place_logarithmic_ticks(wanted_ticks);
  } else if (unit_ == AxisUnit::time) {
    place_time_ticks(wanted_ticks);
  } else {
    place_ticks(wanted_ticks);
  }
}

bool AxisMap::shows(double value) const {
  // Logarithms of the smallest numbers would stretch the axis over hundreds of decades.
  constexpr double kSmallest = 1e-100;
  return drawable(value, unit_) && (scale_ == AxisScale::linear || value >= kSmallest);
}

bool AxisMap::contains(double value) const {
  const double slack = (high_ - low_) * 1e-9;
  return shows(value) && value >= low_ - slack && value <= high_ + slack;
}

double AxisMap::position(double value) const {
  if (scale_ == AxisScale::logarithmic) return std::log(value / low_) / std::log(high_ / low_);
  return (value - low_) / (high_ - low_);
}

double AxisMap::pixel(double value) const {
  if (!shows(value)) return from_;
  return from_ + std::clamp(position(value), 0.0, 1.0) * (to_ - from_);
}

void AxisMap::add_tick(double value, std::string label) {
  ticks_.push_back({pixel(value), std::move(label)});
}

void AxisMap::place_ticks(int wanted) {
  const double factor = unit_ == AxisUnit::percent ? 100 : 1;
  const double step = nice_step((high_ - low_) * factor, wanted);
  const int decimals = decimals_of_step(step);
  const double first = std::ceil(low_ * factor / step - 1e-6);
  constexpr int kMost = 50;  // a guard against ranges beyond what a double can step through
  for (int i = 0; i < kMost; ++i) {
    const double shown = (first + i) * step;
    if (shown > high_ * factor + step * 1e-6) break;
    add_tick(shown / factor, value_text(shown / factor, unit_, decimals));
  }
}

void AxisMap::place_time_ticks(int wanted) {
  constexpr std::array<double, 19> kSteps = {60,      120,     300,      600,      1800,     3600,   7200,
                                             10800,   21600,   43200,    86400,    172800,   604800, 1209600,
                                             2592000, 7776000, 15552000, 31536000, 157680000};
  double step = kSteps.back();
  for (const double candidate : kSteps) {
    if ((high_ - low_) / candidate <= std::max(1, wanted)) {
      step = candidate;
      break;
    }
  }
  constexpr int kMost = 50;
  double value = std::ceil(low_ / step) * step;
  for (int i = 0; i < kMost && value <= high_; ++i, value += step) add_tick(value, time_text(value, step));
}

void AxisMap::place_logarithmic_ticks(int wanted) {
  const double decades = std::log10(high_ / low_);
  const bool fine = decades * 3 <= wanted + 2;
  const auto every = std::max(1, static_cast<int>(std::ceil(decades / std::max(1, wanted))));
  const int first = static_cast<int>(std::floor(std::log10(low_) + 1e-9));
  const int last = static_cast<int>(std::ceil(std::log10(high_) - 1e-9));
  for (int power = first; power <= last; power += every) {
    for (const double lead : {1.0, 2.0, 5.0}) {
      if (lead > 1 && !fine) break;
      const double value = lead * std::pow(10.0, power);
      if (contains(value)) {
        const int percent = unit_ == AxisUnit::percent ? 2 : 0;
        add_tick(value, value_text(value, unit_, std::clamp(-power - percent, 0, 9)));
      }
    }
  }
}

void SvgWriter::text(double x, double y, std::string_view text, double size, std::string_view ink,
                     Anchor anchor, bool bold) {
  const std::string_view where = anchor == Anchor::start ? "" : anchor == Anchor::end ? "end" : "middle";
  body_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"{:g}\" fill=\"{}\" class=\"lf-{}\"", x, y,
                       size, light(ink), ink);
  if (!where.empty()) body_ += fmt::format(" text-anchor=\"{}\"", where);
  if (bold) body_ += " font-weight=\"600\"";
  body_ += '>' + markup(text) + "</text>\n";
}

void SvgWriter::line(double x1, double y1, double x2, double y2, std::string_view ink, double width,
                     std::string_view dash) {
  body_ += fmt::format(
      "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" class=\"ls-{}\" "
      "stroke-width=\"{:g}\"{}/>\n",
      x1, y1, x2, y2, light(ink), ink, width,
      dash.empty() ? std::string{} : fmt::format(" stroke-dasharray=\"{}\"", dash));
}

void SvgWriter::dot(double x, double y, double radius, std::string_view ink, bool filled) {
  const std::string_view fill = filled ? ink : std::string_view("ground");
  body_ += fmt::format(
      "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:g}\" fill=\"{}\" stroke=\"{}\" stroke-width=\"2\" "
      "class=\"lf-{} ls-{}\"/>\n",
      x, y, radius, light(fill), light(ink), fill, ink);
}

void SvgWriter::path(const std::string& d, std::string_view ink, double width, std::string_view dash) {
  body_ += fmt::format(
      "<path d=\"{}\" fill=\"none\" stroke=\"{}\" class=\"ls-{}\" stroke-width=\"{:g}\" "
      "stroke-linejoin=\"round\" "
      "stroke-linecap=\"round\"{}/>\n",
      d, light(ink), ink, width,
      dash.empty() ? std::string{} : fmt::format(" stroke-dasharray=\"{}\"", dash));
}

void SvgWriter::area(const std::string& d, std::string_view ink) {
  body_ +=
      fmt::format("<path d=\"{}\" fill=\"{}\" class=\"lf-{}\" fill-opacity=\"0.16\"/>\n", d, light(ink), ink);
}

void SvgWriter::open(std::string_view tooltip) { body_ += "<g><title>" + markup(tooltip) + "</title>\n"; }
void SvgWriter::close() { body_ += "</g>\n"; }

std::string SvgWriter::document(double width, double height, std::string_view name) const {
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
             "height=\"{1:.0f}\" role=\"img\" aria-label=\"{2}\" font-family=\"{3}\">\n",
             width, height, markup(name), kFace) +
         style_sheet() +
         fmt::format("\n<rect width=\"100%\" height=\"100%\" fill=\"{}\" class=\"lf-ground\"/>\n",
                     light("ground")) +
         body_ + "</svg>\n";
}

double draw_paragraph(SvgWriter& svg, std::string_view text, double x, double y, double width, double size,
                      std::string_view ink) {
  std::string line;
  const auto put = [&] {
    if (line.empty()) return;
    svg.text(x, y + size, line, size, ink);
    y += size * 1.4;
    line.clear();
  };
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word(text.substr(at, end - at));
    at = end + 1;
    if (word.empty()) continue;
    if (!line.empty() && text_width(line + ' ' + word, size) > width) put();
    line += line.empty() ? fitted(word, size, width) : ' ' + word;
  }
  put();
  return y;
}

double draw_head(SvgWriter& svg, std::string_view title, std::string_view subtitle, double width) {
  constexpr double kMargin = 20;
  double y = 16;
  if (!title.empty()) {
    svg.text(kMargin, y + 16, fitted(title, 17.5, width - 2 * kMargin), 16.5, "ink", SvgWriter::Anchor::start,
             true);
    y += 26;
  }
  if (!subtitle.empty()) y = draw_paragraph(svg, subtitle, kMargin, y, width - 2 * kMargin, 12.5, "mute") + 2;
  return y + 8;
}

}  // namespace loam::eval
