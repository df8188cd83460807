// The one door to language models. Rooms above know these types and no model library.
// LocalEngine (local_engine.h) runs llama.cpp in process; HttpEngine and AnthropicEngine will follow behind
// the same interface (DESIGN D2).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/span.h"

namespace loam::engine {

enum class Role : std::uint8_t { system, user, assistant };

struct Message {
  Role role = Role::user;
  std::string content;
};

/// How the next token is chosen. The default is greedy, so that answers repeat.
struct Sampling {
  float temperature = 0.0F;  ///< 0 takes the most likely token
  int top_k = 40;            ///< 0: off. Used only when temperature > 0
  float top_p = 0.95F;
  float min_p = 0.05F;
  float repeat_penalty = 1.0F;
  std::uint32_t seed = 0;  ///< same seed, prompt, machine and number of threads give the same tokens
};

struct GenerateRequest {
  std::vector<Message> messages;  ///< rendered with the model's chat template
  std::string raw_prompt;         ///< used as it is when `messages` is empty
  int max_tokens = 256;
  Sampling sampling;
  std::vector<std::string> stop;  ///< text that ends the answer; not part of it
  std::string grammar;            ///< GBNF; at most one of grammar and json_schema
  std::string json_schema;        ///< the answer is constrained to this schema
  int top_alternatives = 0;       ///< for each step, report the N most likely next tokens
};

/// One candidate for the next token.
struct Alternative {
  std::int32_t token = 0;
  std::string text;
  float probability = 0;
};

/// One generated token with what else was likely (if asked for).
struct Step {
  std::int32_t token = 0;
  std::string text;  ///< bytes of this token; may be part of a code point
  float probability = 0;
  std::vector<Alternative> alternatives;  ///< best first
};

enum class FinishReason : std::uint8_t { stop, length, cancelled };

struct Usage {
  int prompt_tokens = 0;
  int reused_tokens = 0;  ///< prompt tokens that were already in the cache
  int answer_tokens = 0;
  double prefill_ms = 0;
  double decode_ms = 0;
  double first_token_ms = 0;  ///< from the call to the first token
};

struct Draft {
  std::string text;
  FinishReason finish = FinishReason::stop;
  std::vector<Step> steps;  ///< filled only when top_alternatives > 0
  Usage usage;
};

/// How likely a model finds given continuations of one prompt.
struct ScoreRequest {
  std::vector<Message> messages;           ///< rendered with the chat template, up to where the answer begins
  std::string raw_prompt;                  ///< used as it is when `messages` is empty; may be empty too
  std::vector<std::string> continuations;  ///< control tokens in them are plain text
};

struct ContinuationScore {
  double log_probability = 0;  ///< natural; sum over the continuation's tokens, given the prompt
  int tokens = 0;              ///< of the continuation
  bool greedy = false;         ///< greedy decoding would have written exactly this
};

/// Called with each piece of the answer, always valid UTF-8. Return false to stop.
using TextSink = std::function<bool(std::string_view piece)>;

/// A chat model. One call at a time per object; different objects may run on different threads.
class Engine {
 public:
  virtual ~Engine() = default;

