#include "train/train_fit.h"

#include "engine/testing/fixture.h"
#include "gtest/gtest.h"
#include "train/frozen_llama.h"
#include "train/gemm.h"
#include "train/llama_pass.h"

namespace loam::train {
namespace {

/// The default model's shape.
LlamaShape small_shape() {
  LlamaShape shape;
  shape.architecture = "llama";
  shape.layers = 30;
  shape.width = 576;
  shape.inner = 1536;
  shape.vocabulary = 49152;
  shape.attention = {9, 3, 64, 0.125F};
  return shape;
}

TEST(TrainFit, the_adapter_is_counted_as_it_is_made) {
  for (const int last : {0, 1}) {
    LoraOptions options;
    options.rank = 5;
    options.last_layers = last;
    options.targets = {true, false, true, true, false, true, true};
    LlamaShape shape = small_shape();
    shape.layers = 3;
    shape.vocabulary = 100;
    const LoraParameters lora(shape, options, 1);
    EXPECT_EQ(adapter_bytes(shape, options), lora.values().size() * 18);
  }
}

// proves P-TRAIN-14
TEST(TrainFit, less_memory_gives_way_step_by_step_and_the_advice_fits) {
  const LlamaShape shape = small_shape();
  TrainingOptions options;
  const StepSize size = {1024, 512, 400};
  const StepMemory roomy = step_memory(shape, options, Precision::bf16, size, 4'000'000'000);
  EXPECT_TRUE(roomy.fits && roomy.keeps_everything);
  const StepMemory tight = step_memory(shape, options, Precision::bf16, size, roomy.bytes);
  EXPECT_TRUE(tight.fits);
  EXPECT_FALSE(tight.keeps_everything);
  EXPECT_LT(tight.bytes, roomy.bytes);
  const StepMemory narrow = step_memory(shape, options, Precision::bf16, size, tight.bytes);
  EXPECT_FALSE(narrow.fits);
  EXPECT_EQ(narrow.advice, "use --micro-batch 512 --memory low");
  options.memory = Memory::layer_inputs;
  EXPECT_TRUE(step_memory(shape, options, Precision::bf16, {512, 512, 400}, tight.bytes).fits);
  const StepMemory nothing = step_memory(shape, options, Precision::bf16, size, 1'000'000);
  EXPECT_FALSE(nothing.fits);
  EXPECT_NE(nothing.advice.find("smaller base"), std::string::npos);
}

TEST(TrainFit, says_memory_steps_and_time_for_a_model_file) {
  TrainingFitOptions options;
  options.examples = 100;
  options.example_tokens = 40;
  options.answer_tokens = 10;
  options.training.hold_out = 0;
  options.training.lora.rank = 4;
  options.training.threads = 2;
  const auto file = engine::testing::tiny_model()->file();
  const auto fit = fit_training(file, options);
  ASSERT_TRUE(fit.ok()) << fit.error().line();
  EXPECT_TRUE(fit->fits);
  EXPECT_EQ(fit->steps, 3 * 13);
  EXPECT_GT(fit->tokens_per_s, 0);
  EXPECT_EQ(fit->tokens_per_s, fit->first_epoch_tokens_per_s);
  EXPECT_NEAR(fit->seconds, 3 * 100 * 40 / fit->tokens_per_s, 1e-6 * fit->seconds);
  Team team(1);
  const auto model = open_frozen_llama(file, fit->precision, team);
  ASSERT_TRUE(model.ok());
  EXPECT_NEAR(static_cast<double>(fit->weights), static_cast<double>(model->bytes()), 1000.0);

  options.training.lora.last_layers = 1;
  const auto last = fit_training(file, options);
  ASSERT_TRUE(last.ok());
  EXPECT_EQ(last->features, 100U * 40 * model->shape.width * (fit->precision == Precision::f32 ? 4 : 2));
  EXPECT_GT(last->tokens_per_s, last->first_epoch_tokens_per_s);
  EXPECT_LT(last->parameters, fit->parameters);

  options.available_bytes = 1'000'000;
  const auto small = fit_training(file, options);
  ASSERT_TRUE(small.ok());
  EXPECT_FALSE(small->fits);
  EXPECT_FALSE(small->advice.empty());
  EXPECT_EQ(small->tokens_per_s, 0);

  EXPECT_FALSE(fit_training(file.parent_path() / "nowhere.gguf", options).ok());
}

}  // namespace
}  // namespace loam::train
