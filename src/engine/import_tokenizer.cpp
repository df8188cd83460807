#include "engine/import_tokenizer.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "base/utf8.h"
#include "engine/json_files.h"
#include "engine/model_file.h"

namespace loam::engine {
namespace {

// Token types of llama.cpp (llama.h, enum llama_token_type).
constexpr std::int32_t kNormal = 1;
constexpr std::int32_t kUnknown = 2;
constexpr std::int32_t kControl = 3;
constexpr std::int32_t kUserDefined = 4;
constexpr std::int32_t kUnused = 5;
constexpr std::int32_t kByte = 6;

constexpr std::string_view kMetaspace = "\xE2\x96\x81";  // U+2581, stands for a space
constexpr std::uint64_t kMaxTemplateBytes = 1U << 20U;

// Split patterns as model publishers write them in tokenizer.json, and llama.cpp's name for each.
struct SplitPattern {
  std::string_view pattern;
  std::string_view name;
};
constexpr SplitPattern kSplitPatterns[] = {
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "llama-bpe"},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "qwen2"},
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "tekken"},
};

struct Token {
  std::string text;
  std::int32_t type = kUnused;
};

Error tokenizer_error(const ModelFolder& folder, std::string message) {
  return Error{Kind::bad_data, (folder.path / "tokenizer.json").string(), std::move(message),
               "use a model with a tokenizer that is supported, or a ready-made GGUF"};
}

std::string json_text(const nlohmann::json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<bool> json_flag(const nlohmann::json& object, const char* key) {
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_boolean()) return std::nullopt;
  return found->get<bool>();
}

const nlohmann::json& json_part(const nlohmann::json& object, const char* key) {
  static const nlohmann::json kNothing;
  if (!object.is_object()) return kNothing;
  const auto found = object.find(key);
  return found == object.end() ? kNothing : *found;
}

/// A special token is a string, or an object with "content".
std::string special_text(const nlohmann::json& config, const std::string& key) {
  const nlohmann::json& entry = json_part(config, key.c_str());
  return entry.is_string() ? entry.get<std::string>() : json_text(entry, "content");
}

/// Tokenizer files of a folder; missing optional files are null.
struct TokenizerFiles {
  nlohmann::json tokenizer;
  nlohmann::json config;
  nlohmann::json special_tokens;
};

Result<TokenizerFiles> read_tokenizer_files(const ModelFolder& folder) {
  TokenizerFiles files;
  const struct {
    const char* name;
    nlohmann::json* into;
  } wanted[] = {{"tokenizer.json", &files.tokenizer},
                {"tokenizer_config.json", &files.config},
                {"special_tokens_map.json", &files.special_tokens}};
  for (const auto& file : wanted) {
    std::error_code ignored;
    if (!std::filesystem::exists(folder.path / file.name, ignored)) continue;
    auto value = read_json_file(folder.path / file.name);
    if (!value) return value.error();
    *file.into = std::move(*value);
  }
  return files;
}

/// Puts `text` at `id`; false when the id is out of range or taken by another text.
bool place_token(std::vector<Token>& tokens, const nlohmann::json& id, std::string text, std::int32_t type) {
  if (!id.is_number_unsigned()) return false;
  const auto index = id.get<std::uint64_t>();
  if (index >= tokens.size()) return false;
  Token& token = tokens[static_cast<std::size_t>(index)];
  if (token.type != kUnused && token.text != text) return false;
  token = {std::move(text), type};
  return true;
}

/// Vocabulary and added tokens of tokenizer.json.
Result<void> read_tokens(const ModelFolder& folder, const nlohmann::json& tokenizer,
                         std::vector<Token>& tokens) {
  const nlohmann::json& vocabulary = json_part(json_part(tokenizer, "model"), "vocab");
  if (!vocabulary.is_object() || vocabulary.empty())
    return tokenizer_error(folder, "there is no model.vocab");
  for (const auto& [text, id] : vocabulary.items()) {
    if (!place_token(tokens, id, text, kNormal)) {
      return tokenizer_error(folder, "the id of token '" + to_valid_utf8(text) +
                                         "' is doubled or not below " + std::to_string(tokens.size()));
    }
  }
  for (const nlohmann::json& added : json_part(tokenizer, "added_tokens")) {
    std::string text = json_text(added, "content");
    const std::int32_t type = json_flag(added, "special").value_or(false) ? kControl : kUserDefined;
    if (text.empty() || !place_token(tokens, json_part(added, "id"), text, type)) {
      return tokenizer_error(
          folder, "the added token '" + to_valid_utf8(text) + "' is empty, doubled or out of range");
    }
  }
  return done();
}

