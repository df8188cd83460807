// HTML to reading text: gumbo builds the tree (WHATWG parsing rules), one iterative walk writes the blocks.
// Scripts, styles, navigation and hidden parts are left out.
#include <gumbo.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <csetjmp>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "reader/formats.h"
#include "reader/text.h"

namespace loam::reader {
namespace {

// gumbo's cost per tag grows with the depth, and its own clean-up recurses. Pages for people stay under 100.
constexpr int kMaxDepth = 2000;
constexpr std::size_t kArenaPieceBytes = 1U << 20U;
constexpr int kMaxListLevel = 10;

// All of gumbo's memory. It is given back as a whole, so that gumbo's recursive clean-up is never needed;
// when the limit is reached, it jumps out of the parser, which holds nothing else.
class Arena {
 public:
  explicit Arena(std::size_t limit_bytes) : left_bytes_(limit_bytes) {}

  static void* allocate(void* self, std::size_t size) { return static_cast<Arena*>(self)->take(size); }
  static void release(void*, void*) {}

  std::jmp_buf out_of_room{};

 private:
  void* take(std::size_t size) {
    size = (size + 15U) & ~std::size_t{15};
    if (size > room_) {
      const std::size_t piece = std::max(size, kArenaPieceBytes);
      if (piece > left_bytes_) std::longjmp(out_of_room, 1);
      left_bytes_ -= piece;
      char* memory = static_cast<char*>(std::malloc(piece));
      if (memory == nullptr) std::longjmp(out_of_room, 1);
      pieces_.emplace_back(memory, &std::free);
      next_ = memory;
      room_ = piece;
    }
    void* result = next_;
    next_ += size;
    room_ -= size;
    return result;
  }

  std::vector<std::unique_ptr<char, void (*)(void*)>> pieces_;
  char* next_ = nullptr;
  std::size_t room_ = 0;
  std::size_t left_bytes_;
};

// Null when the arena is used up. Apart from its arguments it owns nothing, so that the jump skips nothing.
const GumboOutput* run_gumbo(std::string_view text, Arena& arena) {
  GumboOptions options = kGumboDefaultOptions;
  options.allocator = &Arena::allocate;
  options.deallocator = &Arena::release;
  options.userdata = &arena;
  options.max_errors = 0;
  if (setjmp(arena.out_of_room) != 0) return nullptr;
  return gumbo_parse_with_options(&options, text.data(), text.size());
}

bool equals_ignoring_case(std::string_view a, std::string_view lower) {
  return a.size() == lower.size() && std::equal(a.begin(), a.end(), lower.begin(), [](char x, char y) {
           return std::tolower(static_cast<unsigned char>(x)) == static_cast<unsigned char>(y);
         });
}

template <std::size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view other) { return equals_ignoring_case(name, other); });
}

// Depth that a plain count of tags gives. Elements whose end tag may be left out, and void ones, do not
// count.
int nesting_estimate(std::string_view html) {
  using namespace std::string_view_literals;
  static constexpr std::array kUncounted = {
      "p"sv,     "li"sv,    "dt"sv,     "dd"sv,    "td"sv,       "th"sv,   "tr"sv,   "thead"sv,
      "tbody"sv, "tfoot"sv, "option"sv, "rp"sv,    "rt"sv,       "br"sv,   "hr"sv,   "img"sv,
      "input"sv, "meta"sv,  "link"sv,   "col"sv,   "colgroup"sv, "area"sv, "base"sv, "wbr"sv,
      "embed"sv, "param"sv, "source"sv, "track"sv, "html"sv,     "head"sv, "body"sv, "optgroup"sv};
  static constexpr std::array kRaw = {"script"sv, "style"sv, "textarea"sv, "title"sv, "xmp"sv};
  int depth = 0;
  int deepest = 0;
  for (std::size_t i = html.find('<'); i != std::string_view::npos; i = html.find('<', i)) {
    if (html.substr(i, 4) == "<!--") {
      const std::size_t end = html.find("-->", i + 4);
      if (end == std::string_view::npos) break;
      i = end + 3;
      continue;
    }
    const bool closing = i + 1 < html.size() && html[i + 1] == '/';
    const std::size_t start = i + (closing ? 2 : 1);
    std::size_t end = start;
    while (end < html.size() && end - start < 32 && std::isalnum(static_cast<unsigned char>(html[end])) != 0)
      ++end;
    const std::string_view name = html.substr(start, end - start);
    i = std::max(end, i + 1);
    if (name.empty() || is_one_of(name, kUncounted)) continue;
    if (!closing && is_one_of(name, kRaw)) {
      std::size_t close = html.find("</", i);
      while (close != std::string_view::npos &&
             !equals_ignoring_case(html.substr(close + 2, name.size()), std::string(name))) {
        close = html.find("</", close + 2);
      }
      if (close == std::string_view::npos) break;
      i = close + 2;
      continue;
    }
    depth = closing ? std::max(0, depth - 1) : depth + 1;
    deepest = std::max(deepest, depth);
  }
  return deepest;
}

