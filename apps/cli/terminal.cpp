#include "cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/json.h"
#include "base/utf8.h"

namespace loam::cli {
namespace {

/// Columns of one code point, after Unicode's East Asian Width (UAX 11): W and F blocks two, marks none.
int columns_of(char32_t c) {
  if (c == 0x200B || c == 0x200C || c == 0x200D || c == 0xFEFF) return 0;
  if ((c >= 0x0300 && c <= 0x036F) || (c >= 0x20D0 && c <= 0x20FF) || (c >= 0xFE00 && c <= 0xFE0F)) return 0;
  const bool wide = (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0x303E) ||
                    (c >= 0x3041 && c <= 0xA4CF) || (c >= 0xAC00 && c <= 0xD7A3) ||
                    (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFE30 && c <= 0xFE6F) ||
                    (c >= 0xFF00 && c <= 0xFF60) || (c >= 0xFFE0 && c <= 0xFFE6) ||
                    (c >= 0x1F300 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x3FFFD);
  return wide ? 2 : 1;
}

std::string_view code_of(Style style) {
  switch (style) {
    case Style::plain:
      return "";
    case Style::bold:
      return "\033[1m";
    case Style::dim:
      return "\033[2m";
    case Style::green:
      return "\033[32m";
    case Style::yellow:
      return "\033[33m";
    case Style::red:
      return "\033[31m";
    case Style::cyan:
      return "\033[36m";
  }
  return "";
}

bool wants_colors(const std::string& when, bool is_terminal) {
  if (when == "always") return true;
  if (when == "never") return false;
  // https://no-color.org: any value that is not empty switches colours off.
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  if (no_color != nullptr && *no_color != '\0') return false;
  return is_terminal && !(term != nullptr && std::strcmp(term, "dumb") == 0);
}

[[noreturn]] void stop_writing() {
  // The reader of the pipe has what it wanted: no error. Anything else lost output, and must say so.
  if (errno == EPIPE) std::_Exit(0);
  const std::string text = fmt::format("loam: out of room: standard output: {}\n", std::strerror(errno));
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
  std::_Exit(2);
}
}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const CodePoint c = decode_utf8(text);
    width += static_cast<std::size_t>(columns_of(c.value));
    text.remove_prefix(std::max<std::size_t>(c.size, 1));
  }
  return width;
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint c = decode_utf8(text);
    const char32_t v = c.value;
    const bool is_bidi = (v >= 0x202A && v <= 0x202E) || (v >= 0x2066 && v <= 0x2069);
    if (v == '\n' || v == '\t') {
      out += static_cast<char>(v);
    } else if (v < 0x20 || v == 0x7F) {
      append_utf8(out, v == 0x7F ? 0x2421 : 0x2400 + v);  // Unicode's pictures of control characters
    } else if ((v >= 0x80 && v < 0xA0) || is_bidi) {
      append_utf8(out, 0xFFFD);
    } else {
      append_utf8(out, v);
    }
    text.remove_prefix(std::max<std::size_t>(c.size, 1));
  }
  return out;
}

std::string one_line(std::string_view text) {
  std::string out;
  bool space = false;
  for (const char c : text) {
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
      space = !out.empty();
      continue;
    }
    if (space) out += ' ';
    space = false;
    out += c;
  }
  return out;
}