/// llama.cpp keeps one id per text and stops the program when there are two.
Result<void> write_tokens(ImportPlan& plan, const ModelFolder& folder, std::vector<Token>& tokens) {
  std::unordered_set<std::string_view> seen;
  seen.reserve(tokens.size());
  std::vector<std::string> texts;
  std::vector<std::int32_t> types;
  texts.reserve(tokens.size());
  types.reserve(tokens.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].type == kUnused) tokens[i].text = "[PAD" + std::to_string(i) + "]";
    if (!seen.insert(tokens[i].text).second) {
      return tokenizer_error(folder, "two ids have the text '" + to_valid_utf8(tokens[i].text) + "'");
    }
    texts.push_back(tokens[i].text);
    types.push_back(tokens[i].type);
  }
  plan.writer.set("tokenizer.ggml.tokens", std::span<const std::string>(texts));
  plan.writer.set("tokenizer.ggml.token_type", std::span<const std::int32_t>(types));
  return done();
}

std::optional<std::uint32_t> id_of(const std::vector<Token>& tokens, std::string_view text) {
  if (text.empty()) return std::nullopt;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].type != kUnused && tokens[i].text == text) return static_cast<std::uint32_t>(i);
  }
  return std::nullopt;
}

/// The id that config.json gives, a number or the first of a list.
std::optional<std::uint32_t> config_id(const nlohmann::json& config, const std::string& key,
                                       std::size_t limit) {
  const nlohmann::json* entry = &json_part(config, key.c_str());
  if (entry->is_array() && !entry->empty()) entry = &entry->front();
  if (!entry->is_number_unsigned() || entry->get<std::uint64_t>() >= limit) return std::nullopt;
  return static_cast<std::uint32_t>(entry->get<std::uint64_t>());
}

/// Ids of bos, eos, unk, sep, pad, cls and mask, by name in the tokenizer's files, else by config.json.
void write_special_ids(ImportPlan& plan, const ModelFolder& folder, const TokenizerFiles& files,
                       const std::vector<Token>& tokens) {
  const struct {
    const char* name;
    const char* key;
  } kinds[] = {{"bos", "tokenizer.ggml.bos_token_id"},     {"eos", "tokenizer.ggml.eos_token_id"},
               {"unk", "tokenizer.ggml.unknown_token_id"}, {"sep", "tokenizer.ggml.seperator_token_id"},
               {"pad", "tokenizer.ggml.padding_token_id"}, {"cls", "tokenizer.ggml.cls_token_id"},
               {"mask", "tokenizer.ggml.mask_token_id"}};
  for (const auto& kind : kinds) {
    const std::string key = std::string(kind.name) + "_token";
    auto id = id_of(tokens, special_text(files.config, key));
    if (!id) id = id_of(tokens, special_text(files.special_tokens, key));
    if (!id) id = config_id(folder.config, key + "_id", tokens.size());
    if (id) plan.writer.set(kind.key, *id);
  }
}

/// Whether the post-processor puts a special token first, and last.
struct Surround {
  bool first = false;
  bool last = false;
};
Surround read_post_processor(const nlohmann::json& processor) {
  Surround surround;
  const nlohmann::json& parts = json_part(processor, "processors");
  if (parts.is_array()) {
    for (const nlohmann::json& part : parts) {
      const Surround inner = read_post_processor(part);
      surround.first = surround.first || inner.first;
      surround.last = surround.last || inner.last;
    }
    return surround;
  }
  const nlohmann::json& single = json_part(processor, "single");
  if (single.is_array() && !single.empty()) {
    surround.first = single.front().is_object() && single.front().contains("SpecialToken");
    surround.last = single.size() > 1 && single.back().is_object() && single.back().contains("SpecialToken");
  }
  return surround;
}

