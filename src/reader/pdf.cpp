// PDF by PDFium: characters with their places become segments; pdf_layout makes text of them.
#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "reader/formats.h"
#include "reader/pdf_layout.h"
#include "reader/pdfium.h"
#include "reader/text.h"

namespace loam::reader {
namespace {

struct CloseDocument {
  const Pdfium* api;
  void operator()(PdfiumDocument* document) const { api->close_document(document); }
};
struct ClosePage {
  const Pdfium* api;
  void operator()(PdfiumPage* page) const { api->close_page(page); }
};
struct CloseText {
  const Pdfium* api;
  void operator()(PdfiumTextPage* text) const { api->close_text(text); }
};

std::string metadata(const Pdfium& api, PdfiumDocument* document, const char* tag) {
  const unsigned long bytes = api.meta_text(document, tag, nullptr, 0);
  if (bytes <= 2 || bytes > 64 * 1024) return {};
  std::string utf16(bytes, '\0');
  api.meta_text(document, tag, utf16.data(), bytes);
  std::string text;
  for (std::size_t i = 0; i + 3 < utf16.size(); i += 2) {  // the last unit is the terminator
    const auto low = static_cast<unsigned char>(utf16[i]);
    const auto high = static_cast<unsigned char>(utf16[i + 1]);
    char32_t value = static_cast<char32_t>((high << 8U) | low);
    if (value >= 0xD800 && value <= 0xDBFF && i + 5 < utf16.size()) {
      const auto next = static_cast<char32_t>((static_cast<unsigned char>(utf16[i + 3]) << 8U) |
                                              static_cast<unsigned char>(utf16[i + 2]));
      value = 0x10000 + ((value - 0xD800) << 10U) + ((next - 0xDC00) & 0x3FFU);
      i += 2;
    }
    append_utf8(text, value == 0 ? U' ' : value);
  }
  return std::string(trimmed(text));
}

// What word processors put there by themselves names no document.
bool is_real_title(std::string_view title) {
  const std::string lower = to_lower_utf8(title);
  if (lower.size() < 3 || lower.starts_with("microsoft word") || lower.starts_with("untitled") ||
      lower.starts_with("powerpoint") || lower.starts_with("microsoft powerpoint")) {
    return false;
  }
  for (const char* ending :
       {".doc", ".docx", ".dvi", ".tex", ".indd", ".qxd", ".pdf", ".ppt", ".pptx", ".xls", ".xlsx"}) {
    if (lower.ends_with(ending)) return false;
  }
  return true;
}

// A box as the page is looked at.
PdfiumRect turned(PdfiumRect box, int quarter_turns) {
  switch (quarter_turns & 3) {
    case 1:
      return {box.bottom, -box.left, box.top, -box.right};
    case 2:
      return {-box.right, -box.bottom, -box.left, -box.top};
    case 3:
      return {-box.top, box.right, -box.bottom, box.left};
    default:
      return box;
  }
}

// Reads the characters of one page and cuts them to segments.
class PageReader {
 public:
  PageReader(const Pdfium& api, PdfiumTextPage* text, int rotation, PdfiumRect bounds, PageText& page)
      : api_(api), text_(text), rotation_(rotation), bounds_(bounds), page_(page) {}

  void run(std::size_t max_bytes) {
    const int count = api_.character_count(text_);
    find_direction(count);
    std::size_t bytes = 0;
    for (int i = 0; i < count && bytes < max_bytes; ++i) {
      char32_t value = api_.character(text_, i);
      if (value >= 0xD800 && value <= 0xDBFF && i + 1 < count) {
        const char32_t low = api_.character(text_, i + 1);
        if (low >= 0xDC00 && low <= 0xDFFF) {
          value = 0x10000 + ((value - 0xD800) << 10U) + (low - 0xDC00);
          ++i;
        }
      }
      bytes += 4;
      add(i, value);
    }
    close();
    close_sideways();
  }