std::string_view attribute(const GumboElement& element, const char* name) {
  const GumboAttribute* found = gumbo_get_attribute(&element.attributes, name);
  return found == nullptr ? std::string_view{} : std::string_view{found->value};
}

bool has_attribute(const GumboElement& element, const char* name) {
  return gumbo_get_attribute(&element.attributes, name) != nullptr;
}

bool is_never_text(GumboTag tag) {
  switch (tag) {
    case GUMBO_TAG_SCRIPT:
    case GUMBO_TAG_STYLE:
    case GUMBO_TAG_NOSCRIPT:
    case GUMBO_TAG_TEMPLATE:
    case GUMBO_TAG_NAV:
    case GUMBO_TAG_SVG:
    case GUMBO_TAG_IFRAME:
    case GUMBO_TAG_OBJECT:
    case GUMBO_TAG_CANVAS:
    case GUMBO_TAG_AUDIO:
    case GUMBO_TAG_VIDEO:
    case GUMBO_TAG_SELECT:
    case GUMBO_TAG_BUTTON:
    case GUMBO_TAG_INPUT:
    case GUMBO_TAG_TEXTAREA:
    case GUMBO_TAG_HEAD:
      return true;
    default:
      return false;
  }
}

bool is_inline(GumboTag tag) {
  switch (tag) {
    case GUMBO_TAG_A:
    case GUMBO_TAG_ABBR:
    case GUMBO_TAG_ACRONYM:
    case GUMBO_TAG_B:
    case GUMBO_TAG_BDI:
    case GUMBO_TAG_BDO:
    case GUMBO_TAG_BIG:
    case GUMBO_TAG_CITE:
    case GUMBO_TAG_CODE:
    case GUMBO_TAG_DATA:
    case GUMBO_TAG_DEL:
    case GUMBO_TAG_DFN:
    case GUMBO_TAG_EM:
    case GUMBO_TAG_FONT:
    case GUMBO_TAG_I:
    case GUMBO_TAG_IMG:
    case GUMBO_TAG_INS:
    case GUMBO_TAG_KBD:
    case GUMBO_TAG_LABEL:
    case GUMBO_TAG_MARK:
    case GUMBO_TAG_MATH:
    case GUMBO_TAG_NOBR:
    case GUMBO_TAG_Q:
    case GUMBO_TAG_RB:
    case GUMBO_TAG_RP:
    case GUMBO_TAG_RT:
    case GUMBO_TAG_RUBY:
    case GUMBO_TAG_S:
    case GUMBO_TAG_SAMP:
    case GUMBO_TAG_SMALL:
    case GUMBO_TAG_SPAN:
    case GUMBO_TAG_STRIKE:
    case GUMBO_TAG_STRONG:
    case GUMBO_TAG_SUB:
    case GUMBO_TAG_SUP:
    case GUMBO_TAG_TIME:
    case GUMBO_TAG_TT:
    case GUMBO_TAG_U:
    case GUMBO_TAG_VAR:
    case GUMBO_TAG_WBR:
      return true;
    default:
      return false;
  }
}

