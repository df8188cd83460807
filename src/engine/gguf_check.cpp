#include "engine/gguf_check.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <unordered_set>

#include "base/utf8.h"
#include "engine/gguf_file.h"

namespace loam::engine {
namespace {

// The architectures of llama.cpp v0.5.0 (src/llama-arch.cpp, LLM_ARCH_NAMES), sorted; without "clip", which
// is not a language model.
constexpr std::string_view kArchitectures[] = {
    "afmoe",
    "apertus",
    "arcee",
    "arctic",
    "arwkv7",
    "baichuan",
    "bailingmoe",
    "bailingmoe2",
    "bailingmoe3",
    "bert",
    "bitnet",
    "bloom",
    "chameleon",
    "chatglm",
    "codeshell",
    "cogvlm",
    "cohere2",
    "cohere2moe",
    "command-r",
    "dbrx",
    "deci",
    "deepseek",
    "deepseek2",
    "deepseek2-ocr",
    "deepseek32",
    "deepseek4",
    "dflash",
    "dots1",
    "dots3note",
    "dream",
    "eagle3",
    "ernie4_5",
    "ernie4_5-moe",
    "eurobert",
    "exaone",
    "exaone-moe",
    "exaone4",
    "falcon",
    "falcon-h1",
    "gemma",
    "gemma-embedding",
    "gemma2",
    "gemma3",
    "gemma3n",
    "gemma4",
    "gemma4-assistant",
    "glm-dsa",
    "glm4",
    "glm4moe",
    "gpt-oss",
    "gpt2",
    "gptj",
    "gptneox",
    "granite",
    "granite_swa",
    "granitehybrid",
    "granitemoe",
    "graniteswitch",
    "grok",
    "grovemoe",
    "hrm_text",
    "hunyuan-dense",
    "hunyuan-moe",
    "hunyuan_vl",
    "hy_v3",
    "hy_v4",
    "internlm2",
    "jais",
    "jais2",
    "jamba",
    "jina-bert-v2",
    "jina-bert-v3",
    "kimi-k3",
    "kimi-linear",
    "laguna",
    "lfm2",
    "lfm2moe",
    "llada",
    "llada-moe",
    "llama",
    "llama-embed",
    "llama4",
    "maincoder",
    "mamba",
    "mamba2",
    "maple",
    "mellum",
    "mimo2",
    "minicpm",
    "minicpm3",
    "minimax-01",
    "minimax-m2",
    "minimax-m3",
    "mistral3",
    "mistral4",
    "modern-bert",
    "mpt",
    "muse-glimmer",
    "nanbeige",
    "nemotron",
    "nemotron_h",
    "nemotron_h_moe",
    "neo-bert",
    "nomic-bert",
    "nomic-bert-moe",
    "olmo",
    "olmo2",
    "olmoe",
    "openelm",
    "orion",
    "paddleocr",
    "pangu-embedded",
    "phi2",
    "phi3",
    "phimoe",
    "plamo",
    "plamo2",
    "plamo3",
    "plm",
    "pockettts",
    "qwen",
    "qwen2",
    "qwen2moe",
    "qwen2vl",
    "qwen3",
    "qwen35",
    "qwen35moe",
    "qwen3moe",
    "qwen3next",
    "qwen3tts",
    "qwen3vl",
    "qwen3vlmoe",
    "qwen4exp",
    "refact",
    "rnd1",
    "rwkv6",
    "rwkv6qwen2",
    "rwkv7",
    "seed_oss",
    "smallthinker",
    "smollm3",
    "spark2_5",
    "stablelm",
    "starcoder",
    "starcoder2",
    "step35",
    "t5",
    "t5encoder",
    "talkie",
    "wavtokenizer-dec",
    "xverse",
};

// Types by number, with elements and bytes of a block (ggml.h, ggml-common.h). gguf_check_test holds this
// table against the linked ggml.
struct TypeRow {
  std::uint32_t number;
  GgmlTypeInfo info;
};
constexpr TypeRow kTypes[] = {
    {0, {"F32", 1, 4}},         {1, {"F16", 1, 2}},         {2, {"Q4_0", 32, 18}},
    {3, {"Q4_1", 32, 20}},      {6, {"Q5_0", 32, 22}},      {7, {"Q5_1", 32, 24}},
    {8, {"Q8_0", 32, 34}},      {9, {"Q8_1", 32, 36}},      {10, {"Q2_K", 256, 84}},
    {11, {"Q3_K", 256, 110}},   {12, {"Q4_K", 256, 144}},   {13, {"Q5_K", 256, 176}},
    {14, {"Q6_K", 256, 210}},   {15, {"Q8_K", 256, 292}},   {16, {"IQ2_XXS", 256, 66}},
    {17, {"IQ2_XS", 256, 74}},  {18, {"IQ3_XXS", 256, 98}}, {19, {"IQ1_S", 256, 50}},
    {20, {"IQ4_NL", 32, 18}},   {21, {"IQ3_S", 256, 110}},  {22, {"IQ2_S", 256, 82}},
    {23, {"IQ4_XS", 256, 136}}, {24, {"I8", 1, 1}},         {25, {"I16", 1, 2}},
    {26, {"I32", 1, 4}},        {27, {"I64", 1, 8}},        {28, {"F64", 1, 8}},
    {29, {"IQ1_M", 256, 56}},   {30, {"BF16", 1, 2}},       {34, {"TQ1_0", 256, 54}},
    {35, {"TQ2_0", 256, 66}},   {39, {"MXFP4", 32, 17}},    {40, {"NVFP4", 64, 36}},
    {41, {"Q1_0", 128, 18}},    {42, {"Q2_0", 64, 18}},
};

// general.file_type by number (llama.h, enum llama_ftype).
const std::map<std::uint64_t, std::string_view>& file_types() {
  static const std::map<std::uint64_t, std::string_view> kNames = {
      {0, "F32"},     {1, "F16"},     {2, "Q4_0"},     {3, "Q4_1"},    {7, "Q8_0"},     {8, "Q5_0"},
      {9, "Q5_1"},    {10, "Q2_K"},   {11, "Q3_K_S"},  {12, "Q3_K_M"}, {13, "Q3_K_L"},  {14, "Q4_K_S"},
      {15, "Q4_K_M"}, {16, "Q5_K_S"}, {17, "Q5_K_M"},  {18, "Q6_K"},   {19, "IQ2_XXS"}, {20, "IQ2_XS"},
      {21, "Q2_K_S"}, {22, "IQ3_XS"}, {23, "IQ3_XXS"}, {24, "IQ1_S"},  {25, "IQ4_NL"},  {26, "IQ3_S"},
      {27, "IQ3_M"},  {28, "IQ2_S"},  {29, "IQ2_M"},   {30, "IQ4_XS"}, {31, "IQ1_M"},   {32, "BF16"},
      {36, "TQ1_0"},  {37, "TQ2_0"},  {38, "MXFP4"},   {39, "NVFP4"},  {40, "Q1_0"},    {41, "Q2_0"},
  };
  return kNames;
}

constexpr std::uint64_t kMaxLayers = 512;    // llama-hparams.h, LLAMA_MAX_LAYERS
constexpr std::uint64_t kMaxExperts = 1024;  // llama-hparams.h, LLAMA_MAX_EXPERTS
constexpr std::uint64_t kMaxTokens = 1ULL << 23U;
constexpr std::uint64_t kMaxTemplateBytes = 1ULL << 20U;

/// Reads keys of one file and remembers the first thing that is wrong.
class Checker {
 public:
  Checker(const GgufMetadata& file, std::string_view place) : file_(file), place_(place) {}