 private:
  void add(int index, char32_t value) {
    if (value == '\r' || value == '\n') {
      close();
      space_ = true;  // between lines of sideways text; a new segment forgets it
      return;
    }
    if (value == 2 || value == 0xFFFE) value = '-';  // PDFium's sign of a hyphen at a line's end
    if (is_space(value)) {
      space_ = true;
      return;
    }
    if (value < 0x20 || value == 0x7F || value == 0xFEFF || (value >= 0x200B && value <= 0x200F)) return;
    PdfiumRect box{};
    if (api_.loose_box(text_, index, &box) == 0) return;
    if (!std::isfinite(box.left) || !std::isfinite(box.right) || !std::isfinite(box.top) ||
        !std::isfinite(box.bottom))
      return;
    box = turned(box, rotation_);
    if (box.left > box.right) std::swap(box.left, box.right);
    if (box.bottom > box.top) std::swap(box.bottom, box.top);
    if (vertical_writing_ || is_sideways(index)) {
      const bool space = space_ && !vertical_writing_;
      close();
      if (space && !sideways_.empty()) sideways_ += ' ';
      append_utf8(sideways_, value);
      return;
    }
    if (box.top - box.bottom < 0.5F) box.top = box.bottom + 0.5F;
    if (open_ && !continues(box)) close();
    if (!open_) {
      open_ = true;
      space_ = false;
      current_ = {};
      current_.left = box.left;
      current_.right = box.right;
      current_.bottom = box.bottom;
      current_.top = box.top;
      current_.bold = is_bold(index);
      boxes_.clear();
    }
    const float gap = box.left - last_.right;
    const float height = box.top - box.bottom;
    if (current_.characters > 0 && (space_ || gap > 0.25F * height)) current_.text += ' ';
    space_ = false;
    append_utf8(current_.text, value);
    ++current_.characters;
    current_.left = std::min(current_.left, box.left);
    current_.right = std::max(current_.right, box.right);
    count_box(box);
    last_ = box;
  }

  // The box that most characters share is the line's: raised marks are smaller, signs of other fonts taller.
  void count_box(const PdfiumRect& box) {
    constexpr float kSame = 0.3F;
    constexpr std::size_t kMostBoxes = 6;
    for (BoxCount& known : boxes_) {
      if (std::fabs(known.bottom - box.bottom) < kSame && std::fabs(known.top - box.top) < kSame) {
        ++known.characters;
        return;
      }
    }
    if (boxes_.size() < kMostBoxes) boxes_.push_back({box.bottom, box.top, 1});
  }

  // Most text of a page may run up or down it, whatever the page says about its rotation. Then the page is
  // turned so that it reads from left to right; letters that stand upright in columns are taken in the file's
  // order.
  void find_direction(int count) {
    constexpr int kSample = 400;
    int across = 0;
    int up = 0;
    int down = 0;
    int lying = 0;
    PdfiumRect last{};
    bool has_last = false;
    for (int i = 0; i < std::min(count, kSample); ++i) {
      PdfiumRect box{};
      if (is_space(api_.character(text_, i)) || api_.loose_box(text_, i, &box) == 0) {
        has_last = false;
        continue;
      }
      if (has_last) {
        const float dx = std::fabs((box.left + box.right) - (last.left + last.right));
        const float dy = (box.top + box.bottom) - (last.top + last.bottom);
        (dx >= std::fabs(dy) ? across : dy > 0 ? up : down) += 1;
        lying += is_lying(i) ? 1 : 0;
      }
      last = box;
      has_last = true;
    }
    const int along = up + down;
    if (along < 4 || along <= 2 * across) {
      if (rotation_ % 2 != 0 && across > along) rotation_ = 0;
      return;
    }
    if (2 * lying > along) {
      rotation_ = up > down ? 1 : 3;
      std::tie(page_.bottom, page_.top) =
          rotation_ == 1 ? std::pair(-bounds_.right, -bounds_.left) : std::pair(bounds_.left, bounds_.right);
    } else {
      vertical_writing_ = true;
    }
  }