Result<void> write_chat_template(ImportPlan& plan, const ModelFolder& folder, const TokenizerFiles& files) {
  std::string text = json_text(files.config, "chat_template");
  const nlohmann::json& several = json_part(files.config, "chat_template");
  if (several.is_array()) {
    for (const nlohmann::json& one : several) {
      if (json_text(one, "name") == "default") text = json_text(one, "template");
    }
  }
  std::error_code ignored;
  const auto beside = folder.path / "chat_template.jinja";
  if (text.empty() && std::filesystem::exists(beside, ignored)) {
    auto read = read_small_file(beside, kMaxTemplateBytes);
    if (!read) return read.error();
    text = std::move(*read);
  }
  if (!text.empty()) plan.writer.set("tokenizer.chat_template", std::string_view(text));
  return done();
}

/// llama.cpp's name of the pre-tokenizer, by what tokenizer.json says it does.
Result<std::string> pre_tokenizer_name(const ModelFolder& folder, const nlohmann::json& tokenizer) {
  const nlohmann::json& pre = json_part(tokenizer, "pre_tokenizer");
  std::vector<const nlohmann::json*> steps;
  if (json_text(pre, "type") == "Sequence") {
    for (const nlohmann::json& step : json_part(pre, "pretokenizers")) steps.push_back(&step);
  } else {
    steps.push_back(&pre);
  }
  const nlohmann::json& last = *steps.back();
  if (json_text(last, "type") != "ByteLevel" || json_flag(last, "add_prefix_space").value_or(true)) {
    return tokenizer_error(folder, "the pre-tokenizer is not byte-level without a leading space");
  }
  const bool splits_itself = json_flag(last, "use_regex").value_or(true);
  if (steps.size() == 1 && splits_itself) return std::string("gpt-2");
  if (steps.size() == 2 && splits_itself && json_text(*steps[0], "type") == "Digits" &&
      json_flag(*steps[0], "individual_digits").value_or(false)) {
    return std::string("smollm");
  }
  if (steps.size() == 2 && !splits_itself && json_text(*steps[0], "type") == "Split" &&
      json_text(*steps[0], "behavior") == "Isolated") {
    const std::string pattern = json_text(json_part(*steps[0], "pattern"), "Regex");
    for (const SplitPattern& known : kSplitPatterns) {
      if (pattern != known.pattern) continue;
      // llama-bpe takes a word that is a token as it is, before any merge; some models do not.
      const bool whole_words = json_flag(json_part(tokenizer, "model"), "ignore_merges").value_or(false);
      if (known.name == "llama-bpe" && !whole_words) return std::string("smaug-bpe");
      return std::string(known.name);
    }
  }
  return tokenizer_error(folder, "the pre-tokenizer splits text in a way that is not known");
}

/// Merges come as "a b" or as ["a", "b"].
Result<std::vector<std::string>> read_merges(const ModelFolder& folder, const nlohmann::json& tokenizer) {
  std::vector<std::string> merges;
  const nlohmann::json& entries = json_part(json_part(tokenizer, "model"), "merges");
  if (!entries.is_array() || entries.empty()) return tokenizer_error(folder, "there is no model.merges");
  merges.reserve(entries.size());
  for (const nlohmann::json& entry : entries) {
    if (entry.is_string()) {
      merges.push_back(entry.get<std::string>());
    } else if (entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_string()) {
      merges.push_back(entry[0].get<std::string>() + ' ' + entry[1].get<std::string>());
    }
    const std::size_t space = merges.empty() ? std::string::npos : merges.back().find(' ', 1);
    if (space == std::string::npos || merges.back().find(' ', space + 1) != std::string::npos) {
      return tokenizer_error(folder, "a merge is not a pair");
    }
  }
  return merges;
}

