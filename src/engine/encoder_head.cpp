#include "engine/encoder_head.h"

#include <array>
#include <cmath>
#include <cstring>
#include <optional>

#include "base/utf8.h"
#include "engine/adapter_check.h"
#include "engine/gguf_file.h"

namespace loam::engine {
namespace {

constexpr std::size_t kMostRows = 65536;
constexpr std::size_t kLongestName = 4096;  // bytes of a text in our keys

constexpr std::array<std::string_view, 4> kKinds = {"embedder", "reranker", "reader", "classifier"};
constexpr std::array<std::string_view, 3> kPoolings = {"mean", "cls", "tokens"};
constexpr std::array<std::string_view, 2> kInputs = {"text", "pair"};

template <std::size_t N>
std::string joined(const std::array<std::string_view, N>& names) {
  std::string out;
  for (const std::string_view name : names) out += (out.empty() ? "" : ", ") + std::string(name);
  return out;
}

class HeadKeys {
 public:
  HeadKeys(const GgufMetadata& file, GgufBytes& bytes, std::string place)
      : file_(file), bytes_(bytes), place_(std::move(place)) {}

  Error wrong(const std::string& key, const std::string& what) const {
    Error error = gguf_error(place_, key + " " + what);
    error.next_step = "make the adapter again, or use another one";
    return error;
  }

  /// The empty text when the key is missing.
  Result<std::string> text(const std::string& key) const {
    const GgufValue* value = file_.find(key);
    if (value == nullptr) return std::string();
    if (value->is_array || value->type != GgufType::string) return wrong(key, "is not a text");
    if (value->text.size() > kLongestName) return wrong(key, "is too long");
    return to_valid_utf8(value->text);
  }

  /// The place of a text among `names`; nothing when the key is missing.
  template <std::size_t N>
  Result<std::optional<std::size_t>> choice(const std::string& key,
                                            const std::array<std::string_view, N>& names) const {
    const Result<std::string> value = text(key);
    if (!value) return value.error();
    if (value->empty()) return std::optional<std::size_t>();
    for (std::size_t i = 0; i < N; ++i) {
      if (names[i] == *value) return std::optional<std::size_t>(i);
    }
    return wrong(key, "is " + shown_name(*value) + ", not one of " + joined(names));
  }

  /// Nothing when the key is missing.
  Result<std::optional<float>> number(const std::string& key) const {
    const GgufValue* value = file_.find(key);
    if (value == nullptr) return std::optional<float>();
    if (value->is_array || value->type != GgufType::float32 || !std::isfinite(value->number))
      return wrong(key, "is not a finite float32 number");
    return std::optional<float>(static_cast<float>(value->number));
  }

  /// The empty list when the key is missing; otherwise exactly `count` finite numbers.
  Result<std::vector<float>> floats(const std::string& key, std::size_t count) const {
    const GgufValue* value = file_.find(key);
    if (value == nullptr) return std::vector<float>();
    if (!value->is_array || value->type != GgufType::float32) return wrong(key, "is not an array of float32");
    if (value->count != count) {
      return wrong(key,
                   "has " + std::to_string(value->count) + " numbers, expected " + std::to_string(count));
    }
    std::vector<float> numbers(count);
    if (count > 0) {
      if (auto read = bytes_.read_at(value->data_offset, numbers.data(), count * sizeof(float)); !read)
        return read.error();
    }
    for (const float number : numbers) {
      if (!std::isfinite(number)) return wrong(key, "holds something that is not a finite number");
    }
    return numbers;
  }

  const GgufValue* find(const std::string& key) const { return file_.find(key); }

