// For tests: a temporary folder, a writer of small PDF files, and where PDFium is.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/document.h"
#include "reader/reader.h"

namespace loam::reader {

inline Libraries test_libraries() {
  return {std::filesystem::path(LOAM_DEPS_DIR) / "pdfium/lib/libpdfium.so"};
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "loam-reader-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  std::filesystem::path write(std::string_view name, std::string_view bytes) const {
    std::ofstream(path_ / name, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

/// Text at a place of a page, in points from the lower left corner.
struct PdfText {
  double x = 72;
  double y = 720;
  double size = 11;
  std::string text;  // ASCII without brackets and backslashes
  bool bold = false;
  bool lying = false;  // runs up the page
};

/// Bytes of a PDF 1.4 file with these pages (ISO 32000-1, section 7.5), with an optional title and encryption
/// dictionary that no password opens.
class PdfWriter {
 public:
  PdfWriter& page(std::vector<PdfText> texts) {
    pages_.push_back(std::move(texts));
    return *this;
  }
  /// Lines from the top, 14 points apart.
  PdfWriter& page_of_lines(const std::vector<std::string>& lines, double x = 72, double y = 720) {
    std::vector<PdfText> texts;
    for (const std::string& line : lines) {
      texts.push_back({x, y, 11, line, false});
      y -= 14;
    }
    return page(std::move(texts));
  }
  PdfWriter& title(std::string text) {
    title_ = std::move(text);
    return *this;
  }
  PdfWriter& encrypted() {
    encrypted_ = true;
    return *this;
  }

  std::string bytes() const {
    std::string out = "%PDF-1.4\n";
    std::vector<std::size_t> offsets{0};
    const auto object = [&](const std::string& body) {
      offsets.push_back(out.size());
      out += std::to_string(offsets.size() - 1) + " 0 obj\n" + body + "\nendobj\n";
    };
    std::string kids;
    for (std::size_t i = 0; i < pages_.size(); ++i) kids += std::to_string(5 + 2 * i) + " 0 R ";
    object("<< /Type /Catalog /Pages 2 0 R >>");
    object("<< /Type /Pages /Count " + std::to_string(pages_.size()) + " /Kids [" + kids + "] >>");
    object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>");
    object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>");
    for (std::size_t i = 0; i < pages_.size(); ++i) {
      object("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents " + std::to_string(6 + 2 * i) +
             " 0 R /Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>");
      std::string content;
      for (const PdfText& text : pages_[i]) {
        char line[128];
        std::snprintf(line, sizeof line, "BT /%s %.1f Tf %s %.1f %.1f Tm (", text.bold ? "F2" : "F1",
                      text.size, text.lying ? "0 1 -1 0" : "1 0 0 1", text.x, text.y);
        content += line + text.text + ") Tj ET\n";
      }
      object("<< /Length " + std::to_string(content.size()) + " >>\nstream\n" + content + "endstream");
    }
    std::string trailer = "<< /Size ";
    std::string extra;
    if (!title_.empty()) {
      object("<< /Title (" + title_ + ") >>");
      extra += " /Info " + std::to_string(offsets.size() - 1) + " 0 R";
    }
    if (encrypted_) {
      object("<< /Filter /Standard /V 1 /R 2 /P -44 /O (" + std::string(32, 'o') + ") /U (" +
             std::string(32, 'u') + ") >>");
      extra += " /Encrypt " + std::to_string(offsets.size() - 1) +
               " 0 R /ID [(0123456789abcdef) (0123456789abcdef)]";
    }
    const std::size_t table = out.size();
    out += "xref\n0 " + std::to_string(offsets.size()) + "\n0000000000 65535 f \n";
    for (std::size_t i = 1; i < offsets.size(); ++i) {
      char entry[32];
      std::snprintf(entry, sizeof entry, "%010zu 00000 n \n", offsets[i]);
      out += entry;
    }
    out += "trailer\n" + trailer + std::to_string(offsets.size()) + " /Root 1 0 R" + extra +
           " >>\nstartxref\n" + std::to_string(table) + "\n%%EOF\n";
    return out;
  }

 private:
  std::vector<std::vector<PdfText>> pages_;
  std::string title_;
  bool encrypted_ = false;
};

/// "H1:Title", "P:text", "L1:item", "R:row", "C:code", "Q:quote" for each block.
inline std::vector<std::string> outline(const Document& document) {
  std::vector<std::string> lines;
  for (const Block& block : document.blocks) {
    static constexpr const char* kNames[] = {"H", "P", "L", "R", "C", "Q"};
    std::string line = kNames[static_cast<std::size_t>(block.kind)];
    if (block.level > 0) line += std::to_string(block.level);
    line += ":";
    line += slice(document.text, block.span);
    lines.push_back(std::move(line));
  }
  return lines;
}
using Lines = std::vector<std::string>;

}  // namespace loam::reader
