#include "engine/local_model.h"

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <fstream>

#include "base/hash.h"
#include "common.h"
#include "engine/base_identity.h"
#include "engine/llama_handles.h"
#include "engine/llama_log.h"

namespace loam::engine {
namespace {

constexpr std::size_t kLongestText = std::size_t{1} << 30;  // llama_tokenize counts bytes in an int32
constexpr std::size_t kSampleBytes = 1024;                  // per sample; three samples per tensor

struct GgufFree {
  void operator()(gguf_context* context) const { gguf_free(context); }
};

std::vector<SpecialToken> control_tokens_of(const llama_vocab* vocabulary) {
  std::vector<SpecialToken> tokens;
  const int count = llama_vocab_n_tokens(vocabulary);
  for (Token id = 0; id < count; ++id) {
    const int attributes = llama_vocab_get_attr(vocabulary, id);
    if ((attributes & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN)) == 0) {
      continue;
    }
    std::string text = llama_vocab_get_text(vocabulary, id);
    if (!text.empty()) {
      tokens.push_back({std::move(text), id, (attributes & LLAMA_TOKEN_ATTR_LSTRIP) != 0,
                        (attributes & LLAMA_TOKEN_ATTR_RSTRIP) != 0});
    }
  }
  std::stable_sort(tokens.begin(), tokens.end(), [](const SpecialToken& a, const SpecialToken& b) {
    return a.text.size() > b.text.size();
  });
  return tokens;
}

Result<std::vector<Token>> tokenize(const llama_vocab* vocabulary, std::string_view text, bool add_special,
                                    bool parse_special) {
  if (text.size() > kLongestText) {
    return Error{Kind::bad_request, "text of " + std::to_string(text.size()) + " bytes",
                 "a text of more than 1 GiB cannot be turned into tokens at once", "cut it into parts"};
  }
  try {
    std::vector<Token> tokens(text.size() / 2 + 16);
    const auto call = [&] {
      return llama_tokenize(vocabulary, text.data(), static_cast<int>(text.size()), tokens.data(),
                            static_cast<int>(tokens.size()), add_special, parse_special);
    };
    int count = call();
    if (count < 0 && count != INT_MIN) {
      tokens.resize(static_cast<std::size_t>(-count));
      count = call();
    }
    if (count < 0) {
      return Error{Kind::our_bug, "tokenizer",
                   "llama.cpp could not encode a text of " + std::to_string(text.size()) + " bytes", ""};
    }
    tokens.resize(static_cast<std::size_t>(count));
    return tokens;
  } catch (const std::exception& failure) {
    return Error{Kind::bad_data, "tokenizer", failure.what(), "check the model file: loam models show"};
  }
}

struct LoadProgress {
  const ProgressSink* sink;
  std::string what;
};

bool report_load(float done, void* data) {
  const auto* progress = static_cast<const LoadProgress*>(data);
  (*progress->sink)({progress->what, static_cast<std::uint64_t>(done * 1000.0F), 1000});
  return true;
}

}  // namespace

int thread_count(int requested) {
  constexpr int kMostThreads = 512;  // GGML_MAX_N_THREADS
  return std::clamp(requested > 0 ? requested : common_cpu_get_num_math(), 1, kMostThreads);
}

Result<void> require_weights(const LocalModel& model) {
  if (model.impl().load == Load::vocabulary_only) {
    return Error{Kind::bad_request, model.name(), "only its vocabulary was loaded",
                 "open it with its weights"};
  }
  return done();
}

ThreadpoolPtr make_threadpool(int threads) {
  ggml_threadpool_params params = ggml_threadpool_params_default(threads);
  return ThreadpoolPtr(ggml_threadpool_new(&params));
}

std::string piece_of(const llama_vocab* vocabulary, Token token, bool special) {
  std::string piece(64, '\0');
  const auto call = [&] {
    return llama_token_to_piece(vocabulary, token, piece.data(), static_cast<int>(piece.size()), 0, special);
  };
  int size = call();
  if (size < 0) {
    piece.resize(static_cast<std::size_t>(-size));
    size = call();
  }
  piece.resize(static_cast<std::size_t>(std::max(size, 0)));
  return piece;
}

