#include "engine/text_loss.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "base/utf8.h"
#include "engine/local_engine_impl.h"

namespace loam::engine {

double TextLoss::nats_per_token() const { return tokens == 0 ? 0.0 : nats / static_cast<double>(tokens); }
double TextLoss::perplexity() const { return std::exp(nats_per_token()); }
double TextLoss::bits_per_byte() const {
  return bytes == 0 ? 0.0 : nats / std::numbers::ln2 / static_cast<double>(bytes);
}

Result<TextLoss> text_loss(LocalEngine& engine, std::string_view text, const TextLossOptions& options,
                           const TokenLossSink& each, const ProgressSink& progress, std::stop_token stop) {
  if (options.window_tokens < 1) {
    return Error{Kind::bad_request, "window", "must be at least 1 token", "give a larger number"};
  }
  if (options.stride_tokens < 1 || options.stride_tokens > options.window_tokens) {
    return Error{Kind::bad_request, "stride",
                 std::to_string(options.stride_tokens) + " tokens are not between 1 and the window's " +
                     std::to_string(options.window_tokens),
                 "leave it out, for half the window"};
  }
  if (options.window_tokens > engine.context_tokens()) {
    return Error{Kind::out_of_room, engine.model_name(),
                 "a window of " + std::to_string(options.window_tokens) + " tokens exceeds the context of " +
                     std::to_string(engine.context_tokens()),
                 "use a smaller window or a larger context"};
  }
  if (!is_valid_utf8(text)) {
    return Error{Kind::bad_request, "text", "not valid UTF-8", "convert the text to UTF-8"};
  }
  auto pieces = engine.model().encode_pieces(text, AddSpecial::no, ParseSpecial::no);
  if (!pieces) return pieces.error();
  if (pieces->empty()) {
    return Error{Kind::bad_request, "text", "it has no tokens", "give a text to predict"};
  }
  std::vector<Token> read = {engine.first_token()};  // read[i] is what token i of the text is predicted from
  std::vector<std::size_t> starts;
  std::size_t byte = 0;
  for (const TokenPiece& piece : *pieces) {
    read.push_back(piece.id);
    starts.push_back(std::min(byte, text.size() - 1));  // some tokenizers add a space in front of the text
    byte += piece.bytes.size();
  }
  TextLoss loss;
  loss.tokens = starts.size();
  loss.bytes = text.size();
  const auto window = static_cast<std::size_t>(options.window_tokens);
  const auto stride = static_cast<std::size_t>(options.stride_tokens);
  for (std::size_t next = 0; next < loss.tokens;) {
    const std::size_t end = std::min(next + (next == 0 ? window : stride), loss.tokens);
    const std::size_t begin = end > window ? end - window : 0;
    const std::span<const Token> in_window(read.data() + begin, end - begin);
    auto scored = engine.for_each_logits(
        in_window,
        [&](int position, std::span<const float> logits) {
          const std::size_t at = begin + static_cast<std::size_t>(position);
          const double nats =
              log_sum_exp(logits) - static_cast<double>(logits[static_cast<std::size_t>(read[at + 1])]);
          loss.nats += nats;
          if (each) each(starts[at], nats);
        },
        static_cast<int>(next - begin), stop);
    if (!scored) return scored.error();
    ++loss.windows;
    loss.tokens_read += in_window.size();
    next = end;
    if (progress) progress({"predicting the text", next, loss.tokens});
  }
  return loss;
}

}  // namespace loam::engine
