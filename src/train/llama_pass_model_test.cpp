// The default model: the trainer computes what llama.cpp computes, from the quantised file.
#include "engine/testing/fixture.h"
#include "gtest/gtest.h"
#include "train/llama_pass.h"
#include "train/parity.h"
#include "train/testing/numbers.h"

namespace loam::train {
namespace {

// proves P-TRAIN-01
TEST(DefaultModel, logits_agree_with_llama_cpp_in_both_precisions) {
  const auto path = engine::testing::real_model("smollm2-135m-instruct-q4_1.gguf");
  if (path.empty()) return;
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    Team team(2);
    auto model = open_frozen_llama(path, precision, team);
    ASSERT_TRUE(model.ok()) << model.error().line();
    EXPECT_EQ(model->shape.layers, 30U);
    EXPECT_EQ(model->shape.vocabulary, 49152U);
    const auto parity = compare_with_engine(*model, path, team);
    ASSERT_TRUE(parity.ok()) << parity.error().line();
    // llama.cpp rounds the activations to 8 bits before each product with Q4_1; we do not.
    EXPECT_LT(parity->mean_divergence, kParityLimit);
    EXPECT_GT(parity->tokens, 50);
    RecordProperty("mean_divergence", std::to_string(parity->mean_divergence));
    RecordProperty("same_first_choice", std::to_string(parity->same_first_choice));
  }
}

// proves P-TRAIN-02
TEST(DefaultModel, adapter_gradients_in_bf16_are_those_in_f32) {
  const auto path = engine::testing::real_model("smollm2-135m-instruct-q4_1.gguf");
  if (path.empty()) return;
  auto words = engine::LocalModel::open(path, {.load = engine::Load::vocabulary_only});
  ASSERT_TRUE(words.ok());
  const auto tokens = (*words)->encode(
      "The lease began on 1 March 2019 and runs for five years. Rent is 1,250 euros a month, due on the "
      "third "
      "working day; whoever pays late owes interest of 4% a year.",
      engine::AddSpecial::no, engine::ParseSpecial::no);
  ASSERT_TRUE(tokens.ok());
  Batch batch;
  batch.add(*tokens, std::vector<std::uint8_t>(tokens->size(), 1));
  batch.add(std::span(*tokens).subspan(7), std::vector<std::uint8_t>(tokens->size() - 7, 1));
  std::vector<std::vector<float>> gradients;
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    Team team(2);
    auto model = open_frozen_llama(path, precision, team);
    ASSERT_TRUE(model.ok()) << model.error().line();
    LoraParameters lora(model->shape, LoraOptions{}, 1);
    Random random(2);
    for (std::size_t i = lora.a_count(); i < lora.values().size(); ++i) {
      lora.values()[i] = 0.003F * random.symmetric();
    }
    LlamaPass pass(*model, &lora, team);
    const double loss = pass.train(batch, 1.0F / static_cast<float>(batch.rows.size()));
    EXPECT_LT(loss / static_cast<double>(batch.rows.size()), 6.0);
    gradients.emplace_back(lora.gradients().begin(), lora.gradients().end());
  }
  const double error = testing::relative_error(gradients[1], gradients[0]);
  EXPECT_LT(error, 3e-2);  // rounding adds up over 30 layers; seen: 0.023
  RecordProperty("relative_error", std::to_string(error));
}

}  // namespace
}  // namespace loam::train