std::string model_name_of(const std::filesystem::path& gguf) {
  const std::filesystem::path file = gguf.filename();
  return file.extension() == ".gguf" ? file.stem().string() : file.string();
}

Result<std::string> fingerprint_of(const std::filesystem::path& gguf, const GgufSummary& summary) {
  const Error unreadable{Kind::unavailable, gguf.string(), "the file cannot be read",
                         "check that it exists and may be read"};
  // Every tensor gives its first, middle and last KiB: a file in which any one tensor was retrained is
  // another model, and 90 MB need not be read for that at every start.
  const std::unique_ptr<gguf_context, GgufFree> context(
      gguf_init_from_file(gguf.c_str(), {/*no_alloc=*/true, /*ctx=*/nullptr}));
  std::ifstream in(gguf, std::ios::binary);
  if (!context || !in) {
    return unreadable;
  }
  Sha256 hash;
  hash.add("loam model fingerprint 1\n" + std::to_string(summary.file_bytes) + "\n");
  std::string buffer;
  const auto add_range = [&](std::uint64_t start, std::uint64_t size) {
    constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;
    while (size > 0) {
      const std::uint64_t now = std::min(size, kPiece);
      buffer.resize(now);
      in.seekg(static_cast<std::streamoff>(start));
      if (!in.read(buffer.data(), static_cast<std::streamsize>(now))) {
        return false;
      }
      hash.add(buffer);
      start += now;
      size -= now;
    }
    return true;
  };
  const std::uint64_t data = gguf_get_data_offset(context.get());
  if (!add_range(0, std::min(data, summary.file_bytes))) {
    return unreadable;
  }
  for (std::int64_t i = 0; i < gguf_get_n_tensors(context.get()); ++i) {
    const std::uint64_t start = data + gguf_get_tensor_offset(context.get(), i);
    const std::uint64_t size = gguf_get_tensor_size(context.get(), i);
    const bool whole = size <= 3 * kSampleBytes;
    const bool read = whole ? add_range(start, size)
                            : add_range(start, kSampleBytes) && add_range(start + size / 2, kSampleBytes) &&
                                  add_range(start + size - kSampleBytes, kSampleBytes);
    if (!read) {
      return unreadable;
    }
  }
  return hash.hex();
}

