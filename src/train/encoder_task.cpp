#include "train/encoder_task.h"

namespace loam::train {

std::vector<engine::Token> joined_pair(const engine::WordPiece& words, std::span<const engine::Token> first,
                                       std::span<const engine::Token> second) {
  std::vector<engine::Token> tokens = {words.first()};
  tokens.insert(tokens.end(), first.begin(), first.end());
  tokens.push_back(words.last());
  tokens.insert(tokens.end(), second.begin(), second.end());
  tokens.push_back(words.last());
  return tokens;
}

}  // namespace loam::train
