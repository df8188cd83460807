// Tokens for one call into llama.cpp. For this room only.
#pragma once

#include <algorithm>
#include <array>
#include <span>

#include "engine/llama_handles.h"

namespace loam::engine {

inline constexpr int kAborted = 2;  // llama_decode's code

class TokenBatch {
 public:
  /// A token may belong to up to `sequences` sequences.
  explicit TokenBatch(int capacity, int sequences = 1) : batch_(llama_batch_init(capacity, 0, sequences)) {}
  ~TokenBatch() { llama_batch_free(batch_); }
  TokenBatch(const TokenBatch&) = delete;
  TokenBatch& operator=(const TokenBatch&) = delete;

  void clear() { batch_.n_tokens = 0; }
  int size() const { return batch_.n_tokens; }
  /// REQUIRES: room for one more, and no more sequences than made for.
  void add(Token token, std::size_t position, std::span<const llama_seq_id> sequences, bool wants_logits) {
    const int i = batch_.n_tokens++;
    batch_.token[i] = token;
    batch_.pos[i] = static_cast<llama_pos>(position);
    batch_.n_seq_id[i] = static_cast<std::int32_t>(sequences.size());
    std::copy(sequences.begin(), sequences.end(), batch_.seq_id[i]);
    batch_.logits[i] = wants_logits ? 1 : 0;
  }
  /// Into sequence 0.
  void add(Token token, std::size_t position, bool wants_logits) {
    static constexpr std::array<llama_seq_id, 1> kFirst = {0};
    add(token, position, kFirst, wants_logits);
  }
  const llama_batch& get() const { return batch_; }

 private:
  llama_batch batch_;
};

}  // namespace loam::engine