Result<std::vector<Token>> encode_parts(const LocalModel& model, const std::vector<PromptPart>& parts) {
  struct Fragment {
    std::string text;
    const SpecialToken* control = nullptr;
  };
  const LocalModel::Impl& impl = model.impl();
  std::vector<Fragment> fragments;
  const auto add_plain = [&](std::string_view text) {
    if (text.empty()) {
      return;
    }
    if (fragments.empty() || fragments.back().control != nullptr) {
      fragments.emplace_back();
    }
    fragments.back().text += text;
  };
  for (const PromptPart& part : parts) {
    if (part.outside) {
      add_plain(part.text);
      continue;
    }
    // Longest control token first, as llama.cpp splits: a shorter one inside a longer one is not found.
    std::vector<Fragment> own{{part.text, nullptr}};
    for (const SpecialToken& special : impl.control_tokens) {
      if (part.text.find(special.text) == std::string::npos) {
        continue;
      }
      std::vector<Fragment> split;
      for (Fragment& fragment : own) {
        if (fragment.control != nullptr) {
          split.push_back(std::move(fragment));
          continue;
        }
        std::string_view rest = fragment.text;
        for (std::size_t at = rest.find(special.text); at != std::string_view::npos;
             at = rest.find(special.text)) {
          split.push_back({std::string(rest.substr(0, at)), nullptr});
          split.push_back({"", &special});
          rest.remove_prefix(at + special.text.size());
        }
        split.push_back({std::string(rest), nullptr});
      }
      own = std::move(split);
    }
    for (const Fragment& fragment : own) {
      if (fragment.control != nullptr) {
        fragments.push_back(fragment);
      } else {
        add_plain(fragment.text);
      }
    }
  }

  constexpr std::string_view kSpace = " \t\n\v\f\r";
  for (std::size_t i = 0; i < fragments.size(); ++i) {
    if (fragments[i].control == nullptr) {
      continue;
    }
    if (fragments[i].control->strips_left && i > 0) {
      std::string& text = fragments[i - 1].text;
      text.erase(text.find_last_not_of(kSpace) + 1);
    }
    if (fragments[i].control->strips_right && i + 1 < fragments.size()) {
      std::string& text = fragments[i + 1].text;
      text.erase(0, std::min(text.find_first_not_of(kSpace), text.size()));
    }
  }

  std::vector<Token> tokens;
  if (llama_vocab_get_add_bos(impl.vocabulary)) {
    const Token bos = llama_vocab_bos(impl.vocabulary);
    if (fragments.empty() || fragments.front().control == nullptr || fragments.front().control->id != bos) {
      tokens.push_back(bos);
    }
  }
  for (const Fragment& fragment : fragments) {
    if (fragment.control != nullptr) {
      tokens.push_back(fragment.control->id);
    } else if (!fragment.text.empty()) {
      auto plain = tokenize(impl.vocabulary, fragment.text, false, false);
      if (!plain) {
        return plain.error();
      }
      tokens.insert(tokens.end(), plain->begin(), plain->end());
    }
  }
  return tokens;
}

LocalModel::LocalModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LocalModel::~LocalModel() = default;

Result<std::shared_ptr<LocalModel>> LocalModel::open(const std::filesystem::path& gguf,
                                                     LocalModelOptions options, Logger& logger,
                                                     const ProgressSink& progress) {
  auto summary = check_gguf(gguf);
  if (!summary) {
    return summary.error();
  }
  auto fingerprint = fingerprint_of(gguf, *summary);
  if (!fingerprint) {
    return fingerprint.error();
  }
  LlamaLogScope log(logger);
  llama_model_params params = llama_model_default_params();
  params.use_extra_bufts = options.repack == Repack::on;
  params.vocab_only = options.load == Load::vocabulary_only;
  params.n_gpu_layers = options.gpu_layers;
  LoadProgress load_progress{&progress, "loading " + model_name_of(gguf)};
  if (progress) {
    params.progress_callback = &report_load;
    params.progress_callback_user_data = &load_progress;
  }
  auto impl = std::make_unique<Impl>();
  try {
    impl->model.reset(llama_model_load_from_file(gguf.c_str(), params));
  } catch (const std::bad_alloc&) {
    return Error{Kind::out_of_room, gguf.string(), "memory does not suffice to load the model",
                 "try: loam fit"};
  } catch (const std::exception& failure) {
    return Error{Kind::bad_data, gguf.string(), failure.what(), "fetch the file again: loam models pull"};
  }
  if (!impl->model) {
    const std::string why = log.last_error("llama.cpp could not load the model");
    const bool no_room = why.find("alloc") != std::string::npos;
    return Error{no_room ? Kind::out_of_room : Kind::bad_data, gguf.string(), why,
                 no_room ? "try a smaller model: loam fit" : "fetch the file again: loam models pull"};
  }
  impl->vocabulary = llama_model_get_vocab(impl->model.get());
  impl->logger = &logger;
  impl->load = options.load;
  impl->file = gguf;
  impl->name = model_name_of(gguf);
  impl->fingerprint = *std::move(fingerprint);
  impl->summary = *std::move(summary);
  impl->control_tokens = control_tokens_of(impl->vocabulary);
  std::array<char, 256> text{};
  llama_model_desc(impl->model.get(), text.data(), text.size());
  impl->description = text.data();
  return std::shared_ptr<LocalModel>(new LocalModel(std::move(impl)));
}

