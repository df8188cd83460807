// From pieces of text at places on pages to paragraphs in reading order. Pure geometry: knows no PDF library.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/document.h"

namespace loam::reader {

/// Text without a wide gap in it, at its place. Units are points; y grows upward.
struct Segment {
  std::string text;  ///< UTF-8, single spaces
  float left = 0;
  float right = 0;
  float bottom = 0;
  float top = 0;
  float size = 0;  ///< height of the font
  bool bold = false;
  int characters = 0;
};

struct PageText {
  int number = 1;
  float bottom = 0;
  float top = 0;
  std::vector<Segment> segments;      ///< in the order of the file
  std::vector<std::string> sideways;  ///< rotated text, e.g. a stamp in the margin
};

/// Segments that share a line, with the column they stand in.
struct Line {
  std::vector<Segment> cells;  ///< left to right; more than one where wide gaps part them
  float left = 0;
  float right = 0;
  float bottom = 0;
  float top = 0;
  float size = 0;
  bool bold = false;
  int column = 0;  ///< counts the columns of a page in reading order
  float column_left = 0;
  float column_right = 0;
  float pitch = 0;  ///< usual distance of the column's lines

  std::string text() const;  ///< cells joined by one space
};

/// The lines of a page in reading order: columns one after the other, lines that span them in between.
std::vector<Line> reading_order(const std::vector<Segment>& segments);

/// Writes text, blocks, pages and notes of a document: joins lines to paragraphs and hyphenated words,
/// guesses headings by size and weight, drops lines that repeat at the top or bottom of pages (and notes
/// them).
void write_pages(const std::vector<PageText>& pages, Document& document);

}  // namespace loam::reader