bool is_byte_token(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  return text.size() == 6 && text.starts_with("<0x") && text.back() == '>' &&
         kHex.find(text[3]) != std::string_view::npos && kHex.find(text[4]) != std::string_view::npos;
}

/// Llama 2 style: scores in place of merges; the earlier the merge that makes a token, the higher its score.
void write_sentencepiece_scores(ImportPlan& plan, std::vector<Token>& tokens,
                                const std::vector<std::string>& merges) {
  std::unordered_map<std::string, float> rank;
  rank.reserve(merges.size());
  for (std::size_t i = 0; i < merges.size(); ++i) {
    std::string joined = merges[i];
    joined.erase(joined.find(' ', 1), 1);
    rank.emplace(std::move(joined), -static_cast<float>(i));
  }
  std::vector<float> scores;
  scores.reserve(tokens.size());
  for (Token& token : tokens) {
    const auto found = rank.find(token.text);
    const bool plain = token.type == kNormal;
    if (plain && is_byte_token(token.text)) token.type = kByte;
    scores.push_back(!plain || token.type == kByte ? 0.0F
                     : found != rank.end()         ? found->second
                                                   : -static_cast<float>(merges.size()));
  }
  plan.writer.set("tokenizer.ggml.scores", std::span<const float>(scores));
}

/// Whether a space is put before the text: normalizer "Prepend" or pre-tokenizer "Metaspace".
bool adds_leading_space(const nlohmann::json& tokenizer) {
  bool adds = false;
  const auto look = [&](const nlohmann::json& step) {
    const std::string type = json_text(step, "type");
    if (type == "Prepend") adds = adds || json_text(step, "prepend") == kMetaspace;
    if (type == "Metaspace") {
      const std::string scheme = json_text(step, "prepend_scheme");
      adds = adds || scheme == "first" || scheme == "always" ||
             (scheme.empty() && json_flag(step, "add_prefix_space").value_or(true));
    }
  };
  for (const char* part : {"normalizer", "pre_tokenizer"}) {
    const nlohmann::json& step = json_part(tokenizer, part);
    look(step);
    for (const char* list : {"normalizers", "pretokenizers"}) {
      for (const nlohmann::json& inner : json_part(step, list)) look(inner);
    }
  }
  return adds;
}

}  // namespace

Result<void> add_wordpiece_tokenizer(ImportPlan& plan, const ModelFolder& folder, std::uint32_t vocabulary) {
  const auto files = read_tokenizer_files(folder);
  if (!files) return files.error();
  std::vector<Token> tokens(vocabulary);
  if (!files->tokenizer.is_null()) {
    if (json_text(json_part(files->tokenizer, "model"), "type") != "WordPiece") {
      return tokenizer_error(folder, "the tokenizer is not WordPiece");
    }
    if (auto read = read_tokens(folder, files->tokenizer, tokens); !read) return read.error();
  } else {
    auto text = read_small_file(folder.path / "vocab.txt", 64U << 20U);
    if (!text) return text.error();
    std::size_t id = 0;
    for (std::size_t at = 0; at < text->size();) {
      const std::size_t end = std::min(text->find('\n', at), text->size());
      std::string word = text->substr(at, end - at);
      if (word.ends_with('\r')) word.pop_back();
      if (id >= tokens.size()) return config_error(folder, "vocab.txt has more lines than vocab_size");
      const bool bracketed =
          word == "[PAD]" || word == "[UNK]" || word == "[CLS]" || word == "[SEP]" || word == "[MASK]";
      tokens[id++] = {std::move(word), bracketed ? kControl : kNormal};
      at = end + 1;
    }
  }
  // The ids are found by the names that the files use, before the texts change.
  write_special_ids(plan, folder, *files, tokens);
  // llama.cpp marks the beginning of a word, the files mark its continuation ("##").
  for (Token& token : tokens) {
    if (token.type != kNormal) continue;
    token.text = token.text.starts_with("##") && token.text.size() > 2 ? token.text.substr(2)
                                                                       : std::string(kMetaspace) + token.text;
  }
  plan.writer.set("tokenizer.ggml.model", "bert");
  plan.writer.set("tokenizer.ggml.pre", "bert-bge");
  if (auto written = write_tokens(plan, folder, tokens); !written) return written.error();

  const nlohmann::json& normalizer = json_part(files->tokenizer, "normalizer");
  if (const auto lower = json_flag(normalizer, "lowercase")) {
    plan.writer.set("tokenizer.ggml.normalizer.lowercase", *lower);
  } else if (const auto lower_config = json_flag(files->config, "do_lower_case")) {
    plan.writer.set("tokenizer.ggml.normalizer.lowercase", *lower_config);
  }
  if (const auto strip = json_flag(normalizer, "strip_accents")) {
    plan.writer.set("tokenizer.ggml.normalizer.strip_accents", *strip);
  }
  return done();
}

