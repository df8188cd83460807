// A GGUF model file, loaded once by llama.cpp and shared: its vocabulary, its metadata, its weights.
// Nothing of llama.cpp shows through: rooms above include this and no model library.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/progress.h"
#include "base/result.h"

namespace loam::engine {

/// A number of the model's vocabulary.
using Token = std::int32_t;

/// May llama.cpp re-order the weights in memory for this CPU's instructions?
enum class Repack : std::uint8_t { on, off };

/// Load the whole model, or only what the tokenizer needs.
enum class Load : std::uint8_t { weights, vocabulary_only };

/// Does encoding add what the model expects around a text (BOS, [CLS], [SEP], ...)?
enum class AddSpecial : std::uint8_t { no, yes };

/// Is text that looks like a control token ("<|im_end|>") read as that token, or as plain text?
/// Outside text must always be read as plain text.
enum class ParseSpecial : std::uint8_t { no, yes };

struct LocalModelOptions {
  Repack repack = Repack::on;  ///< on: faster for Q4_0, Q4_K, IQ4_NL; costs a private copy of those weights
  Load load = Load::weights;   ///< vocabulary_only: opens in milliseconds, can only encode and decode
  int gpu_layers = -1;         ///< layers placed on a GPU where llama.cpp was built with one; -1: all
};

/// One token of an encoded text.
struct TokenPiece {
  Token id = 0;
  std::string bytes;        ///< what it stands for; may be part of a code point
  bool is_control = false;  ///< a marker of the model, not text
};

/// A loaded model. Immutable: any thread may call any member function. Engines share it.
class LocalModel {
 public:
  /// Fails with unavailable when the file cannot be read, with bad_data when our own check refuses it (before
  /// llama.cpp sees it) or llama.cpp cannot load it, with out_of_room when memory does not suffice.
  static Result<std::shared_ptr<LocalModel>> open(const std::filesystem::path& gguf,
                                                  LocalModelOptions options = {},
                                                  Logger& logger = silent_logger(),
                                                  const ProgressSink& progress = {});
  ~LocalModel();
  LocalModel(const LocalModel&) = delete;
  LocalModel& operator=(const LocalModel&) = delete;

  /// The file's name without folder and ".gguf": what people know the model by.
  const std::string& name() const;
  const std::filesystem::path& file() const;
  /// Changes whenever the results would: hash of the file's metadata, tensor list, size and a sample of its
  /// weights (CHOICES.md says which bytes). 64 hex digits; costs milliseconds where a full hash costs
  /// seconds.
  const std::string& fingerprint() const;
  /// base_identity() of its file: the same for all quantisations of one model. Reads the file once more, for
  /// milliseconds.
  Result<std::string> identity() const;
  /// llama.cpp's one-line description, e.g. "llama 134M Q4_1".
  const std::string& description() const;
  const std::string& architecture() const;  ///< "llama", "bert", ...
  int vocabulary_size() const;
  int trained_context_tokens() const;
  int dimensions() const;
  int layers() const;
  std::uint64_t parameters() const;
  std::uint64_t weight_bytes() const;
  /// A GGUF metadata value as text; arrays are not offered.
  std::optional<std::string> metadata(const std::string& key) const;
  /// The chat template inside the file (Jinja source), if there is one.
  std::optional<std::string> chat_template() const;

  /// Text to tokens. Fails with bad_request when the text is over 2^30 bytes.
  Result<std::vector<Token>> encode(std::string_view text, AddSpecial add_special,
                                    ParseSpecial parse_special) const;
  /// The same, each token with the bytes it stands for.
  Result<std::vector<TokenPiece>> encode_pieces(std::string_view text, AddSpecial add_special,
                                                ParseSpecial parse_special) const;
  /// Tokens to bytes. Control tokens are shown as their names. Fails with bad_request for a number outside
  /// the vocabulary. The bytes may be invalid UTF-8 when the tokens cut a code point.
  Result<std::string> decode(std::span<const Token> tokens) const;

  struct Impl;  // llama.cpp's handles; defined in llama_handles.h, for this room only
  const Impl& impl() const { return *impl_; }
  Impl& impl() { return *impl_; }

 private:
  explicit LocalModel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace loam::engine
