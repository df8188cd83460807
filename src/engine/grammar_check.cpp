// check_grammar: a reader of GBNF (llama.cpp's grammars/README.md) that builds nothing. llama.cpp's own
// parser recurses without a limit, writes repetitions out without one, never ends on {3,1}, and prints to
// stderr.
#include <set>
#include <string>

#include "engine/constraint.h"

namespace loam::engine {
namespace {

constexpr int kMostGrammarRepetitions = 2000;  // llama.cpp's MAX_REPETITION_THRESHOLD

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

class GrammarReader {
 public:
  explicit GrammarReader(std::string_view text) : text_(text) {}

  Result<void> run() {
    skip_space(true);
    while (at_ < text_.size() && failure_.empty()) {
      rule();
    }
    if (failure_.empty()) {
      for (const std::string& name : used_) {
        if (!defined_.contains(name)) {
          return refuse("grammar", "the rule \"" + name.substr(0, 100) + "\" is used and not defined");
        }
      }
      if (!defined_.contains("root")) {
        return refuse("grammar", "there is no rule named root");
      }
      return done();
    }
    int line = 1;
    for (std::size_t i = 0; i < std::min(at_, text_.size()); ++i) {
      line += text_[i] == '\n' ? 1 : 0;
    }
    return refuse("grammar line " + std::to_string(line), failure_);
  }

 private:
  static Result<void> refuse(std::string place, std::string message) {
    return Error{Kind::bad_request, std::move(place), std::move(message),
                 "see llama.cpp's grammars/README.md for the notation"};
  }

