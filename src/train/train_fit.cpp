#include "train/train_fit.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <vector>

#include "train/adamw.h"
#include "train/gemm.h"
#include "train/llama_pass.h"
#include "train/machine_memory.h"
#include "train/random.h"

namespace loam::train {
namespace {

// More than the third-level cache holds, as with the whole model.
constexpr std::size_t kMeasuredLayers = 6;
constexpr int kMeasuredSteps = 3;  // the median counts
constexpr int kHeadRows = 256;

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Seconds of some calls' median, after one that touches all memory.
template <typename Work>
double usual_seconds(Work&& work) {
  work();
  std::vector<double> seconds;
  for (int i = 0; i < kMeasuredSteps; ++i) {
    const double begin = now_seconds();
    work();
    seconds.push_back(now_seconds() - begin);
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

Batch synthetic_batch(std::size_t conversations, std::size_t tokens, std::size_t answer,
                      std::size_t vocabulary) {
  Random random(1);
  Batch batch;
  for (std::size_t i = 0; i < conversations; ++i) {
    std::vector<std::int32_t> sequence(tokens);
    for (std::int32_t& token : sequence) token = static_cast<std::int32_t>(random.below(vocabulary));
    std::vector<std::uint8_t> counts(tokens, 0);
    std::fill(counts.end() - static_cast<std::ptrdiff_t>(std::min(answer, tokens)), counts.end(),
              std::uint8_t{1});
    batch.add(sequence, counts);
  }
  return batch;
}

struct LayerTimes {
  double top = 0;      ///< last layer, head and what else a step does once
  double trained = 0;  ///< each further layer with an adapter
  double frozen = 0;   ///< each layer below, forward only
};

LayerTimes measure_layers(FrozenLlama& model, const TrainingOptions& options, const Batch& batch, Keep keep,
                          Team& team) {
  const std::size_t layers = model.shape.layers;
  const auto step_of = [&](std::size_t count) {
    model.shape.layers = count;
    LoraOptions all = options.lora;
    all.last_layers = 0;
    LoraParameters lora(model.shape, all, 1);
    LlamaPass pass(model, &lora, team, {keep, kHeadRows});
    const double seconds = usual_seconds([&] {
      std::fill(lora.gradients().begin(), lora.gradients().end(), 0.0F);
      pass.train(batch, 1.0F / static_cast<float>(std::max<std::size_t>(batch.rows.size(), 1)));
      adamw_step(team, lora.values(), lora.gradients(), lora.first_moments(), lora.second_moments(), 1, 1e-4F,
                 norm_of(team, lora.gradients()) > 1.0 ? 0.5F : 1.0F, {});
    });
    model.shape.layers = layers;
    return seconds;
  };
  LayerTimes times;
  times.top = step_of(1);
  if (layers == 1) return times;
  times.trained = std::max(0.0, (step_of(layers) - times.top) / static_cast<double>(layers - 1));
  LoraOptions one = options.lora;
  one.last_layers = 1;
  LoraParameters lora(model.shape, one, 1);
  LlamaPass pass(model, &lora, team, {keep, kHeadRows});
  times.frozen = usual_seconds([&] { (void)pass.entering(batch); }) / static_cast<double>(layers - 1);
  return times;
}

std::string bytes_text(std::uint64_t bytes) { return std::to_string((bytes + 999999) / 1000000) + " MB"; }

}  // namespace

std::uint64_t adapter_bytes(const LlamaShape& shape, const LoraOptions& options) {
  const std::uint64_t q = shape.attention.query_columns(), k = shape.attention.key_columns();
  const std::uint64_t width = shape.width, inner = shape.inner;
  const std::uint64_t sides[kTargetCount] = {width + q,     width + k,     width + k,    q + width,
                                             width + inner, width + inner, inner + width};
  const auto rank = static_cast<std::uint64_t>(options.rank + 1) / 2 * 2;
  std::uint64_t of_layer = 0;
  for (std::size_t i = 0; i < kTargetCount; ++i) of_layer += options.targets[i] ? rank * sides[i] : 0;
  const auto last = static_cast<std::uint64_t>(std::max(options.last_layers, 0));
  const std::uint64_t layers = last == 0 ? shape.layers : std::min<std::uint64_t>(last, shape.layers);
  return layers * of_layer * (4 * sizeof(float) + sizeof(Bf16));
}

StepMemory step_memory(const LlamaShape& shape, const TrainingOptions& options, Precision precision,
                       const StepSize& size, std::uint64_t free_bytes) {
  const std::uint64_t adapter = adapter_bytes(shape, options.lora);
  const auto need = [&](Keep keep, std::size_t tokens) {
    return adapter + LlamaPass::predicted_bytes(shape, options.lora, precision, tokens,
                                                std::min(size.rows, tokens), {keep, kHeadRows});
  };
  // Room for the allocator's gaps, and for what other programs take meanwhile.
  const auto fits = [&](std::uint64_t bytes) { return bytes + bytes / 16 <= free_bytes; };
  StepMemory memory;
  memory.keeps_everything =
      options.memory == Memory::everything ||
      (options.memory == Memory::automatic && fits(need(Keep::everything, size.tokens)));
  memory.bytes = need(memory.keeps_everything ? Keep::everything : Keep::layer_inputs, size.tokens);
  memory.fits = fits(memory.bytes);
  if (memory.fits) return memory;
  memory.advice = "train on a smaller base, or with a smaller --rank";
  // Half a micro-batch, a quarter, ...: each as it is, then with shorter conversations.
  for (std::size_t tokens = size.tokens; tokens >= 16; tokens /= 2) {
    if (!fits(need(Keep::layer_inputs, tokens))) continue;
    const std::string micro = "--micro-batch " + std::to_string(tokens);
    memory.advice =
        (tokens == size.tokens    ? "use "
         : tokens >= size.longest ? "use " + micro + " "
                                  : "use --seq-len " + std::to_string(tokens) + " " + micro + " ") +
        "--memory low";
    break;
  }
  return memory;
}

Result<TrainingFit> fit_training(const std::filesystem::path& base, const TrainingFitOptions& options,
                                 const ProgressSink& progress) {
  const TrainingOptions& training = options.training;
  TrainingFit fit;
  fit.precision = training.precision.value_or(fastest_precision());
  fit.kernel = kernel_name(fit.precision);
  Team team(training.threads);
  try {
    auto opened = open_frozen_llama(base, fit.precision, team, progress, kMeasuredLayers);
    if (!opened) return opened.error();
    FrozenLlama model = *std::move(opened);
    LlamaShape whole = model.shape;
    whole.layers = model.file_layers;
    fit.architecture = whole.architecture;
    const std::uint64_t embedding = model.embedding.bytes() + model.output.bytes();
    fit.weights = embedding + (model.bytes() - embedding) / model.layers.size() * whole.layers;
    fit.program = kProgramBytes;

    const auto batch_size = static_cast<std::size_t>(std::max(training.batch_size, 1));
    const auto tokens = static_cast<std::size_t>(
        std::clamp(options.example_tokens, 2, std::max(training.sequence_tokens, 2)));
    const auto answer = std::min(static_cast<std::size_t>(std::max(options.answer_tokens, 1)), tokens - 1);
    const std::size_t at_once = std::clamp<std::size_t>(
        static_cast<std::size_t>(std::max(training.micro_batch_tokens, 1)) / tokens, 1, batch_size);
    const std::uint64_t available =
        options.available_bytes > 0 ? options.available_bytes : available_memory();
    fit.available_bytes =
        training.memory_limit_bytes > 0 ? std::min(available, training.memory_limit_bytes) : available;
    const std::uint64_t fixed = fit.weights + fit.program;
    const StepMemory memory =
        step_memory(whole, training, fit.precision, {at_once * tokens, at_once * answer, tokens},
                    fit.available_bytes > fixed ? fit.available_bytes - fixed : 0);
    fit.keeps_everything = memory.keeps_everything;
    fit.step = memory.bytes;
    fit.fits = memory.fits && fixed < fit.available_bytes;
    fit.advice = fixed < fit.available_bytes
                     ? memory.advice
                     : "its weights alone take " + bytes_text(fit.weights) + ": train on a smaller base" +
                           (fit.precision == Precision::f32 ? ", or with --precision bf16" : "");
    fit.parameters = static_cast<std::size_t>(adapter_bytes(whole, training.lora) / 18);

    const std::size_t examples = std::max<std::size_t>(options.examples, 1);
    const auto learnt = std::max<std::size_t>(
        1, static_cast<std::size_t>((1.0 - training.hold_out) * static_cast<double>(examples) + 0.5));
    const std::size_t steps_of_epoch = (learnt + batch_size - 1) / batch_size;
    fit.steps = training.steps > 0 ? training.steps
                                   : static_cast<std::int64_t>(steps_of_epoch) * std::max(training.epochs, 1);
    const auto last = static_cast<std::size_t>(std::max(training.lora.last_layers, 0));
    const std::size_t trained = last == 0 ? whole.layers : std::min(last, whole.layers);
    const bool keeps_features = trained < whole.layers && training.features != Features::off &&
                                fit.steps > static_cast<std::int64_t>(steps_of_epoch);
    const std::uint64_t features = keeps_features
                                       ? static_cast<std::uint64_t>(examples) * tokens * whole.width *
                                             (fit.precision == Precision::f32 ? 4 : 2)
                                       : 0;
    const bool in_memory =
        training.features == Features::memory ||
        (training.features == Features::automatic && fixed + fit.step + features < fit.available_bytes);
    if (in_memory) fit.features = features;
    if (!fit.fits) return fit;

    const Batch batch = synthetic_batch(at_once, tokens, answer, whole.vocabulary);
    const LayerTimes times = measure_layers(
        model, training, batch, fit.keeps_everything ? Keep::everything : Keep::layer_inputs, team);
    const double later = times.top + static_cast<double>(trained - 1) * times.trained;
    const double first = later + static_cast<double>(whole.layers - trained) * times.frozen;
    const auto batch_tokens = static_cast<double>(at_once * tokens);
    fit.first_epoch_tokens_per_s = batch_tokens / first;
    fit.tokens_per_s = keeps_features ? batch_tokens / later : fit.first_epoch_tokens_per_s;
    const double epochs =
        static_cast<double>(fit.steps) / static_cast<double>(std::max<std::size_t>(steps_of_epoch, 1));
    const double epoch_tokens = static_cast<double>(learnt * tokens);
    fit.seconds = std::min(epochs, 1.0) * epoch_tokens / fit.first_epoch_tokens_per_s +
                  std::max(epochs - 1.0, 0.0) * epoch_tokens / fit.tokens_per_s;
  } catch (const std::bad_alloc&) {
    return Error{Kind::out_of_room, base.string(), "there is not enough memory to measure a step",
                 "use a smaller --micro-batch, or train on a smaller base"};
  }
  return fit;
}

}  // namespace loam::train