int heading_level(GumboTag tag) {
  if (tag < GUMBO_TAG_H1 || tag > GUMBO_TAG_H6) return 0;
  return static_cast<int>(tag) - static_cast<int>(GUMBO_TAG_H1) + 1;
}

enum class Skip { no, never_text, hidden };

Skip skip_of(const GumboElement& element) {
  if (is_never_text(element.tag)) return Skip::never_text;
  if (has_attribute(element, "hidden")) return Skip::hidden;
  if (equals_ignoring_case(attribute(element, "role"), "navigation")) return Skip::never_text;
  if (equals_ignoring_case(attribute(element, "aria-hidden"), "true")) return Skip::never_text;
  if (attribute(element, "class") == "headerlink")
    return Skip::never_text;  // Sphinx's pilcrow beside headings
  std::string style;
  for (const char c : attribute(element, "style").substr(0, 1000)) {
    if (std::isspace(static_cast<unsigned char>(c)) == 0)
      style += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  const bool hidden =
      style.find("display:none") != std::string::npos || style.find("visibility:hidden") != std::string::npos;
  return hidden ? Skip::hidden : Skip::no;
}

// Writes text and blocks; collapses white space as a browser does.
class BlockWriter {
 public:
  explicit BlockWriter(Document& document) : document_(document) {}

  void set_kind(BlockKind kind, int level) {
    kind_ = kind;
    level_ = level;
  }
  void set_marker(std::string marker) { marker_ = std::move(marker); }
  void drop_marker() { marker_.clear(); }

  void end_block() {
    space_ = false;
    if (!open_) return;
    open_ = false;
    std::string& text = document_.text;
    const Span span = trimmed(text, {start_, text.size()});
    text.resize(std::max(span.end, start_));
    if (!span.empty()) document_.blocks.push_back({block_kind_, block_level_, span});
    if (span.empty()) text.resize(before_);
  }

  void collapsed(std::string_view piece) {
    while (!piece.empty()) {
      const CodePoint point = decode_utf8(piece);
      if (is_space(point.value)) {
        space_ = true;
      } else {
        begin();
        if (space_ && document_.text.size() > start_ && document_.text.back() != '\n') document_.text += ' ';
        space_ = false;
        append_utf8(document_.text, point.value);
      }
      piece.remove_prefix(point.size);
    }
  }

  void verbatim(std::string_view piece) {
    if (!open_ && is_blank(piece)) return;
    begin();
    for (const char c : piece) document_.text += c == '\r' ? '\n' : c;
  }

  void line_break() {
    if (open_) document_.text += '\n';
    space_ = false;
  }
  void space() { space_ = true; }

  void cell_border() {
    space_ = false;
    if (open_) pending_border_ = true;
  }

 private:
  void begin() {
    if (!open_) {
      open_ = true;
      pending_border_ = false;
      std::string& text = document_.text;
      before_ = text.size();
      if (!document_.blocks.empty()) {
        const BlockKind last = document_.blocks.back().kind;
        const bool tight = last == kind_ && (kind_ == BlockKind::list_item || kind_ == BlockKind::table_row);
        text += tight ? "\n" : "\n\n";
      }
      start_ = text.size();
      block_kind_ = kind_;
      block_level_ = level_;
      text += marker_;
      marker_.clear();
    } else if (pending_border_) {
      pending_border_ = false;
      space_ = false;
      document_.text += " | ";
    }
  }

  Document& document_;
  BlockKind kind_ = BlockKind::paragraph;
  int level_ = 0;
  std::string marker_;
  bool open_ = false;
  BlockKind block_kind_ = BlockKind::paragraph;
  int block_level_ = 0;
  std::size_t start_ = 0;
  std::size_t before_ = 0;
  bool space_ = false;
  bool pending_border_ = false;
};

struct Context {
  BlockKind kind = BlockKind::paragraph;
  int level = 0;
  int list_level = 0;
  bool preformatted = false;
  bool in_row = false;
};

struct Frame {
  const GumboNode* node = nullptr;
  unsigned next_child = 0;
  Context context;
  int list_number = 0;  // next number of an ordered list; 0: bullets
  bool is_block = false;
};

const GumboVector* children_of(const GumboNode& node) {
  if (node.type == GUMBO_NODE_DOCUMENT) return &node.v.document.children;
  if (node.type == GUMBO_NODE_ELEMENT || node.type == GUMBO_NODE_TEMPLATE) return &node.v.element.children;
  return nullptr;
}

// Tables that hold other tables or headings arrange the page; their cells are read as plain blocks.
std::unordered_set<const GumboNode*> layout_tables(const GumboNode& root) {
  std::unordered_set<const GumboNode*> found;
  struct Step {
    const GumboNode* node;
    unsigned next;
  };
  std::vector<Step> path{{&root, 0}};
  std::vector<const GumboNode*> tables;
  while (!path.empty()) {
    Step& step = path.back();
    const GumboVector* children = children_of(*step.node);
    if (children == nullptr || step.next >= children->length) {
      if (!tables.empty() && tables.back() == step.node) tables.pop_back();
      path.pop_back();
      continue;
    }
    const auto* child = static_cast<const GumboNode*>(children->data[step.next++]);
    if (children_of(*child) == nullptr) continue;
    const GumboTag tag = child->v.element.tag;
    const bool is_table = tag == GUMBO_TAG_TABLE;
    if (!tables.empty() && (is_table || heading_level(tag) > 0)) found.insert(tables.back());
    if (is_table) tables.push_back(child);
    path.push_back({child, 0});
  }
  return found;
}

// A list of many short links and nothing else is a menu, whatever element it stands in.
bool is_menu(const GumboNode& list) {
  constexpr std::size_t kMinItems = 10;
  constexpr std::size_t kMostBytesPerItem = 30;
  constexpr std::size_t kMostNodes = 20'000;
  std::vector<std::pair<const GumboNode*, bool>> todo{{&list, false}};
  std::size_t items = 0;
  std::size_t linked = 0;
  std::size_t plain = 0;
  for (std::size_t nodes = 0; !todo.empty(); ++nodes) {
    if (nodes > kMostNodes) return false;
    const auto [node, in_link] = todo.back();
    todo.pop_back();
    if (node->type == GUMBO_NODE_TEXT) {
      (in_link ? linked : plain) += trimmed(std::string_view(node->v.text.text)).size();
      if (plain > 40 && plain * 20 > linked) return false;
    }
    if (node->type != GUMBO_NODE_ELEMENT) continue;
    const GumboElement& element = node->v.element;
    if (is_never_text(element.tag)) continue;
    if (element.tag == GUMBO_TAG_LI) ++items;
    const bool link = in_link || element.tag == GUMBO_TAG_A;
    for (unsigned i = 0; i < element.children.length; ++i) {
      todo.emplace_back(static_cast<const GumboNode*>(element.children.data[i]), link);
    }
  }
  return items >= kMinItems && plain * 20 <= linked && linked <= items * kMostBytesPerItem;
}

class Walker {
 public:
  Walker(Document& document, const ReadLimits& limits)
      : document_(document), writer_(document), limits_(limits) {}

  // False: a limit is reached.
  bool walk(const GumboNode& root) {
    layout_ = layout_tables(root);
    frames_.push_back({&root, 0, {}, 0, false});
    while (!frames_.empty()) {
      Frame& frame = frames_.back();
      const GumboVector* children = children_of(*frame.node);
      if (children == nullptr || frame.next_child >= children->length) {
        leave();
        continue;
      }
      visit(*static_cast<const GumboNode*>(children->data[frame.next_child++]));
      if (document_.text.size() > static_cast<std::size_t>(limits_.max_text_bytes)) return false;
    }
    writer_.end_block();
    return true;
  }

  std::size_t hidden_parts() const { return hidden_parts_; }
  std::size_t menus() const { return menus_; }

 private:
  void leave() {
    const Frame frame = frames_.back();
    frames_.pop_back();
    if (frame.is_block) writer_.end_block();
    if (frame.node->type == GUMBO_NODE_ELEMENT && frame.node->v.element.tag == GUMBO_TAG_LI)
      writer_.drop_marker();
    if (!frames_.empty()) {
      const Context& context = frames_.back().context;
      writer_.set_kind(context.kind, context.level);
    }
  }

  void visit(const GumboNode& node) {
    const Context& context = frames_.back().context;
    switch (node.type) {
      case GUMBO_NODE_TEXT:
      case GUMBO_NODE_CDATA:
      case GUMBO_NODE_WHITESPACE:
        if (context.preformatted) {
          writer_.verbatim(node.v.text.text);
        } else {
          writer_.collapsed(node.v.text.text);
        }
        return;
      case GUMBO_NODE_ELEMENT:
        enter(node);
        return;
      default:
        return;
    }
  }

  void enter(const GumboNode& node) {
    const GumboElement& element = node.v.element;
    if (const Skip skip = skip_of(element); skip != Skip::no) {
      if (skip == Skip::hidden) ++hidden_parts_;
      return;
    }
    const bool outer_list = (element.tag == GUMBO_TAG_UL || element.tag == GUMBO_TAG_OL) &&
                            frames_.back().context.list_level == 0;
    if (outer_list && is_menu(node)) {
      ++menus_;
      return;
    }
    Frame frame{&node, 0, frames_.back().context, 0, false};
    Context& context = frame.context;
    switch (element.tag) {
      case GUMBO_TAG_BR:
        if (context.in_row || context.kind == BlockKind::heading) {
          writer_.space();
        } else {
          writer_.line_break();
        }
        return;
      case GUMBO_TAG_TD:
      case GUMBO_TAG_TH:
        if (context.in_row) {
          writer_.cell_border();
        } else {
          frame.is_block = true;
        }
        break;
      case GUMBO_TAG_TABLE:
        frame.is_block = !context.in_row;
        break;
      case GUMBO_TAG_TR:
        if (!context.in_row) {
          frame.is_block = true;
          if (!layout_.contains(table_of_row())) {
            context.in_row = true;
            context.kind = BlockKind::table_row;
            context.level = 0;
          }
        }
        break;
      default:
        if (context.in_row) {
          if (!is_inline(element.tag)) writer_.space();  // a row stays one block
          break;
        }
        if (!is_inline(element.tag)) {
          frame.is_block = true;
          start_block(element, frame);
        }
        break;
    }
    if (frame.is_block) writer_.end_block();
    if (element.tag == GUMBO_TAG_LI && !frame.context.in_row) writer_.set_marker(next_marker());
    writer_.set_kind(context.kind, context.level);
    frames_.push_back(std::move(frame));
  }

  static void start_block(const GumboElement& element, Frame& frame) {
    Context& context = frame.context;
    switch (element.tag) {
      case GUMBO_TAG_UL:
      case GUMBO_TAG_OL:
      case GUMBO_TAG_DL:
        context.list_level = std::min(context.list_level + 1, kMaxListLevel);
        if (element.tag == GUMBO_TAG_OL) {
          const std::string start(attribute(element, "start").substr(0, 9));
          frame.list_number = start.empty() ? 1 : std::max(0, std::atoi(start.c_str()));
        }
        break;
      case GUMBO_TAG_LI:
      case GUMBO_TAG_DT:
      case GUMBO_TAG_DD:
        context.kind = BlockKind::list_item;
        context.level = std::max(1, context.list_level);
        break;
      case GUMBO_TAG_PRE:
      case GUMBO_TAG_LISTING:
      case GUMBO_TAG_XMP:
        context.kind = BlockKind::code;
        context.level = 0;
        context.preformatted = true;
        break;
      case GUMBO_TAG_BLOCKQUOTE:
        context.kind = BlockKind::quote;
        context.level = 0;
        break;
      default:
        if (const int level = heading_level(element.tag); level > 0) {
          context.kind = BlockKind::heading;
          context.level = level;
        }
        break;
    }
  }

  std::string next_marker() {
    Frame& list = frames_.back();
    if (list.node->type != GUMBO_NODE_ELEMENT || list.node->v.element.tag != GUMBO_TAG_OL) return "- ";
    return std::to_string(list.list_number++) + ". ";
  }

  const GumboNode* table_of_row() const {
    for (auto frame = frames_.rbegin(); frame != frames_.rend(); ++frame) {
      if (frame->node->type == GUMBO_NODE_ELEMENT && frame->node->v.element.tag == GUMBO_TAG_TABLE)
        return frame->node;
    }
    return nullptr;
  }

  Document& document_;
  BlockWriter writer_;
  const ReadLimits& limits_;
  std::vector<Frame> frames_;
  std::unordered_set<const GumboNode*> layout_;
  std::size_t hidden_parts_ = 0;
  std::size_t menus_ = 0;
};

std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : trimmed(text)) {
    const bool space = c == '\n' || c == '\t' || c == '\r' || c == ' ';
    if (!space) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  return out;
}