std::string shorten(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  std::string out;
  std::size_t used = 0;
  while (!text.empty()) {
    const CodePoint c = decode_utf8(text);
    const auto columns = static_cast<std::size_t>(columns_of(c.value));
    if (used + columns + 1 > width) break;
    out += text.substr(0, c.size);
    used += columns;
    text.remove_prefix(std::max<std::size_t>(c.size, 1));
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out + "…";
}

std::string wrap(std::string_view text, std::size_t width, std::string_view first, std::string_view rest) {
  std::string out{first};
  std::size_t column = display_width(first);
  const std::size_t indent = display_width(rest);
  bool line_is_empty = true;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find_first_of(" \n\t", at), text.size());
    std::string_view word = text.substr(at, end - at);
    at = end + 1;
    if (word.empty()) continue;
    std::size_t columns = display_width(word);
    if (!line_is_empty && column + 1 + columns > width) {
      out += '\n';
      out += rest;
      column = indent;
      line_is_empty = true;
    }
    if (!line_is_empty) {
      out += ' ';
      ++column;
    }
    // A word longer than a line (a URL, a text without spaces) is broken where it must be.
    while (column + columns > width && columns > 1 && width > indent + 1) {
      std::size_t taken = 0;
      std::size_t size = 0;
      while (size < word.size()) {
        const CodePoint c = decode_utf8(word.substr(size));
        const auto w = static_cast<std::size_t>(columns_of(c.value));
        if (column + taken + w > width) break;
        taken += w;
        size += std::max<std::size_t>(c.size, 1);
      }
      if (size == 0) break;
      out += word.substr(0, size);
      out += '\n';
      out += rest;
      column = indent;
      word.remove_prefix(size);
      columns = display_width(word);
    }
    out += word;
    column += columns;
    line_is_empty = false;
  }
  return out;
}

std::string human_bytes(double bytes) {
  const char* units[] = {"B", "kB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  while (bytes >= 999.5 && unit + 1 < std::size(units)) {
    bytes /= 1000;
    ++unit;
  }
  return unit == 0 || bytes >= 99.95 ? fmt::format("{:.0f} {}", bytes, units[unit])
                                     : fmt::format("{:.1f} {}", bytes, units[unit]);
}

std::string human_count(double count) {
  if (count >= 999.5e6) return fmt::format("{:.1f}B", count / 1e9);
  if (count >= 999.5e3) return fmt::format("{:.0f}M", count / 1e6);
  if (count >= 999.5) return fmt::format("{:.0f}k", count / 1e3);
  return fmt::format("{:.0f}", count);
}

std::string human_duration(double milliseconds) {
  if (milliseconds < 9.95) return fmt::format("{:.1f} ms", milliseconds);
  if (milliseconds < 999.5) return fmt::format("{:.0f} ms", milliseconds);
  if (milliseconds < 59'950) return fmt::format("{:.1f} s", milliseconds / 1000);
  const auto seconds = static_cast<long long>(std::llround(milliseconds / 1000));
  return fmt::format("{} min {} s", seconds / 60, seconds % 60);
}

std::string plural(std::size_t count, std::string_view one, std::string_view many) {
  std::string digits = std::to_string(count);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  if (count == 1) return fmt::format("{} {}", digits, one);
  return many.empty() ? fmt::format("{} {}s", digits, one) : fmt::format("{} {}", digits, many);
}

Terminal::Terminal() { configure(Options{}); }

void Terminal::configure(const Options& options) {
  json_ = options.json;
  quiet_ = options.quiet;
  out_is_terminal_ = ::isatty(STDOUT_FILENO) == 1;
  error_is_terminal_ = ::isatty(STDERR_FILENO) == 1;
  out_colors_ = wants_colors(options.color, out_is_terminal_);
  error_colors_ = wants_colors(options.color, error_is_terminal_);
  width_ = 80;
  winsize size{};
  if (out_is_terminal_ && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    width_ = std::clamp<std::size_t>(size.ws_col, 40, 100);
  }
}

void Terminal::out(std::string_view text) {
  if (progress_shown_ && out_is_terminal_) wipe_progress();
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) stop_writing();
}

void Terminal::line(std::string_view text) {
  out(text);
  out("\n");
}

void Terminal::json(const Json& document) {
  line(out_is_terminal_ ? dump_json_pretty(document) : dump_json(document));
}

void Terminal::json_line(const Json& document) {
  line(dump_json(document));
  flush();
}

void Terminal::flush() {
  if (std::fflush(stdout) != 0) stop_writing();
}

void Terminal::note(std::string_view text) {
  if (quiet_) return;
  wipe_progress();
  std::fflush(stdout);
  fmt::print(stderr, "{}\n", text);
}