const std::string& LocalModel::name() const { return impl_->name; }
const std::filesystem::path& LocalModel::file() const { return impl_->file; }
const std::string& LocalModel::fingerprint() const { return impl_->fingerprint; }
Result<std::string> LocalModel::identity() const { return base_identity(impl_->file); }
const std::string& LocalModel::description() const { return impl_->description; }
const std::string& LocalModel::architecture() const { return impl_->summary.architecture; }
int LocalModel::vocabulary_size() const { return llama_vocab_n_tokens(impl_->vocabulary); }
int LocalModel::trained_context_tokens() const { return impl_->summary.context_tokens; }
int LocalModel::dimensions() const { return impl_->summary.embedding_length; }
int LocalModel::layers() const { return impl_->summary.layers; }
std::uint64_t LocalModel::parameters() const { return impl_->summary.parameters; }
std::uint64_t LocalModel::weight_bytes() const { return impl_->summary.weights_bytes; }

std::optional<std::string> LocalModel::metadata(const std::string& key) const {
  std::vector<char> text(1024);
  const int size = llama_model_meta_val_str(impl_->model.get(), key.c_str(), text.data(), text.size());
  if (size < 0) {
    return std::nullopt;
  }
  if (static_cast<std::size_t>(size) >= text.size()) {
    text.resize(static_cast<std::size_t>(size) + 1);
    llama_model_meta_val_str(impl_->model.get(), key.c_str(), text.data(), text.size());
  }
  return std::string(text.data(), static_cast<std::size_t>(size));
}

std::optional<std::string> LocalModel::chat_template() const {
  const char* source = llama_model_chat_template(impl_->model.get(), nullptr);
  if (source == nullptr || *source == '\0') {
    return std::nullopt;
  }
  return std::string(source);
}

Result<std::vector<Token>> LocalModel::encode(std::string_view text, AddSpecial add_special,
                                              ParseSpecial parse_special) const {
  LlamaLogScope log(*impl_->logger);
  return tokenize(impl_->vocabulary, text, add_special == AddSpecial::yes,
                  parse_special == ParseSpecial::yes);
}

Result<std::vector<TokenPiece>> LocalModel::encode_pieces(std::string_view text, AddSpecial add_special,
                                                          ParseSpecial parse_special) const {
  auto tokens = encode(text, add_special, parse_special);
  if (!tokens) {
    return tokens.error();
  }
  std::vector<TokenPiece> pieces;
  pieces.reserve(tokens->size());
  for (const Token token : *tokens) {
    pieces.push_back(
        {token, piece_of(impl_->vocabulary, token, true), llama_vocab_is_control(impl_->vocabulary, token)});
  }
  return pieces;
}

Result<std::string> LocalModel::decode(std::span<const Token> tokens) const {
  for (const Token token : tokens) {
    if (token < 0 || token >= vocabulary_size()) {
      return Error{
          Kind::bad_request, "token " + std::to_string(token),
          "the vocabulary of " + name() + " has the numbers 0 to " + std::to_string(vocabulary_size() - 1),
          "loam tokens encode shows the numbers of a text"};
    }
  }
  if (tokens.empty()) {
    return std::string();
  }
  LlamaLogScope log(*impl_->logger);
  try {
    std::string text(tokens.size() * 8 + 16, '\0');
    const auto call = [&] {
      return llama_detokenize(impl_->vocabulary, tokens.data(), static_cast<int>(tokens.size()), text.data(),
                              static_cast<int>(text.size()), false, true);
    };
    int size = call();
    if (size < 0) {
      text.resize(static_cast<std::size_t>(-size));
      size = call();
    }
    if (size < 0) {
      return Error{Kind::our_bug, "tokenizer", "llama.cpp could not decode the tokens", ""};
    }
    text.resize(static_cast<std::size_t>(size));
    return text;
  } catch (const std::exception& failure) {
    return Error{Kind::bad_data, "tokenizer", failure.what(), "check the model file: loam models show"};
  }
}

}  // namespace loam::engine
