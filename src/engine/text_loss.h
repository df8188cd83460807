// How well does a model predict a text? Perplexity, and bits per byte, which also compares models that cut
// text into other tokens.
#pragma once

#include <cstddef>
#include <functional>
#include <stop_token>
#include <string_view>

#include "base/progress.h"
#include "base/result.h"
#include "engine/local_engine.h"

namespace loam::engine {

/// The window slides over the text. The first one scores all its tokens; each further one scores the next
/// `stride_tokens` and reads as many tokens before them as its size allows. So every token is scored exactly
/// once, each but those of the first window from at least window - stride tokens; the time grows with
/// window / stride. With stride = window it is the rolling log-likelihood of lm-evaluation-harness.
struct TextLossOptions {
  int window_tokens = 1024;  ///< read at once; at most the engine's context
  int stride_tokens = 512;   ///< 1 to window_tokens
};

struct TextLoss {
  std::size_t tokens = 0;       ///< of the text, each scored once
  std::size_t bytes = 0;        ///< of the text
  std::size_t windows = 0;      ///< that were read
  std::size_t tokens_read = 0;  ///< in all of them: what it cost
  double nats = 0;              ///< sum of -ln p over the tokens

  double nats_per_token() const;
  double perplexity() const;  ///< exp(nats_per_token())
  double bits_per_byte() const;
};

/// Called once for each token, in order: the byte at which it begins, and its -ln p.
using TokenLossSink = std::function<void(std::size_t byte, double nats)>;

/// The first token is predicted from LocalEngine::first_token(). Control tokens written in the text are plain
/// text. Fails with bad_request for a text without tokens or options out of range, with out_of_room for a
/// window beyond the context, with unavailable when stopped.
Result<TextLoss> text_loss(LocalEngine& engine, std::string_view text, const TextLossOptions& options = {},
                           const TokenLossSink& each = {}, const ProgressSink& progress = {},
                           std::stop_token stop = {});

}  // namespace loam::engine