Result<void> add_bpe_tokenizer(ImportPlan& plan, const ModelFolder& folder, std::uint32_t vocabulary) {
  const auto files = read_tokenizer_files(folder);
  if (!files) return files.error();
  if (files->tokenizer.is_null()) {
    return Error{Kind::bad_data, folder.path.string(), "there is no tokenizer.json",
                 "save the tokenizer as a fast tokenizer (tokenizer.json) beside the weights"};
  }
  const nlohmann::json& tokenizer = files->tokenizer;
  const nlohmann::json& model = json_part(tokenizer, "model");
  if (json_text(model, "type") != "BPE") return tokenizer_error(folder, "the tokenizer is not BPE");
  std::vector<Token> tokens(vocabulary);
  if (auto read = read_tokens(folder, tokenizer, tokens); !read) return read.error();
  auto merges = read_merges(folder, tokenizer);
  if (!merges) return merges.error();

  const bool byte_fallback = json_flag(model, "byte_fallback").value_or(false);
  if (byte_fallback) {
    const std::string unknown = json_text(model, "unk_token");
    for (Token& token : tokens) {
      if (token.type != kUnused && !unknown.empty() && token.text == unknown) token.type = kUnknown;
    }
    plan.writer.set("tokenizer.ggml.model", "llama");
    plan.writer.set("tokenizer.ggml.pre", "default");
    write_sentencepiece_scores(plan, tokens, *merges);
    plan.writer.set("tokenizer.ggml.add_space_prefix", adds_leading_space(tokenizer));
  } else {
    const auto pre = pre_tokenizer_name(folder, tokenizer);
    if (!pre) return pre.error();
    const std::string normalizer = json_text(json_part(tokenizer, "normalizer"), "type");
    if (normalizer == "NFC") {
      plan.notes.emplace_back("the tokenizer asks for text in NFC; llama.cpp takes the text as it is");
    } else if (!normalizer.empty()) {
      return tokenizer_error(folder, "the normalizer " + to_valid_utf8(normalizer) + " is not supported");
    }
    plan.writer.set("tokenizer.ggml.model", "gpt2");
    plan.writer.set("tokenizer.ggml.pre", std::string_view(*pre));
    plan.writer.set("tokenizer.ggml.merges", std::span<const std::string>(*merges));
  }
  // User-defined tokens are matched in the text as it is, where a space is a space.
  for (Token& token : tokens) {
    if (token.type != kUserDefined) continue;
    for (std::size_t at = token.text.find(kMetaspace); at != std::string::npos;
         at = token.text.find(kMetaspace, at)) {
      token.text.replace(at, kMetaspace.size(), " ");
    }
  }
  if (auto written = write_tokens(plan, folder, tokens); !written) return written.error();
  write_special_ids(plan, folder, *files, tokens);

  Surround surround = read_post_processor(json_part(tokenizer, "post_processor"));
  if (json_text(files->config, "tokenizer_class").starts_with("Llama")) {
    surround.first = json_flag(files->config, "add_bos_token").value_or(surround.first);
    surround.last = json_flag(files->config, "add_eos_token").value_or(surround.last);
  }
  plan.writer.set("tokenizer.ggml.add_bos_token", surround.first);
  plan.writer.set("tokenizer.ggml.add_eos_token", surround.last);
  return write_chat_template(plan, folder, *files);
}

}  // namespace loam::engine
