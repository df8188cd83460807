// An encoder of the BERT family, with or without an adapter, that gives the state of every token; and the two
// things made of it: a re-ranker and a reader of spans. All run llama.cpp in this process.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/encoder_head.h"
#include "engine/engine.h"
#include "engine/local_model.h"

namespace loam::engine {

struct LocalEncoderOptions {
  int threads = 0;     ///< 0: the cores that are free at the moment (threads.h)
  int max_tokens = 0;  ///< longest sequence; 0: what the head says, else what the model has positions for
  int tokens_per_call = 0;  ///< sequences are packed up to this many tokens; 0: the default, 512
};

/// "[CLS] question [SEP] part of a passage [SEP]", ready to be read.
struct PairWindow {
  std::size_t passage = 0;    ///< index of the passage it is of
  std::vector<Token> tokens;  ///< the whole sequence
  std::size_t first = 0;      ///< index in `tokens` of the passage's first token here
  std::vector<Span> spans;    ///< of each of the passage's tokens here: bytes of the passage
};

/// One call at a time per object; objects may share a LocalModel across threads.
class LocalEncoder {
 public:
  /// `adapter` may be empty. Fails with bad_request where the model is no BERT with a WordPiece tokenizer, or
  /// the adapter was made for another model (both are named); with bad_data for a damaged adapter.
  static Result<std::unique_ptr<LocalEncoder>> open(std::shared_ptr<LocalModel> model,
                                                    const std::filesystem::path& adapter,
                                                    LocalEncoderOptions options = {},
                                                    Logger& logger = silent_logger());
  ~LocalEncoder();
  LocalEncoder(const LocalEncoder&) = delete;
  LocalEncoder& operator=(const LocalEncoder&) = delete;

  LocalModel& model();
  const EncoderHead& head() const;
  /// The adapter's file name without folder and ".gguf"; the model's where there is no adapter.
  const std::string& name() const;
  /// Changes whenever the states would: model, adapter, longest sequence.
  const std::string& fingerprint() const;
  int dimensions() const;
  int max_tokens() const;

  /// A passage that does not fit beside the question becomes overlapping windows: no token is left out.
  /// bad_request for a question that takes more than half of max_tokens(), naming both numbers.
  Result<std::vector<PairWindow>> windows(std::string_view question,
                                          std::span<const std::string_view> passages) const;

  /// What is called for each sequence with its index and its states, (tokens, dimensions()) row-major: the
  /// output of the last layer. The view ends with the call. In no particular order.
  using StatesSink = std::function<void(std::size_t sequence, std::span<const float> states)>;
  /// out_of_room for a sequence of more than max_tokens().
  Result<void> read(std::span<const std::vector<Token>> sequences, const StatesSink& sink);

 private:
  struct Impl;
  explicit LocalEncoder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

class LocalReranker final : public Reranker {
 public:
  /// bad_request when the adapter's head is no re-ranker.
  static Result<std::unique_ptr<LocalReranker>> open(std::shared_ptr<LocalModel> model,
                                                     const std::filesystem::path& adapter,
                                                     LocalEncoderOptions options = {},
                                                     Logger& logger = silent_logger());
  const std::string& model_name() const override;
  const std::string& fingerprint() const override;
  Result<std::vector<float>> score(std::string_view question, std::span<const std::string> passages) override;

 private:
  explicit LocalReranker(std::unique_ptr<LocalEncoder> encoder);
  std::unique_ptr<LocalEncoder> encoder_;
};

class LocalSpanReader final : public SpanReader {
 public:
  /// bad_request when the adapter's head is no reader.
  static Result<std::unique_ptr<LocalSpanReader>> open(std::shared_ptr<LocalModel> model,
                                                       const std::filesystem::path& adapter,
                                                       LocalEncoderOptions options = {},
                                                       Logger& logger = silent_logger());
  const std::string& model_name() const override;
  const std::string& fingerprint() const override;
  Result<std::vector<std::vector<AnswerSpan>>> read(std::string_view question,
                                                    std::span<const PassageToRead> passages,
                                                    int most = 8) override;

 private:
  explicit LocalSpanReader(std::unique_ptr<LocalEncoder> encoder);
  std::unique_ptr<LocalEncoder> encoder_;
};

}  // namespace loam::engine
