#include "train/linear.h"

#include <array>

#include "train/narrow.h"

namespace loam::train {
namespace {

void scale_all(Team& team, float* values, std::size_t count, float factor) {
  run_ranges(team, count, 65536, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) values[i] *= factor;
  });
}

bool adapts(const LinearGroup& group, Target target) {
  return group.lora != nullptr && group.lora->matrix(group.layer, target).there;
}

}  // namespace

LinearGroup::Stack LinearGroup::stack() const {
  Stack found;
  for (const LinearLayer& one : layers) {
    if (!adapts(*this, one.target)) continue;
    const std::size_t slot = lora->matrix(layer, one.target).slot;
    if (found.rows == 0) found.first = slot;
    found.rows = slot + lora->padded_rank() - found.first;
  }
  return found;
}

void linear_forward(Team& team, const LinearGroup& group, const Operand& input, Operand& middle,
                    std::span<const LinearOutput> outputs, LinearScratch& scratch) {
  const std::size_t tokens = input.rows();
  const Precision precision = input.precision();
  const LinearGroup::Stack stack = group.stack();
  if (stack.rows > 0) {
    const std::size_t ranks = stack.rows;
    float* numbers = scratch.numbers.floats(tokens * ranks);
    const Factor a = group.lora->a(group.layer, group.group);
    const Product product = {input.view(), a.part(stack.first, ranks, 0, a.columns), Right::transposed};
    multiply(team, {&product, 1}, numbers, ranks, tokens, ranks, Add::no);
    scale_all(team, numbers, tokens * ranks, group.lora->options().scale());
    middle.shape(precision, tokens, ranks);
    narrow_rows(team, numbers, ranks, middle);
  }
  for (std::size_t i = 0; i < group.layers.size(); ++i) {
    if (outputs[i].data == nullptr) continue;
    const LinearLayer& layer = group.layers[i];
    std::array<Product, 2> products;
    std::size_t count = 0;
    products[count++] = {input.view(), layer.weight->view(), Right::transposed};
    if (adapts(group, layer.target)) {
      const std::size_t slot = group.lora->matrix(group.layer, layer.target).slot - stack.first;
      products[count++] = {middle.columns(slot, group.lora->padded_rank()),
                           group.lora->b(group.layer, layer.target), Right::as_it_is};
    }
    multiply(team, {products.data(), count}, outputs[i].data, outputs[i].stride, tokens, layer.weight->rows(),
             outputs[i].add);
  }
}

void linear_backward(Team& team, const LinearGroup& group, LoraParameters* lora, const Operand& input,
                     const Operand& middle, std::span<const Factor> doutputs, float* dinput,
                     LinearScratch& scratch) {
  const std::size_t tokens = input.rows();
  const std::size_t in = input.columns();
  const Precision precision = input.precision();
  std::array<Product, 4> products;
  std::size_t count = 0;
  Operand dmiddle;
  const LinearGroup::Stack stack = group.stack();
  if (stack.rows > 0) {
    const LoraGroup& where = group.lora->group(group.layer, group.group);
    const std::size_t ranks = stack.rows, rank = group.lora->padded_rank();
    // The gradient of A x, with the scale in it: scale * dy B.
    float* numbers = scratch.numbers.floats(tokens * ranks);
    for (std::size_t i = 0; i < group.layers.size(); ++i) {
      const Target target = group.layers[i].target;
      if (!adapts(group, target)) continue;
      const Product product = {doutputs[i], group.lora->b(group.layer, target), Right::transposed};
      const std::size_t slot = group.lora->matrix(group.layer, target).slot - stack.first;
      multiply(team, {&product, 1}, numbers + slot, ranks, tokens, rank, Add::no);
    }
    scale_all(team, numbers, tokens * ranks, group.lora->options().scale());
    dmiddle.shape(precision, tokens, ranks);
    narrow_rows(team, numbers, ranks, dmiddle);

    float* gradients = lora->gradients().data();
    turn_over(team, dmiddle, scratch.turned);
    Product product = {scratch.turned.view(), input.view(), Right::as_it_is};
    multiply(team, {&product, 1}, gradients + where.a + stack.first * in, in, ranks, in, Add::yes);
    turn_over(team, middle, scratch.turned);
    for (std::size_t i = 0; i < group.layers.size(); ++i) {
      const Target target = group.layers[i].target;
      if (!adapts(group, target)) continue;
      const LoraMatrix& matrix = group.lora->matrix(group.layer, target);
      product = {scratch.turned.view().part(matrix.slot - stack.first, rank, 0, tokens), doutputs[i],
                 Right::as_it_is};
      multiply(team, {&product, 1}, gradients + matrix.b, matrix.out, rank, matrix.out, Add::yes);
    }
    products[count++] = {dmiddle.view(),
                         group.lora->a(group.layer, group.group).part(stack.first, ranks, 0, in),
                         Right::as_it_is};
  }
  if (dinput == nullptr) return;
  for (std::size_t i = 0; i < group.layers.size(); ++i) {
    products[count++] = {doutputs[i], group.layers[i].weight->view(), Right::as_it_is};
  }
  multiply(team, {products.data(), count}, dinput, in, tokens, in, Add::no);
}

}  // namespace loam::train
