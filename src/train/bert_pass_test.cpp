// Whole encoders: against PyTorch (testdata/make_fixture.py), against finite differences, against llama.cpp.
#include "train/bert_pass.h"

#include <cmath>

#include "engine/quantize.h"
#include "engine/testing/fixture.h"
#include "gtest/gtest.h"
#include "train/bert_parity.h"
#include "train/gemm.h"
#include "train/testing/numbers.h"
#include "train/testing/reference.h"

namespace loam::train {
namespace {

using testing::reference_file;
using testing::ReferenceTensors;
using testing::relative_error;

FrozenBert open_bert(const std::filesystem::path& path, Precision precision, Team& team) {
  auto model = open_frozen_bert(path, precision, team);
  EXPECT_TRUE(model.ok()) << (model ? "" : model.error().line());
  return model ? *std::move(model) : FrozenBert{};
}

/// The fixture's adapter on its sequences.
struct BertReference : ReferenceTensors {
  EncoderBatch batch;
  BertReference() : ReferenceTensors("bert") {
    for (const Json& sequence : about["sequences"]) batch.add(sequence.get<std::vector<std::int32_t>>());
  }
  LoraParameters adapter(const FrozenBert& model, LoraOptions with) const {
    LoraParameters lora(model.shape.layers, model.shape.sides(), with, 1);
    const auto values = flat(lora);
    std::copy(values.begin(), values.end(), lora.values().begin());
    return lora;
  }
  LoraParameters adapter(const FrozenBert& model) const { return adapter(model, options); }
  const std::vector<float>& along() const { return tensors.at("along"); }
};

double product(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < b.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

// proves P-TRAIN-02
TEST(BertPassTest, states_and_adapter_gradients_equal_those_of_pytorch) {
  const BertReference reference;
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    Team team(2);
    const FrozenBert model = open_bert(reference_file("bert.gguf"), precision, team);
    LoraParameters lora = reference.adapter(model);
    BertPass pass(model, &lora, team);
    const auto states = pass.forward(reference.batch, BertPass::Gradients::yes);
    EXPECT_LT(relative_error(states, reference.tensors.at("states")),
              precision == Precision::f32 ? 1e-5 : 1e-2);
    pass.backward(reference.batch, reference.along());
    const double error = relative_error(lora.gradients(), reference.flat(lora, ".gradient"));
    RecordProperty("gradient_error_" + std::string(name_of(precision)), std::to_string(error));
    if (precision == Precision::f32) {
      EXPECT_LT(error, 1e-5);
    } else {
      EXPECT_LT(error, std::max(1e-2, reference.about["bf16_error"].get<double>()));
    }
  }
}

TEST(BertPassTest, computing_layers_twice_changes_no_byte) {
  const BertReference reference;
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    Team team(2);
    const FrozenBert model = open_bert(reference_file("bert.gguf"), precision, team);
    std::vector<std::vector<float>> gradients;
    for (const Keep keep : {Keep::everything, Keep::layer_inputs}) {
      LoraParameters lora = reference.adapter(model);
      BertPass pass(model, &lora, team, keep);
      pass.forward(reference.batch, BertPass::Gradients::yes);
      pass.backward(reference.batch, reference.along());
      gradients.emplace_back(lora.gradients().begin(), lora.gradients().end());
    }
    EXPECT_EQ(gradients[0], gradients[1]);
  }
}

// proves P-TRAIN-03
TEST(BertPassTest, any_number_of_threads_gives_the_same_bytes) {
  const BertReference reference;
  std::vector<std::vector<float>> gradients;
  for (const int threads : {1, 2, 3}) {
    Team team(threads);
    const FrozenBert model = open_bert(reference_file("bert.gguf"), fastest_precision(), team);
    LoraParameters lora = reference.adapter(model);
    BertPass pass(model, &lora, team);
    pass.forward(reference.batch, BertPass::Gradients::yes);
    pass.backward(reference.batch, reference.along());
    gradients.emplace_back(lora.gradients().begin(), lora.gradients().end());
  }
  EXPECT_EQ(gradients[0], gradients[1]);
  EXPECT_EQ(gradients[0], gradients[2]);
}

TEST(BertPassTest, the_gradient_is_the_slope) {
  const BertReference reference;
  Team team(2);
  const FrozenBert model = open_bert(reference_file("bert.gguf"), Precision::f32, team);
  LoraParameters lora = reference.adapter(model);
  BertPass pass(model, &lora, team);
  pass.forward(reference.batch, BertPass::Gradients::yes);
  pass.backward(reference.batch, reference.along());
  const double squares = product(lora.gradients(), lora.gradients());
  const double step = 1e-2 / std::sqrt(squares);
  const auto at = [&](double distance) {
    LoraParameters moved = reference.adapter(model);
    for (std::size_t i = 0; i < moved.values().size(); ++i) {
      moved.values()[i] += static_cast<float>(distance) * lora.gradients()[i];
    }
    BertPass there(model, &moved, team);
    return product(there.forward(reference.batch, BertPass::Gradients::no), reference.along());
  };
  EXPECT_NEAR((at(step) - at(-step)) / (2 * step) / squares, 1.0, 5e-3);
}

TEST(BertPassTest, last_layers_and_chosen_targets_have_the_gradients_of_the_whole) {
  const BertReference reference;
  Team team(1);
  const FrozenBert model = open_bert(reference_file("bert.gguf"), Precision::f32, team);
  LoraOptions some = reference.options;
  some.last_layers = 1;
  some.targets = {true, false, true, false, false, true, true};
  LoraParameters all = reference.adapter(model), few = reference.adapter(model, some);
  for (std::size_t layer = 0; layer < 2; ++layer) {  // a zero B leaves the function as it is there
    for (std::size_t i = 0; i < kTargetCount; ++i) {
      const LoraMatrix& matrix = all.matrix(layer, static_cast<Target>(i));
      if (!matrix.there || few.matrix(layer, static_cast<Target>(i)).there) continue;
      std::fill_n(all.values().begin() + static_cast<std::ptrdiff_t>(matrix.b),
                  all.padded_rank() * matrix.out, 0.0F);
    }
  }
  for (LoraParameters* lora : {&all, &few}) {
    BertPass pass(model, lora, team);
    pass.forward(reference.batch, BertPass::Gradients::yes);
    pass.backward(reference.batch, reference.along());
  }
  EXPECT_EQ(few.first_layer(), 1U);
  for (std::size_t i = 0; i < kTargetCount; ++i) {
    const LoraMatrix& mine = few.matrix(1, static_cast<Target>(i));
    const LoraMatrix& theirs = all.matrix(1, static_cast<Target>(i));
    if (!mine.there) continue;
    const std::size_t b = few.padded_rank() * mine.out, a = few.padded_rank() * mine.in;
    EXPECT_LT(relative_error(few.gradients().subspan(mine.b, b), all.gradients().subspan(theirs.b, b)), 1e-4);
    EXPECT_LT(relative_error(few.gradients().subspan(mine.a, a), all.gradients().subspan(theirs.a, a)), 1e-4);
  }
}

TEST(BertPassTest, sequences_see_nothing_of_each_other) {
  const BertReference reference;
  Team team(2);
  const FrozenBert model = open_bert(reference_file("bert.gguf"), Precision::f32, team);
  BertPass pass(model, nullptr, team);
  const auto together = pass.forward(reference.batch, BertPass::Gradients::no);
  const std::vector<float> whole(together.begin(), together.end());
  for (const Segment& segment : reference.batch.segments) {
    EncoderBatch alone;
    alone.add(std::span(reference.batch.tokens).subspan(segment.start, segment.length));
    const auto states = pass.forward(alone, BertPass::Gradients::no);
    EXPECT_LT(relative_error(states, std::span(whole).subspan(segment.start * 24, segment.length * 24)),
              1e-6);
  }
}

// proves P-TRAIN-01
TEST(BertPassTest, states_are_those_of_llama_cpp_in_every_quantisation) {
  const auto plain = engine::testing::scratch_folder() / "encoder.gguf";
  engine::testing::TinyModelOptions shape;
  shape.dimensions = 256;
  ASSERT_TRUE(engine::testing::write_tiny_embedder(plain, shape).ok());
  for (const char* type : {"", "F16", "BF16", "Q8_0", "Q4_1"}) {
    auto path = plain;
    if (*type != '\0') {
      path = engine::testing::scratch_folder() / (std::string("encoder_") + type + ".gguf");
      engine::QuantizeOptions options;
      options.loss = options.speed = engine::Measure::no;
      const auto made = engine::quantize(plain, path, type, options);
      ASSERT_TRUE(made.ok()) << made.error().line();
    }
    Team team(2);
    const FrozenBert model = open_bert(path, Precision::f32, team);
    const auto difference = compare_with_encoder(model, path, team);
    ASSERT_TRUE(difference.ok()) << type << ": " << difference.error().line();
    EXPECT_LT(*difference, *type == 'Q' ? 0.1 : 0.01) << type;
  }
}

TEST(BertPassTest, a_model_that_is_not_the_served_one_is_refused) {
  const auto one = engine::testing::scratch_folder() / "one_encoder.gguf",
             other = engine::testing::scratch_folder() / "other_encoder.gguf";
  engine::testing::TinyModelOptions shape;
  ASSERT_TRUE(engine::testing::write_tiny_embedder(one, shape).ok());
  shape.seed = 99;
  ASSERT_TRUE(engine::testing::write_tiny_embedder(other, shape).ok());
  Team team(2);
  const FrozenBert model = open_bert(one, Precision::f32, team);
  const auto difference = compare_with_encoder(model, other, team);
  ASSERT_FALSE(difference.ok());
  EXPECT_EQ(difference.error().kind, Kind::bad_data);
  EXPECT_NE(difference.error().message.find("differ by"), std::string::npos);
}

TEST(FrozenBertTest, another_architecture_is_refused_by_name) {
  Team team(1);
  const auto model = open_frozen_bert(reference_file("llama.gguf"), Precision::f32, team);
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().kind, Kind::bad_request);
  EXPECT_NE(model.error().message.find("'llama'"), std::string::npos);
  EXPECT_NE(model.error().next_step.find("bert"), std::string::npos);
  EXPECT_FALSE(open_frozen_bert(reference_file("bert.json"), Precision::f32, team).ok());
}

TEST(FrozenBertTest, a_tensor_without_a_meaning_is_refused_by_name) {
  // The same file, with one tensor under another name of the same length.
  std::ifstream stream(reference_file("bert.gguf"), std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  std::string bytes = text.str();
  const std::string name = "blk.1.attn_output.bias";
  bytes.replace(bytes.find(name), name.size(), "blk.1.attn_outlet.bias");
  const auto path = engine::testing::scratch_folder() / "renamed.gguf";
  std::ofstream(path, std::ios::binary) << bytes;
  Team team(1);
  const auto model = open_frozen_bert(path, Precision::f32, team);
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().kind, Kind::bad_request);
  EXPECT_NE(model.error().message.find("attn_outlet"), std::string::npos) << model.error().line();
}

}  // namespace
}  // namespace loam::train