 private:
  const GgufMetadata& file_;
  GgufBytes& bytes_;
  std::string place_;
};

Result<void> read_labels(const HeadKeys& keys, EncoderHead& head) {
  const std::string key = "loam.head.labels";
  const GgufValue* value = keys.find(key);
  if (head.kind != HeadKind::classifier) return done();
  if (value == nullptr || !value->is_array || value->type != GgufType::string)
    return keys.wrong(key, "is not a list of texts");
  if (value->strings.empty() || value->strings.size() > kMostRows)
    return keys.wrong(key, "has " + std::to_string(value->strings.size()) + " labels");
  for (const std::string_view label : value->strings) {
    if (label.empty() || label.size() > kLongestName)
      return keys.wrong(key, "has an empty or over-long label");
    head.labels.push_back(to_valid_utf8(label));
  }
  return done();
}

Result<void> read_shape(const HeadKeys& keys, EncoderHead& head) {
  const auto kind = keys.choice("loam.head.kind", kKinds);
  if (!kind) return kind.error();
  head.kind = static_cast<HeadKind>(kind->value_or(0));
  const auto pooling = keys.choice("loam.head.pooling", kPoolings);
  if (!pooling) return pooling.error();
  const bool reads_tokens = head.kind == HeadKind::reader;
  head.pooling_stated = pooling->has_value();
  head.pooling = pooling->has_value() ? static_cast<HeadPooling>(**pooling)
                 : reads_tokens       ? HeadPooling::tokens
                                      : HeadPooling::mean;
  if (reads_tokens != (head.pooling == HeadPooling::tokens)) {
    return keys.wrong("loam.head.pooling",
                      reads_tokens ? "of a reader can only be tokens" : "can be tokens for a reader only");
  }
  const auto input = keys.choice("loam.head.input", kInputs);
  if (!input) return input.error();
  const bool reads_pairs = head.kind == HeadKind::reader || head.kind == HeadKind::reranker;
  head.input = input->has_value() ? static_cast<HeadInput>(**input)
               : reads_pairs      ? HeadInput::pair
                                  : HeadInput::text;
  if (reads_pairs != (head.input == HeadInput::pair)) {
    return keys.wrong("loam.head.input", "of a " + std::string(name_of(head.kind)) + " must be " +
                                             (reads_pairs ? "pair" : "text"));
  }
  return done();
}

}  // namespace

std::string_view name_of(HeadKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

Result<EncoderHead> read_encoder_head(const std::filesystem::path& adapter, std::string_view architecture,
                                      int width) {
  if (auto plain = check_adapter(adapter, architecture); !plain) return plain.error();
  auto opened = ReadOnlyFile::open(adapter);
  if (!opened) return opened.error();
  GgufFile bytes(std::move(*opened));
  const auto file = read_gguf_metadata(bytes, adapter.string());
  if (!file) return file.error();
  const HeadKeys keys(*file, bytes, adapter.string());
  EncoderHead head;
  head.width = static_cast<std::size_t>(width);
  if (auto shape = read_shape(keys, head); !shape) return shape.error();
  if (auto labels = read_labels(keys, head); !labels) return labels.error();
  head.rows = head.kind == HeadKind::embedder   ? 0
              : head.kind == HeadKind::reranker ? 1
              : head.kind == HeadKind::reader   ? 2
                                                : head.labels.size();
  if (head.rows > 0) {
    auto weight = keys.floats("loam.head.weight", head.rows * head.width);
    if (!weight) return weight.error();
    if (weight->empty()) return keys.wrong("loam.head.weight", "is missing");
    head.weight = std::move(*weight);
    auto bias = keys.floats("loam.head.bias", head.rows);
    if (!bias) return bias.error();
    head.bias = bias->empty() ? std::vector<float>(head.rows, 0.0F) : std::move(*bias);
  }
  const auto no_answer = keys.number("loam.head.no_answer_bias");
  if (!no_answer) return no_answer.error();
  head.no_answer_bias = no_answer->value_or(0.0F);
  if (const GgufValue* longest = keys.find("loam.head.max_tokens"); longest != nullptr) {
    if (longest->is_array || !longest->is_integer() || longest->is_negative() ||
        longest->unsigned_value < 8 || longest->unsigned_value > 1U << 20U) {
      return keys.wrong("loam.head.max_tokens", "is not a number of tokens");
    }
    head.max_tokens = static_cast<int>(longest->unsigned_value);
  }
  for (const auto& [key, field] : {std::pair{"loam.base.name", &head.base_name},
                                   std::pair{"loam.base.fingerprint", &head.base_fingerprint},
                                   std::pair{"loam.base.identity", &head.base_identity}}) {
    auto text = keys.text(key);
    if (!text) return text.error();
    *field = std::move(*text);
  }
  return head;
}

}  // namespace loam::engine