  // A letter on its side, in the page's own directions.
  bool is_lying(int index) const {
    constexpr float kQuarterTurn = 1.57079633F;
    const float turn = api_.angle(text_, index) / kQuarterTurn;
    return std::isfinite(turn) && turn >= 0 && std::lround(turn) % 2 != 0;
  }

  // Within the same line, no wide gap, in either direction of writing.
  bool continues(const PdfiumRect& box) const {
    const float lower = std::max(0.01F, std::min(box.top - box.bottom, current_.top - current_.bottom));
    const float shared = std::min(box.top, current_.top) - std::max(box.bottom, current_.bottom);
    if (shared / lower < 0.4F) return false;
    const float gap = std::max(box.left - last_.right, last_.left - box.right);
    const float size = std::max(box.top - box.bottom, current_.top - current_.bottom);
    return gap < 1.1F * size;
  }

  bool is_sideways(int index) const { return is_lying(index) != (rotation_ % 2 != 0); }

  bool is_bold(int index) const {
    if (api_.font_weight(text_, index) >= 600) return true;
    std::array<char, 128> name{};
    int flags = 0;
    const unsigned long bytes = api_.font_info(text_, index, name.data(), name.size(), &flags);
    if (bytes == 0 || bytes > name.size()) return false;
    std::string lower = to_lower_utf8(std::string_view(name.data(), bytes - 1));
    return lower.find("bold") != std::string::npos || lower.find("black") != std::string::npos ||
           lower.find("heavy") != std::string::npos || lower.find("-medi") != std::string::npos ||
           lower.starts_with("cmbx") || lower.find("+cmbx") != std::string::npos ||
           lower.find("+sfbx") != std::string::npos || lower.find("semibold") != std::string::npos;
  }

  void close() {
    space_ = false;
    if (!open_) return;
    open_ = false;
    const auto most = std::max_element(boxes_.begin(), boxes_.end(), [](const auto& a, const auto& b) {
      return a.characters < b.characters;
    });
    if (most != boxes_.end()) {
      current_.bottom = most->bottom;
      current_.top = most->top;
    }
    current_.size = current_.top - current_.bottom;
    if (!current_.text.empty()) page_.segments.push_back(std::move(current_));
    current_ = {};
  }

  void close_sideways() {
    if (!sideways_.empty()) page_.sideways.push_back(std::exchange(sideways_, {}));
  }

  const Pdfium& api_;
  PdfiumTextPage* text_;
  int rotation_;
  PdfiumRect bounds_;  // of the page, not turned
  PageText& page_;
  Segment current_;
  PdfiumRect last_{};
  struct BoxCount {
    float bottom;
    float top;
    int characters;
  };
  std::vector<BoxCount> boxes_;
  bool open_ = false;
  bool space_ = false;
  std::string sideways_;
  bool vertical_writing_ = false;
};

// "pages 2-5 and 9", "page 3"
std::string page_list(const std::vector<int>& numbers) {
  std::vector<std::string> ranges;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t end = i;
    while (end + 1 < numbers.size() && numbers[end + 1] == numbers[end] + 1) ++end;
    std::string range = std::to_string(numbers[i]);
    if (end > i) range += "-" + std::to_string(numbers[end]);
    ranges.push_back(std::move(range));
    i = end + 1;
  }
  std::string text = numbers.size() == 1 ? "page " : "pages ";
  constexpr std::size_t kMaxRanges = 20;
  for (std::size_t i = 0; i < std::min(ranges.size(), kMaxRanges); ++i) {
    if (i > 0) text += i + 1 == ranges.size() ? " and " : ", ";
    text += ranges[i];
  }
  if (ranges.size() > kMaxRanges) text += " and more";
  return text;
}

Error cannot_open(unsigned long code, std::string_view source) {
  if (code == kPdfiumErrorPassword) {
    return Error{Kind::bad_data, std::string(source), "is encrypted and needs a password",
                 "save a copy without password (qpdf --password=... --decrypt IN.pdf OUT.pdf)"};
  }
  if (code == kPdfiumErrorSecurity) {
    return Error{Kind::bad_data, std::string(source),
                 "is encrypted in a way that the PDF reader does not know", "save a copy without encryption"};
  }
  return Error{Kind::bad_data, std::string(source), "is damaged, truncated or not really a PDF file",
               "open it in a PDF viewer and save it again, or get a fresh copy"};
}

}  // namespace

