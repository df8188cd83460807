// Standard output and error as people and programs see them: colours, width, progress, broken pipes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json_fwd.h"
#include "base/progress.h"
#include "cli/settings.h"

namespace loam::cli {

enum class Style { plain, bold, dim, green, yellow, red, cyan };

/// Columns that a text takes on a terminal: code points, with wide East Asian ones counted twice and
/// combining marks not at all.
std::size_t display_width(std::string_view text);

/// Text safe to show: control characters (escape sequences in a document, say) become visible, so that
/// outside text cannot steer the terminal. Line feeds and tabs stay.
std::string printable(std::string_view text);

/// One paragraph broken between words at `width` columns. `first` opens the first line, `rest` the others.
std::string wrap(std::string_view text, std::size_t width, std::string_view first = "",
                 std::string_view rest = "");

/// The first `width` columns, with an ellipsis where something is left out.
std::string shorten(std::string_view text, std::size_t width);

/// White space runs to single spaces, for showing a quote on one line.
std::string one_line(std::string_view text);

std::string human_bytes(double bytes);            ///< "98.4 MB"; powers of 1000
std::string human_count(double count);            ///< "135M"
std::string human_duration(double milliseconds);  ///< "4.2 s", "85 ms"
std::string plural(std::size_t count, std::string_view one, std::string_view many = "");  ///< "2 passages"

/// The two streams. Only this class writes to them.
class Terminal {
 public:
  Terminal();
  void configure(const Options& options);

  bool json() const { return json_; }
  bool quiet() const { return quiet_; }
  bool out_is_terminal() const { return out_is_terminal_; }
  std::size_t width() const { return width_; }  ///< columns, 40 to 100; 80 where there is no terminal

  /// Text to standard output. A closed pipe ends the program quietly; a full disk ends it with status 2.
  void out(std::string_view text);
  void line(std::string_view text = "");
  /// One JSON document: over several lines on a terminal, on one line elsewhere.
  void json(const Json& document);
  /// One JSON line of a stream, always on one line.
  void json_line(const Json& document);
  void flush();

  /// A remark for people, on standard error; not with --quiet.
  void note(std::string_view text);
  /// A question to a person, on standard error, without a line end. Quiet or not.
  void ask(std::string_view text);
  /// The one-line error.
  void error(std::string_view text);

  std::string paint(Style style, std::string_view text) const;        ///< for standard output
  std::string paint_error(Style style, std::string_view text) const;  ///< for standard error

  /// Draws on standard error while it is a terminal, from the first second on, and wipes itself.
  ProgressSink progress();
  void wipe_progress();

 private:
  void draw(const Progress& progress);

  bool json_ = false, quiet_ = false;
  bool out_is_terminal_ = false, error_is_terminal_ = false;
  bool out_colors_ = false, error_colors_ = false;
  std::size_t width_ = 80;
  double progress_since_ = -1, progress_drawn_ = -1;
  std::string progress_what_;
  bool progress_shown_ = false;
};

/// A table with aligned columns; the widest text column gives way where the width does not suffice.
class Table {
 public:
  enum class Align { left, right };
  explicit Table(std::vector<Align> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> row, Style style = Style::plain);
  std::string text(const Terminal& terminal, std::string_view indent = "") const;

 private:
  std::vector<Align> columns_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<Style> styles_;
};

}  // namespace loam::cli