  /// Name people know the model by, e.g. "smollm2-135m-instruct".
  virtual const std::string& model_name() const = 0;
  /// Tokens that prompt and answer share.
  virtual int context_tokens() const = 0;
  /// Tokens of plain text, no template.
  virtual Result<int> count_tokens(std::string_view text) = 0;
  /// Tokens of the whole rendered chat, as `generate` would send it.
  virtual Result<int> count_tokens(const std::vector<Message>& messages) = 0;
  /// The final prompt text, for `--show-prompt`.
  virtual Result<std::string> render(const std::vector<Message>& messages) = 0;
  /// Fails with out_of_room, naming both numbers, when prompt + max_tokens exceed the context: a prompt is
  /// never cut. Cancelling through `stop` gives the text so far with FinishReason::cancelled.
  virtual Result<Draft> generate(const GenerateRequest& request, const TextSink& sink = {},
                                 std::stop_token stop = {}) = 0;
  /// Log-probability of each continuation after the prompt, in the order given. Which tokens count follows
  /// lm-evaluation-harness: white space at the end of a raw prompt moves to the front of the continuation (a
  /// chat template's own end stays); prompt and continuation are made into tokens together, and the
  /// continuation's are those beyond as many as the prompt has alone. Where text melts into the prompt's last
  /// token and none is left, the continuation is made into tokens on its own. After an empty prompt the
  /// model's first token is taken as given (BOS, else EOS).
  /// Fails with out_of_room, naming both numbers, when prompt and a continuation exceed the context (the last
  /// token is looked up, never read); with bad_request for an empty continuation or text that is not UTF-8;
  /// with unavailable when stopped, and always where the engine cannot tell log-probabilities.
  virtual Result<std::vector<ContinuationScore>> score(const ScoreRequest& request,
                                                       std::stop_token stop = {}) {
    (void)request;
    (void)stop;
    return Error{Kind::unavailable, model_name(), "this engine gives no log-probabilities",
                 "use a local model"};
  }
};

/// Turns text into vectors of unit length. One call at a time per object.
class Embedder {
 public:
  virtual ~Embedder() = default;
  virtual const std::string& model_name() const = 0;
  /// Changes whenever the vectors would: model file hash and pooling. Stored with a collection.
  virtual const std::string& fingerprint() const = 0;
  virtual int dimensions() const = 0;
  /// Longest text it was trained on, in tokens with its special tokens (256 for all-MiniLM-L6-v2).
  virtual int max_tokens() const = 0;
  /// Tokens with the embedder's own tokenizer, special tokens included.
  virtual Result<int> count_tokens(std::string_view text) = 0;
  /// (texts.size(), dimensions()) row-major, each row of unit length. A text longer than max_tokens() is an
  /// error (out_of_room), never cut.
  virtual Result<std::vector<float>> embed(std::span<const std::string> texts) = 0;
};

/// Says how well passages answer a question, by reading both together. One call at a time per object.
class Reranker {
 public:
  virtual ~Reranker() = default;
  /// The adapter's name, or the model's where there is none.
  virtual const std::string& model_name() const = 0;
  /// Changes whenever the scores would.
  virtual const std::string& fingerprint() const = 0;
  /// One score for each passage, in their order: the log-odds that it answers the question, as far as the
  /// training goes. A passage longer than the model reads at once is read in overlapping windows, and its
  /// best one counts. bad_request for a question that leaves no room for a passage. No passages: no scores.
  virtual Result<std::vector<float>> score(std::string_view question,
                                           std::span<const std::string> passages) = 0;
};

/// A passage as a reader gets it.
struct PassageToRead {
  std::string text;
  std::size_t answers_from = 0;  ///< what stands before this byte (a heading) is read and never the answer
};

/// A possible answer, word for word.
struct AnswerSpan {
  Span span;        ///< bytes of PassageToRead::text
  float score = 0;  ///< log-odds against "no answer here": above 0 the reader would rather say this
};

/// Finds the words of a passage that answer a question. One call at a time per object.
class SpanReader {
 public:
  virtual ~SpanReader() = default;
  /// The adapter's name.
  virtual const std::string& model_name() const = 0;
  /// Changes whenever the spans would.
  virtual const std::string& fingerprint() const = 0;
  /// For each passage its best spans, best first, at most `most` of them and none inside another; empty only
  /// for a passage without text. Spans start and end at tokens of the model. Long passages are read in
  /// overlapping windows. bad_request for a question that leaves no room for a passage.
  virtual Result<std::vector<std::vector<AnswerSpan>>> read(std::string_view question,
                                                            std::span<const PassageToRead> passages,
                                                            int most = 8) = 0;
};

}  // namespace loam::engine