// The <title> of the head; gumbo keeps its text as the element's only child.
std::string title_of(const GumboNode& root) {
  const GumboVector* top = children_of(root);
  for (unsigned i = 0; top != nullptr && i < top->length; ++i) {
    const auto* head = static_cast<const GumboNode*>(top->data[i]);
    if (head->type != GUMBO_NODE_ELEMENT || head->v.element.tag != GUMBO_TAG_HEAD) continue;
    for (unsigned k = 0; k < head->v.element.children.length; ++k) {
      const auto* node = static_cast<const GumboNode*>(head->v.element.children.data[k]);
      if (node->type != GUMBO_NODE_ELEMENT || node->v.element.tag != GUMBO_TAG_TITLE) continue;
      if (node->v.element.children.length == 0) return {};
      const auto* text = static_cast<const GumboNode*>(node->v.element.children.data[0]);
      if (text->type == GUMBO_NODE_TEXT || text->type == GUMBO_NODE_WHITESPACE)
        return one_line(text->v.text.text);
    }
  }
  return {};
}

}  // namespace

Result<Document> parse_html(std::string_view bytes, std::string_view source, const ReadLimits& limits) {
  ReadLimits input_limits = limits;  // mark-up may be much longer than its text
  input_limits.max_text_bytes = std::max(limits.max_text_bytes, limits.max_file_bytes);
  Result<DecodedText> decoded = decode_text(bytes, source, input_limits, LongLines::accept);
  if (!decoded) return decoded.error();
  if (nesting_estimate(decoded->text) > kMaxDepth) {
    return Error{Kind::bad_data, std::string(source),
                 "its elements are nested more than " + with_thousands(kMaxDepth) + " levels deep",
                 "this is not a page for people; leave it out, or save its text as .txt"};
  }
  Arena arena(static_cast<std::size_t>(limits.memory_bytes) / 2);
  const GumboOutput* output = run_gumbo(decoded->text, arena);
  if (output == nullptr) {
    return Error{Kind::out_of_room, std::string(source),
                 "its mark-up needs more memory than the reader may use",
                 "split the page, or save its text as .txt"};
  }
  Document document;
  document.notes = std::move(decoded->notes);
  Walker walker(document, limits);
  if (!walker.walk(*output->root)) return text_too_long(source, limits);
  document.title = title_of(*output->root);
  if (document.title.empty()) {
    for (const Block& block : document.blocks) {
      if (block.kind != BlockKind::heading) continue;
      document.title = one_line(slice(document.text, block.span));
      break;
    }
  }
  if (walker.hidden_parts() > 0) {
    document.notes.push_back(with_thousands(walker.hidden_parts()) +
                             (walker.hidden_parts() == 1 ? " hidden part was" : " hidden parts were") +
                             " left out");
  }
  if (walker.menus() > 0) {
    document.notes.push_back(with_thousands(walker.menus()) + (walker.menus() == 1 ? " list" : " lists") +
                             " of links (menus) left out");
  }
  return document;
}

}  // namespace loam::reader
