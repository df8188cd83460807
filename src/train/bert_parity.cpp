#include "train/bert_parity.h"

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "engine/local_encoder.h"
#include "engine/wordpiece.h"
#include "train/bert_pass.h"

namespace loam::train {
namespace {

constexpr std::string_view kParityText =
    "The lease began on 1 March 2019 and runs for five years. Rent is 1,250 euros a month, due on the third "
    "working day; whoever pays late owes interest of 4% a year. Who repairs the roof? The owner does.";

}  // namespace

Result<double> compare_with_encoder(const FrozenBert& model, const std::filesystem::path& gguf, Team& team,
                                    Logger& logger) {
  auto loaded = engine::LocalModel::open(gguf, {}, logger);
  if (!loaded) return loaded.error();
  const auto words = engine::WordPiece::of(**loaded);
  if (!words) {
    return Error{Kind::bad_request, gguf.string(), "its tokenizer is not that of BERT",
                 "train on an encoder with a WordPiece vocabulary"};
  }
  std::vector<engine::Token> tokens = words->encode(kParityText);
  tokens.resize(std::min(tokens.size(), model.shape.context));
  engine::LocalEncoderOptions options;
  options.threads = team.threads();
  options.max_tokens = static_cast<int>(tokens.size());
  auto encoder = engine::LocalEncoder::open(*loaded, {}, options, logger);
  if (!encoder) return encoder.error();
  EncoderBatch batch;
  batch.add(tokens);
  BertPass pass(model, nullptr, team);
  const std::span<const float> ours = pass.forward(batch, BertPass::Gradients::no);
  double difference = 0, size = 0;
  bool one_size = true;
  const std::vector<std::vector<engine::Token>> sequences = {tokens};
  const auto read = (*encoder)->read(sequences, [&](std::size_t, std::span<const float> theirs) {
    one_size = theirs.size() == ours.size();
    for (std::size_t i = 0; one_size && i < ours.size(); ++i) {
      const double x = static_cast<double>(ours[i]), y = static_cast<double>(theirs[i]);
      difference += (x - y) * (x - y);
      size += y * y;
    }
  });
  if (!read) return read.error();
  const double error = std::sqrt(difference / size);
  if (!one_size || !(error <= kEncoderParityLimit)) {
    char text[160];
    std::snprintf(text, sizeof(text),
                  "the trainer and llama.cpp do not compute the same model (states differ by %.1f%%)",
                  100.0 * error);
    return Error{Kind::bad_data, gguf.string(), text, "train on another base; please report this one"};
  }
  return error;
}

}  // namespace loam::train
