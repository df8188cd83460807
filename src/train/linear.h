// Linear layers that read one input, with their adapters: forward, and the gradients of input and adapters.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "train/gemm.h"
#include "train/lora.h"
#include "train/operand.h"

namespace loam::train {

/// One linear layer of a group.
struct LinearLayer {
  const Operand* weight = nullptr;  ///< (out, in)
  Target target = Target::q;
};

/// What is computed for a group, on one layer of the model. `lora` may be null: no adapter anywhere. `layers`
/// may be some of the group's, side by side in its order: only their ranks are then computed.
struct LinearGroup {
  const LoraParameters* lora = nullptr;
  std::size_t layer = 0;
  Group group = Group::attention_in;
  std::span<const LinearLayer> layers;

  /// The rows of the group's stacked A that belong to `layers`.
  struct Stack {
    std::size_t first = 0, rows = 0;  ///< no rows: no adapter
  };
  Stack stack() const;
};

/// Where the outputs of a group's layers go: (tokens, out) row-major f32 each; nowhere when null.
struct LinearOutput {
  float* data = nullptr;
  std::size_t stride = 0;
  Add add = Add::no;
};

/// Scratch memory that calls share.
struct LinearScratch {
  Buffer numbers;
  Operand turned;
};

/// `middle` becomes scale * A x, (tokens, stacked ranks), which the gradients need again; it is left alone
/// where the group has no adapter.
void linear_forward(Team& team, const LinearGroup& group, const Operand& input, Operand& middle,
                    std::span<const LinearOutput> outputs, LinearScratch& scratch);

/// `doutputs` are the gradients of the outputs, `middle` what forward left. Adds to the gradients of `lora`,
/// and writes (or adds) the gradient of the input, (tokens, in), where `dinput` is not null.
void linear_backward(Team& team, const LinearGroup& group, LoraParameters* lora, const Operand& input,
                     const Operand& middle, std::span<const Factor> doutputs, float* dinput,
                     LinearScratch& scratch);

}  // namespace loam::train
