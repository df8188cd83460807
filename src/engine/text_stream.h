// From token bytes to text that may be shown: whole code points only, and never a piece of a stop string.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace loam::engine {

/// Takes the bytes of tokens one by one. What it gives out is valid UTF-8, ends before the first stop string,
/// and is final: a tail that could still become a stop string or a code point waits.
class TextStream {
 public:
  explicit TextStream(std::vector<std::string> stops);

  /// Text that has become final through these bytes; may be empty.
  std::string push(std::string_view bytes);
  /// The waiting tail, once no more bytes will come: an unfinished code point becomes U+FFFD.
  std::string finish();
  /// A stop string was met; nothing more comes out.
  bool stopped() const { return stopped_; }

 private:
  std::string take_final(bool at_end);

  std::vector<std::string> stops_;
  std::string bytes_;  ///< not yet a whole code point
  std::string text_;   ///< valid UTF-8 that could be the start of a stop string
  bool stopped_ = false;
};

}  // namespace loam::engine