Result<Document> parse_pdf(std::string_view bytes, std::string_view source, const ReadLimits& limits,
                           const Libraries& libraries) {
  const Result<const Pdfium*> loaded = load_pdfium(libraries.pdfium);
  if (!loaded) {
    Error error = loaded.error();
    error.message = "is a PDF file, and the PDF library is not there: " + error.message;
    error.place = std::string(source);
    return error;
  }
  const Pdfium& api = **loaded;
  const std::unique_ptr<PdfiumDocument, CloseDocument> pdf(
      api.load_memory(bytes.data(), bytes.size(), nullptr), {&api});
  if (pdf == nullptr) return cannot_open(api.last_error(), source);
  const int page_count = api.page_count(pdf.get());
  if (page_count <= 0) return cannot_open(kPdfiumErrorFormat, source);
  if (page_count > limits.max_pages) {
    return Error{Kind::out_of_room, std::string(source),
                 "has " + with_thousands(static_cast<std::size_t>(page_count)) + " pages; the limit is " +
                     with_thousands(static_cast<std::size_t>(limits.max_pages)),
                 "split it (qpdf --split-pages=1000 IN.pdf OUT.pdf)"};
  }

  Document document;
  std::vector<PageText> pages(static_cast<std::size_t>(page_count));
  std::vector<int> unreadable;
  std::vector<int> without_text;
  std::size_t text_bytes = 0;
  const auto max_text = static_cast<std::size_t>(limits.max_text_bytes);
  for (int i = 0; i < page_count; ++i) {
    PageText& page = pages[static_cast<std::size_t>(i)];
    page.number = i + 1;
    const std::unique_ptr<PdfiumPage, ClosePage> handle(api.load_page(pdf.get(), i), {&api});
    if (handle == nullptr) {
      unreadable.push_back(i + 1);
      continue;
    }
    const int rotation = api.page_rotation(handle.get());
    PdfiumRect bounds{0, 792, 612, 0};
    api.page_bounds(handle.get(), &bounds);
    const PdfiumRect seen = turned(bounds, rotation);
    page.bottom = std::min(seen.bottom, seen.top);
    page.top = std::max(seen.bottom, seen.top);
    const std::unique_ptr<PdfiumTextPage, CloseText> text(api.load_text(handle.get()), {&api});
    if (text == nullptr) {
      unreadable.push_back(i + 1);
      continue;
    }
    PageReader(api, text.get(), rotation, bounds, page).run(8 * max_text);
    if (page.segments.empty() && page.sideways.empty()) without_text.push_back(i + 1);
    for (const Segment& segment : page.segments) text_bytes += segment.text.size();
    if (text_bytes > max_text) return text_too_long(source, limits);
  }

  write_pages(pages, document);
  if (!unreadable.empty()) document.notes.push_back(page_list(unreadable) + " could not be read");
  if (!without_text.empty()) {
    document.notes.push_back(page_list(without_text) + (without_text.size() == 1 ? " has no text (a scan?)"
                                                                                 : " have no text (scans?)"));
  }
  document.title = metadata(api, pdf.get(), "Title");
  if (!is_real_title(document.title)) {
    document.title.clear();
    for (const Block& block : document.blocks) {
      if (block.kind != BlockKind::heading) continue;
      if (document.page_at(block.span.start) == 1)
        document.title = std::string(slice(document.text, block.span));
      break;
    }
  }
  return document;
}

}  // namespace loam::reader