  bool ok() const { return !error_; }
  const Error& error() const { return *error_; }
  void refuse(std::string message) {
    if (!error_) error_ = gguf_error(place_, std::move(message));
  }

  const GgufValue* find(const std::string& key) const { return file_.find(key); }

  /// An integer key within [least, most]; `fallback` when it is missing and not required.
  std::uint64_t count(const std::string& key, std::uint64_t least, std::uint64_t most,
                      std::optional<std::uint64_t> fallback = std::nullopt) {
    const GgufValue* value = find(key);
    if (value == nullptr) {
      if (!fallback) refuse("the key " + key + " is missing");
      return fallback.value_or(least);
    }
    if (value->is_array || !value->is_integer() || value->is_negative() || value->unsigned_value < least ||
        value->unsigned_value > most) {
      refuse(key + " is not a whole number from " + std::to_string(least) + " to " + std::to_string(most));
      return least;
    }
    return value->unsigned_value;
  }

  /// A number, or one per layer: the largest and the smallest.
  struct Range {
    std::uint64_t least = 0;
    std::uint64_t most = 0;
  };
  std::optional<Range> per_layer(const std::string& key, std::uint64_t layers, std::uint64_t limit) {
    const GgufValue* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_array) {
      const std::uint64_t one = count(key, 0, limit);
      return Range{one, one};
    }
    if (!value->is_integer() || value->count < layers || value->integers.size() != value->count) {
      refuse(key + " is not a list of at least " + std::to_string(layers) + " whole numbers");
      return std::nullopt;
    }
    Range range{limit, 0};
    for (const std::int64_t number : value->integers) {
      if (number < 0 || static_cast<std::uint64_t>(number) > limit) {
        refuse(key + " has an element outside 0 to " + std::to_string(limit));
        return std::nullopt;
      }
      range.least = std::min(range.least, static_cast<std::uint64_t>(number));
      range.most = std::max(range.most, static_cast<std::uint64_t>(number));
    }
    return range;
  }