void Terminal::ask(std::string_view text) {
  wipe_progress();
  std::fflush(stdout);
  fmt::print(stderr, "{}", paint_error(Style::bold, text));
  std::fflush(stderr);
}

void Terminal::error(std::string_view text) {
  wipe_progress();
  std::fflush(stdout);
  fmt::print(stderr, "{} {}\n", paint_error(Style::red, "loam:"), printable(one_line(text)));
}

std::string Terminal::paint(Style style, std::string_view text) const {
  if (!out_colors_ || style == Style::plain || text.empty()) return std::string(text);
  return fmt::format("{}{}\033[0m", code_of(style), text);
}

std::string Terminal::paint_error(Style style, std::string_view text) const {
  if (!error_colors_ || style == Style::plain) return std::string(text);
  return fmt::format("{}{}\033[0m", code_of(style), text);
}

ProgressSink Terminal::progress() {
  if (!error_is_terminal_ || quiet_) return {};
  return [this](const Progress& now) { draw(now); };
}

void Terminal::draw(const Progress& progress) {
  const double now = system_clock().seconds();
  if (progress_since_ < 0) progress_since_ = now;
  if (progress.what != progress_what_) {
    progress_what_ = progress.what;
    progress_drawn_ = -1;
  }
  if (now - progress_since_ < 1.0 || now - progress_drawn_ < 0.1) return;
  progress_drawn_ = now;
  progress_shown_ = true;
  std::string tail;
  if (progress.total > 0) {
    const double share =
        std::clamp(static_cast<double>(progress.done) / static_cast<double>(progress.total), 0.0, 1.0);
    const auto filled = static_cast<std::size_t>(std::lround(share * 24));
    std::string bar;
    for (std::size_t i = 0; i < 24; ++i) bar += i < filled ? "━" : "─";
    tail = fmt::format(" {} {:3.0f}%", paint_error(Style::cyan, bar), share * 100);
  } else if (progress.done > 0) {
    tail = fmt::format(" {}", progress.done);
  }
  const std::size_t room = width_ > 36 ? width_ - 36 : 20;
  fmt::print(stderr, "\r\033[2K{}{}", printable(shorten(one_line(progress.what), room)), tail);
  std::fflush(stderr);
}

void Terminal::wipe_progress() {
  if (!progress_shown_) return;
  std::fputs("\r\033[2K", stderr);
  std::fflush(stderr);
  progress_shown_ = false;
  progress_drawn_ = -1;
}

void Table::add(std::vector<std::string> row, Style style) {
  row.resize(columns_.size());
  rows_.push_back(std::move(row));
  styles_.push_back(style);
}

std::string Table::text(const Terminal& terminal, std::string_view indent) const {
  std::vector<std::size_t> widths(columns_.size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i]));
  }
  // A column that says nothing below its heading is left out.
  std::vector<bool> shown(columns_.size(), false);
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    const bool is_heading = r == 0 && rows_.size() > 1 && styles_[0] == Style::bold;
    for (std::size_t i = 0; i < widths.size() && !is_heading; ++i)
      shown[i] = shown[i] || !rows_[r][i].empty();
  }
  std::size_t total = indent.size();
  for (std::size_t i = 0; i < widths.size(); ++i) {
    if (!shown[i]) widths[i] = 0;
    if (shown[i]) total += widths[i] + (total > indent.size() ? 2 : 0);
  }
  if (total > terminal.width()) {
    auto widest = std::max_element(widths.begin(), widths.end());
    const std::size_t over = total - terminal.width();
    *widest = *widest > over + 12 ? *widest - over : std::min<std::size_t>(*widest, 12);
  }
  std::string out;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    std::string line;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (!shown[i]) continue;
      const std::string cell = shorten(rows_[r][i], widths[i]);
      const std::string pad(widths[i] - std::min(widths[i], display_width(cell)), ' ');
      if (!line.empty()) line += "  ";
      line += columns_[i] == Align::right ? pad + cell : cell + pad;
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    out += indent;
    out += terminal.paint(styles_[r], line);
    out += '\n';
  }
  return out;
}

}  // namespace loam::cli