  void fail(std::string message) {
    if (failure_.empty()) {
      failure_ = std::move(message);
    }
  }
  bool failed() const { return !failure_.empty(); }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  void skip_space(bool lines) {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n' && text_[at_] != '\r') {
          ++at_;
        }
      } else if (c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r'))) {
        ++at_;
      } else {
        return;
      }
    }
  }

  std::string name() {
    const std::size_t start = at_;
    while (is_name(peek())) {
      ++at_;
    }
    return std::string(text_.substr(start, at_ - start));
  }

  void rule() {
    const std::string rule_name = name();
    if (rule_name.empty()) {
      return fail("a rule's name is expected");
    }
    skip_space(false);
    if (text_.substr(at_, 3) != "::=") {
      return fail("::= is expected after the name \"" + rule_name.substr(0, 100) + "\"");
    }
    at_ += 3;
    defined_.insert(rule_name);
    if (defined_.size() > static_cast<std::size_t>(kMostGrammarRules)) {
      return fail("more than " + std::to_string(kMostGrammarRules) + " rules");
    }
    skip_space(true);
    alternatives(0);
    if (failed()) {
      return;
    }
    if (at_ < text_.size() && peek() != '\n' && peek() != '\r') {
      return fail(peek() == ')' ? "a ) without its (" : "the end of the line is expected");
    }
    skip_space(true);
  }

  void alternatives(int depth) {
    sequence(depth);
    while (!failed() && peek() == '|') {
      ++at_;
      skip_space(true);
      sequence(depth);
    }
  }

  /// Spends `count` of the budget of elements that llama.cpp would build.
  void spend(std::uint64_t count) {
    elements_ += count;
    if (elements_ > kMostGrammarElements) {
      fail("it grows to more than " + std::to_string(kMostGrammarElements) + " elements");
    }
  }

  void sequence(int depth) {
    std::uint64_t last = 0;  // elements of the symbol before a repetition; 0: there is none
    while (!failed() && at_ < text_.size()) {
      const char c = peek();
      if (c == '"') {
        last = literal();
      } else if (c == '[') {
        last = character_class();
      } else if (c == '<' || c == '!') {
        last = token();
      } else if (is_name(c)) {
        used_.insert(name());
        last = 1;
      } else if (c == '(') {
        if (depth >= kDeepestGrammarGroup) {
          return fail("groups nested deeper than " + std::to_string(kDeepestGrammarGroup));
        }
        ++at_;
        skip_space(true);
        alternatives(depth + 1);
        if (failed()) {
          return;
        }
        if (peek() != ')') {
          return fail("a ( without its )");
        }
        ++at_;
        last = 1;
      } else if (c == '.') {
        ++at_;
        last = 1;
      } else if (c == '*' || c == '+' || c == '?' || c == '{') {
        if (last == 0) {
          return fail(std::string(1, c) + " without something to repeat");
        }
        repetition(last);
        last = 1;
      } else {
        return;
      }
      spend(last);
      skip_space(depth > 0);
    }
  }

  /// One character, escaped or not, inside quotes or brackets.
  void character() {
    if (peek() != '\\') {
      ++at_;
      return;
    }
    const char kind = peek(1);
    const std::size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    if (digits == 0 && std::string_view("trn\\\"[]-").find(kind) == std::string_view::npos) {
      return fail("an unknown escape");
    }
    for (std::size_t i = 0; i < digits; ++i) {
      if (!is_hex(peek(2 + i))) {
        return fail("an escape with too few hexadecimal digits");
      }
    }
    at_ += 2 + digits;
  }

  std::uint64_t literal() {
    std::uint64_t count = 0;
    for (++at_; !failed() && peek() != '"'; ++count) {
      if (at_ >= text_.size()) {
        fail("a \" without its \"");
        return 1;
      }
      character();
    }
    ++at_;
    return count;
  }

  std::uint64_t character_class() {
    ++at_;
    if (peek() == '^') {
      ++at_;
    }
    std::uint64_t count = 0;
    while (!failed() && peek() != ']') {
      if (at_ >= text_.size()) {
        fail("a [ without its ]");
        return 1;
      }
      character();
      ++count;
    }
    ++at_;
    if (count == 0) {
      fail("an empty [ ]");
    }
    return count;
  }

  std::uint64_t token() {
    if (peek() == '!') {
      ++at_;
    }
    const std::size_t end = text_.find('>', at_);
    if (peek() != '<' || end == std::string_view::npos || end - at_ > 100) {
      fail("a < without its >");
      return 1;
    }
    at_ = end + 1;
    return 1;
  }

  int number() {
    int value = 0;
    bool any = false;
    while (is_digit(peek())) {
      value = std::min(value * 10 + (peek() - '0'), kMostGrammarRepetitions + 1);
      any = true;
      ++at_;
    }
    skip_space(false);
    return any ? value : -1;
  }

  void repetition(std::uint64_t last) {
    if (peek() != '{') {
      ++at_;
      return spend(last);
    }
    ++at_;
    skip_space(false);
    const int least = number();
    int most = least;
    if (least >= 0 && peek() == ',') {
      ++at_;
      skip_space(false);
      most = number();
      if (most < 0) {
        most = least + 1;  // without a limit: one more rule that repeats itself
      }
    }
    if (least < 0 || peek() != '}') {
      return fail("a repetition is {m}, {m,} or {m,n}");
    }
    if (most < least || most == 0 || most > kMostGrammarRepetitions) {
      return fail("a repetition needs m <= n, n from 1 to " + std::to_string(kMostGrammarRepetitions));
    }
    ++at_;
    spend(last * static_cast<std::uint64_t>(most));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::uint64_t elements_ = 0;
  std::set<std::string> defined_;
  std::set<std::string> used_;
  std::string failure_;
};

}  // namespace

Result<void> check_grammar(std::string_view gbnf) {
  if (gbnf.size() > kLargestGrammarBytes) {
    return Error{Kind::bad_request, "grammar",
                 std::to_string(gbnf.size()) + " bytes; at most " + std::to_string(kLargestGrammarBytes) +
                     " are accepted",
                 "make it smaller"};
  }
  if (gbnf.find('\0') != std::string_view::npos) {
    return Error{Kind::bad_request, "grammar", "a zero byte", "remove it"};
  }
  return GrammarReader(gbnf).run();
}

}  // namespace loam::engine