  /// A finite number within [least, most].
  void number(const std::string& key, double least, double most, bool required) {
    const GgufValue* value = find(key);
    if (value == nullptr) {
      if (required) refuse("the key " + key + " is missing");
      return;
    }
    const bool is_float = value->type == GgufType::float32 || value->type == GgufType::float64;
    if (value->is_array || !is_float || !std::isfinite(value->number) || value->number < least ||
        value->number > most) {
      refuse(key + " is not a number from " + std::to_string(least) + " to " + std::to_string(most));
    }
  }

  std::string text(const std::string& key) {
    const GgufValue* value = find(key);
    if (value == nullptr) return {};
    if (value->is_array || value->type != GgufType::string) {
      refuse(key + " is not text");
      return {};
    }
    return value->text;
  }

  bool flag(const std::string& key, bool fallback) {
    const GgufValue* value = find(key);
    if (value == nullptr) return fallback;
    if (value->is_array || value->type != GgufType::boolean) refuse(key + " is not true or false");
    return value->unsigned_value != 0;
  }

 private:
  const GgufMetadata& file_;
  std::string_view place_;
  std::optional<Error> error_;
};

const GgufTensor* find_tensor(const GgufMetadata& file, std::string_view name) {
  const auto found = std::find_if(file.tensors.begin(), file.tensors.end(),
                                  [&](const GgufTensor& tensor) { return tensor.name == name; });
  return found == file.tensors.end() ? nullptr : &*found;
}

bool is_float_type(std::uint32_t type) { return type == 0 || type == 1 || type == 30; }

/// Types that hold intermediate results or integers; there is no multiplication with such a matrix.
bool is_weight_type(std::uint32_t type) { return type != 9 && type != 15 && !(type >= 24 && type <= 28); }

bool is_llama_family(std::string_view architecture) {
  return architecture == "llama" || architecture == "qwen2" || architecture == "qwen3" ||
         architecture == "mistral3" || architecture == "smollm3";
}

void check_experts(Checker& check, const std::string& prefix, std::uint64_t layers) {
  const std::uint64_t experts = check.count(prefix + "expert_count", 0, kMaxExperts, 0);
  const auto used = check.per_layer(prefix + "expert_used_count", layers, kMaxExperts);
  const std::uint64_t groups = check.count(prefix + "expert_group_count", 0, kMaxExperts, 0);
  const std::uint64_t groups_used = check.count(prefix + "expert_group_used_count", 0, kMaxExperts, 0);
  const std::uint64_t most_used = used ? used->most : 0;
  // These are assertions in llama.cpp (llama-model.cpp, load_hparams): they would stop the program.
  if (most_used > experts || (experts > 0 && most_used == 0)) {
    check.refuse(prefix + "expert_used_count does not fit expert_count");
  }
  if (experts == 0 ? groups != 0 : groups >= experts)
    check.refuse(prefix + "expert_group_count does not fit expert_count");
  if (experts > 0 && groups > 1 && (experts % groups != 0 || groups_used == 0 || groups_used >= groups)) {
    check.refuse(prefix + "expert_group_used_count does not fit expert_group_count");
  }
}

void check_rope(Checker& check, const std::string& prefix) {
  check.number(prefix + "rope.freq_base", 1e-3, 1e12, false);
  check.number(prefix + "rope.scaling.factor", 0.0, 1e6, false);
  check.number(prefix + "rope.scale_linear", 0.0, 1e6, false);
  const std::string type = check.text(prefix + "rope.scaling.type");
  if (!type.empty() && type != "none" && type != "linear" && type != "yarn" && type != "longrope") {
    check.refuse(prefix + "rope.scaling.type is not none, linear, yarn or longrope");
  }
}

void check_shape_keys(Checker& check, GgufSummary& summary) {
  const std::string prefix = summary.architecture + ".";
  summary.context_tokens = static_cast<int>(check.count(prefix + "context_length", 1, 1ULL << 30U));
  summary.embedding_length = static_cast<int>(check.count(prefix + "embedding_length", 1, 1ULL << 20U));
  const std::uint64_t layers = check.count(prefix + "block_count", 1, kMaxLayers);
  summary.layers = static_cast<int>(layers);
  check.count(prefix + "nextn_predict_layers", 0, layers, 0);
  check_experts(check, prefix, layers);
  check_rope(check, prefix);

  const auto heads = check.per_layer(prefix + "attention.head_count", layers, 1ULL << 14U);
  const auto kv_heads = check.per_layer(prefix + "attention.head_count_kv", layers, 1ULL << 14U);
  const auto inner = check.per_layer(prefix + "feed_forward_length", layers, 1ULL << 24U);
  summary.heads = heads ? static_cast<int>(heads->most) : 0;
  summary.kv_heads = kv_heads ? static_cast<int>(kv_heads->most) : summary.heads;
  summary.feed_forward_length = inner ? static_cast<int>(inner->most) : 0;
  if (kv_heads && heads && kv_heads->most > heads->most)
    check.refuse(prefix + "attention.head_count_kv is above head_count");
  if (summary.heads > 0) {
    const int derived = summary.embedding_length / summary.heads;
    summary.head_size_k = static_cast<int>(
        check.count(prefix + "attention.key_length", 1, 1ULL << 14U, static_cast<std::uint64_t>(derived)));
    summary.head_size_v = static_cast<int>(
        check.count(prefix + "attention.value_length", 1, 1ULL << 14U, static_cast<std::uint64_t>(derived)));
    if (summary.head_size_k < 1 || summary.head_size_v < 1)
      check.refuse("there are more heads than embedding_length");
  }
  const std::uint64_t pooling = check.count(prefix + "pooling_type", 0, 4, 99);
  constexpr std::string_view kPooling[] = {"none", "mean", "cls", "last", "rank"};
  if (pooling <= 4) summary.pooling = kPooling[pooling];
}

/// Required keys and sane numbers of the families that Loam itself imports.
void check_family(Checker& check, const GgufSummary& summary) {
  const std::string prefix = summary.architecture + ".";
  const bool llama = is_llama_family(summary.architecture);
  if (!llama && summary.architecture != "bert") return;
  const std::uint64_t layers = static_cast<std::uint64_t>(summary.layers);
  const auto heads = check.per_layer(prefix + "attention.head_count", layers, 1ULL << 14U);
  const auto kv_heads = check.per_layer(prefix + "attention.head_count_kv", layers, 1ULL << 14U);
  const auto inner = check.per_layer(prefix + "feed_forward_length", layers, 1ULL << 24U);
  if (!heads || heads->least == 0) return check.refuse(prefix + "attention.head_count is missing or zero");
  if (!inner || inner->least == 0) return check.refuse(prefix + "feed_forward_length is missing or zero");
  if (kv_heads && (kv_heads->least == 0 || heads->most % kv_heads->most != 0)) {
    return check.refuse(prefix + "attention.head_count is not a multiple of head_count_kv");
  }
  if (check.find(prefix + "attention.key_length") == nullptr &&
      summary.embedding_length % summary.heads != 0) {
    return check.refuse(prefix + "embedding_length is not a multiple of head_count");
  }
  if (llama) {
    check.number(prefix + "attention.layer_norm_rms_epsilon", 0.0, 1.0, true);
    const std::uint64_t rotated =
        check.count(prefix + "rope.dimension_count", 2, static_cast<std::uint64_t>(summary.head_size_k),
                    static_cast<std::uint64_t>(summary.head_size_k));
    if (rotated % 2 != 0) check.refuse(prefix + "rope.dimension_count is odd");
  } else {
    check.number(prefix + "attention.layer_norm_epsilon", 0.0, 1.0, true);
    check.count("tokenizer.ggml.token_type_count", 1, 1024);
  }
}

/// llama.cpp keeps one id per text and asserts so; it replaces an empty text by a name made from its id.
void check_token_texts(Checker& check, const GgufValue& tokens, bool must_be_utf8) {
  std::unordered_set<std::string_view> seen;
  seen.reserve(tokens.strings.size());
  bool one_is_empty = false;
  for (const std::string_view token : tokens.strings) {
    if (token.empty()) {
      one_is_empty = true;
      continue;
    }
    if (must_be_utf8 && !is_valid_utf8(token))
      return check.refuse("token " + shown_name(token) + " is not UTF-8");
    if (!seen.insert(token).second) return check.refuse("token " + shown_name(token) + " is there twice");
  }
  if (!one_is_empty) return;
  for (std::size_t i = 0; i < tokens.strings.size(); ++i) {
    if (tokens.strings[i].empty() && seen.contains("[EMPTY_" + std::to_string(i) + "]")) {
      return check.refuse("token " + std::to_string(i) + " is empty and its stand-in exists");
    }
  }
}

void check_token_arrays(Checker& check, std::uint64_t count) {
  const GgufValue* scores = check.find("tokenizer.ggml.scores");
  if (scores != nullptr && (!scores->is_array || scores->count < count ||
                            (scores->type != GgufType::float32 && scores->type != GgufType::int32))) {
    check.refuse("tokenizer.ggml.scores is not one number per token");
  }
  const GgufValue* types = check.find("tokenizer.ggml.token_type");
  if (types != nullptr && (!types->is_array || types->count < count || types->type != GgufType::int32)) {
    check.refuse("tokenizer.ggml.token_type is not one int32 per token");
  }
}

/// Special ids that llama.cpp would assert on when it adds them to a text.
void check_special_ids(Checker& check, const std::string& model, std::uint64_t count) {
  constexpr const char* kKeys[] = {"bos",       "eos",     "eot", "eom", "unknown",
                                   "seperator", "padding", "cls", "mask"};
  for (const char* key : kKeys) {
    check.count("tokenizer.ggml." + std::string(key) + "_token_id", 0, 0xFFFFFFFFULL, 0);
  }
  const auto usable = [&](const char* key, std::uint64_t fallback) {
    const std::uint64_t id = check.count(key, 0, 0xFFFFFFFFULL, fallback);
    return id < count || fallback < count;
  };
  constexpr std::uint64_t kNone = ~0ULL;
  const std::uint64_t default_bos = model == "llama"  ? 1
                                    : model == "bert" ? 101
                                    : model == "gpt2" ? 11
                                                      : kNone;
  const std::uint64_t default_eos = model == "llama" ? 2 : model == "t5" ? 1 : model == "gpt2" ? 11 : kNone;
  const bool adds_bos = check.flag("tokenizer.ggml.add_bos_token", model == "llama" || model == "bert");
  const bool adds_eos = check.flag("tokenizer.ggml.add_eos_token", model == "t5");
  check.flag("tokenizer.ggml.add_sep_token", false);
  if (adds_bos && !usable("tokenizer.ggml.bos_token_id", default_bos)) {
    check.refuse("a beginning token is to be added, but tokenizer.ggml.bos_token_id is not a token");
  }
  if (adds_eos && model != "bert" && !usable("tokenizer.ggml.eos_token_id", default_eos)) {
    check.refuse("an end token is to be added, but tokenizer.ggml.eos_token_id is not a token");
  }
  if (model == "bert" && !usable("tokenizer.ggml.seperator_token_id", 102)) {
    check.refuse("tokenizer.ggml.seperator_token_id is not a token");
  }
}

void check_tokenizer(Checker& check, GgufSummary& summary) {
  summary.tokenizer = check.text("tokenizer.ggml.model");
  const std::string chat_template = check.text("tokenizer.chat_template");
  summary.has_chat_template = !chat_template.empty();
  if (chat_template.size() > kMaxTemplateBytes) check.refuse("tokenizer.chat_template is longer than 1 MB");
  if (!is_valid_utf8(chat_template)) check.refuse("tokenizer.chat_template is not UTF-8");
  if (summary.tokenizer.empty()) return check.refuse("the key tokenizer.ggml.model is missing");
  constexpr std::string_view kKnown[] = {"no_vocab",   "none", "llama", "bert",   "gpt2",  "hybriddna",
                                         "whitespace", "t5",   "rwkv",  "plamo2", "gemma4"};
  if (std::find(std::begin(kKnown), std::end(kKnown), summary.tokenizer) == std::end(kKnown)) {
    return check.refuse("the tokenizer " + shown_name(summary.tokenizer) + " is not known");
  }
  if (summary.tokenizer == "no_vocab" || summary.tokenizer == "none") return;
  const GgufValue* tokens = check.find("tokenizer.ggml.tokens");
  if (tokens == nullptr || !tokens->is_array || tokens->type != GgufType::string || tokens->count == 0 ||
      tokens->count > kMaxTokens) {
    return check.refuse("tokenizer.ggml.tokens is not a list of texts");
  }
  summary.vocabulary = static_cast<int>(tokens->count);
  const bool must_be_utf8 = summary.tokenizer == "gpt2" || summary.tokenizer == "bert";
  check_token_texts(check, *tokens, must_be_utf8);
  check_token_arrays(check, tokens->count);
  check_special_ids(check, summary.tokenizer, tokens->count);
  const GgufValue* merges = check.find("tokenizer.ggml.merges");
  if (merges != nullptr && (!merges->is_array || merges->type != GgufType::string)) {
    return check.refuse("tokenizer.ggml.merges is not a list of texts");
  }
  if (merges != nullptr) {
    for (const std::string_view merge : merges->strings) {
      if (!is_valid_utf8(merge)) return check.refuse("merge " + shown_name(merge) + " is not UTF-8");
    }
  }
  if (summary.tokenizer == "gpt2" && merges == nullptr && check.text("tokenizer.ggml.pre") != "kimi-k2") {
    check.refuse("the key tokenizer.ggml.merges is missing");
  }
}

void check_tensors(Checker& check, const GgufMetadata& file, GgufSummary& summary) {
  if (file.tensors.empty()) return check.refuse("the file has no tensors");
  const bool own_family = is_llama_family(summary.architecture) || summary.architecture == "bert";
  std::map<std::uint32_t, TensorTypeCount> types;
  for (const GgufTensor& tensor : file.tensors) {
    const std::string_view type_name = ggml_type_info(tensor.type).name;
    // Norms and biases are added or multiplied one by one, which llama.cpp does with float types only.
    if (own_family && tensor.dimensions.size() == 1 && !is_float_type(tensor.type)) {
      return check.refuse("tensor " + shown_name(tensor.name) + " is a vector of type " +
                          std::string(type_name));
    }
    if (own_family && !is_weight_type(tensor.type)) {
      return check.refuse("tensor " + shown_name(tensor.name) + " has the type " + std::string(type_name) +
                          ", which is not one for weights");
    }
    TensorTypeCount& entry = types[tensor.type];
    entry.type = type_name;
    ++entry.tensors;
    entry.bytes += tensor.bytes;
    summary.parameters += tensor.elements;
    summary.weights_bytes += tensor.bytes;
  }
  summary.tensors = static_cast<int>(file.tensors.size());
  for (auto& [type, entry] : types) summary.tensor_types.push_back(std::move(entry));
  std::sort(summary.tensor_types.begin(), summary.tensor_types.end(),
            [](const TensorTypeCount& a, const TensorTypeCount& b) { return a.bytes > b.bytes; });

  const GgufTensor* embeddings = find_tensor(file, "token_embd.weight");
  if (const GgufTensor* output = find_tensor(file, "output.weight")) summary.output_bytes = output->bytes;
  if (embeddings != nullptr) summary.token_embedding_bytes = embeddings->bytes;
  if (!own_family) return;
  if (embeddings == nullptr) return check.refuse("the tensor token_embd.weight is missing");
  if (embeddings->dimensions.size() != 2 ||
      embeddings->dimensions[0] != static_cast<std::uint64_t>(summary.embedding_length) ||
      (summary.vocabulary > 0 &&
       embeddings->dimensions[1] != static_cast<std::uint64_t>(summary.vocabulary))) {
    return check.refuse("token_embd.weight is not one row of embedding_length for each token");
  }
  for (int layer = 0; layer < summary.layers; ++layer) {
    const std::string prefix = "blk." + std::to_string(layer) + ".";
    const bool present = std::any_of(file.tensors.begin(), file.tensors.end(), [&](const GgufTensor& tensor) {
      return tensor.name.starts_with(prefix);
    });
    if (!present)
      return check.refuse("layer " + std::to_string(layer) + " of " + std::to_string(summary.layers) +
                          " has no tensors");
  }
}

Result<GgufSummary> summarise(const GgufMetadata& file, std::string_view place) {
  Checker check(file, place);
  GgufSummary summary;
  summary.version = file.version;
  summary.file_bytes = file.file_bytes;
  summary.metadata_bytes = file.metadata_bytes;
  if (check.count("split.count", 0, 65535, 0) > 1) {
    return Error{Kind::bad_data, std::string(place), "this file is one part of a model that was split",
                 "join the parts with llama-gguf-split --merge and use the result"};
  }
  summary.architecture = check.text("general.architecture");
  if (check.ok() && summary.architecture.empty()) check.refuse("the key general.architecture is missing");
  if (check.ok() && !is_known_architecture(summary.architecture)) {
    return Error{Kind::bad_data, std::string(place),
                 "the architecture " + shown_name(summary.architecture) + " is not known",
                 "use a model that llama.cpp v0.5.0 supports"};
  }
  const std::string type = check.text("general.type");
  if (check.ok() && !type.empty() && type != "model") {
    return Error{Kind::bad_data, std::string(place), "this GGUF is not a model but " + shown_name(type),
                 "name the model's own file"};
  }
  summary.name = to_valid_utf8(check.text("general.name"));
  if (check.ok()) check_shape_keys(check, summary);
  if (check.ok()) check_family(check, summary);
  if (check.ok()) check_tokenizer(check, summary);
  if (check.ok()) check_tensors(check, file, summary);
  if (check.ok())
    summary.embedding_max_tokens = static_cast<int>(check.count(
        "loam.embedding.max_tokens", 3, static_cast<std::uint64_t>(std::max(summary.context_tokens, 3)), 0));
  if (!check.ok()) return check.error();
  const auto known = file_types().find(check.count("general.file_type", 0, 0xFFFFFFFFULL, 0xFFFFFFFFULL));
  summary.file_type =
      known != file_types().end() ? std::string(known->second) : summary.tensor_types.front().type;
  if (!check.ok()) return check.error();
  return summary;
}

class MemoryBytes : public GgufBytes {
 public:
  explicit MemoryBytes(std::string_view bytes) : bytes_(bytes) {}
  std::uint64_t size() const override { return bytes_.size(); }
  Result<void> read_at(std::uint64_t offset, void* out, std::size_t bytes) override {
    std::memcpy(out, bytes_.data() + offset, bytes);
    return done();
  }

 private:
  std::string_view bytes_;
};

}  // namespace

GgmlTypeInfo ggml_type_info(std::uint32_t type) {
  for (const TypeRow& row : kTypes) {
    if (row.number == type) return row.info;
  }
  return {};
}

bool is_known_architecture(std::string_view name) {
  return std::find(std::begin(kArchitectures), std::end(kArchitectures), name) != std::end(kArchitectures);
}

Result<GgufSummary> check_gguf(const std::filesystem::path& path) {
  auto file = ReadOnlyFile::open(path);
  if (!file) return file.error();
  GgufFile bytes(std::move(*file));
  const auto metadata = read_gguf_metadata(bytes, path.string());
  if (!metadata) return metadata.error();
  return summarise(*metadata, path.string());
}

Result<GgufSummary> check_gguf_bytes(std::string_view bytes, std::string_view place) {
  MemoryBytes source(bytes);
  const auto metadata = read_gguf_metadata(source, place);
  if (!metadata) return metadata.error();
  return summarise(*metadata, place);
}

}  // namespace loam::engine
