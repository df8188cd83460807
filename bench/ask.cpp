// bench_ask: time to the first token of a cited answer, ours against llama-server, for the very same final
// prompt; both warm, neither reusing cached tokens, interleaved. Retrieval time beside it. The check: both
// see the same number of prompt tokens and begin with the same text.
#include <unistd.h>

#include <cstdio>
#include <thread>

#include "base/clock.h"
#include "base/json.h"
#include "engine/local_embedder.h"
#include "engine/local_engine.h"
#include "prompt/prompt.h"
#include "retrieve/retrieve.h"
#include "support/collection.h"
#include "support/data.h"
#include "support/embedding_cache.h"
#include "support/process.h"
#include "support/report.h"

namespace loam::bench {
namespace {

constexpr int kContext = 2048;
constexpr int kAnswerTokens = 8;  // the first is timed; the rest show that both write the same

/// The content pieces of a llama-server stream, and its prompt token count.
std::pair<std::string, int> read_stream(const std::string& reply) {
  std::string text;
  int prompt_tokens = 0;
  for (std::size_t at = reply.find("data: "); at != std::string::npos; at = reply.find("data: ", at + 1)) {
    const std::size_t end = reply.find('\n', at);
    const auto event = parse_json(reply.substr(at + 6, end - at - 6), "llama-server");
    if (!event) continue;
    text += event->value("content", std::string());
    prompt_tokens = std::max(prompt_tokens, event->value("tokens_evaluated", 0));
  }
  return {text, prompt_tokens};
}

int run(int argc, char** argv) {
  std::vector<std::string> others;
  const Settings settings = settings_from(argc, argv, &others);
  const char* tools_folder = std::getenv("LOAM_LLAMA_TOOLS");
  const std::string tools = other(others, "tools", tools_folder != nullptr ? tools_folder : "");
  if (tools.empty()) fail("set LOAM_LLAMA_TOOLS to the folder that holds llama-server");
  const std::string file =
      (settings.models / other(others, "file", "smollm2-135m-instruct-q4_1.gguf")).string();
  const int threads =
      std::stoi(other(others, "threads", std::to_string(std::max(1U, std::thread::hardware_concurrency()))));
  const int port = std::stoi(other(others, "port", "18437"));
  const std::size_t n = settings.limit > 0 ? static_cast<std::size_t>(settings.limit) : 30;
  const Json before = machine();

  const auto model = must(engine::LocalEmbedder::open(settings.models / "all-minilm-l6-v2.gguf"));
  EmbeddingCache cache(*model, settings.work);
  const DataSet data = read_squad(settings.data / "01-qa-squad");
  Ingested in = ingest_data_set(settings, data, cache);
  auto retriever = must(retrieve::Retriever::open(*in.store, in.collection, *model));
  engine::LocalEngineOptions options;
  options.context_tokens = kContext;
  options.threads = threads;
  options.reuse = engine::Reuse::off;
  auto engine = must(engine::LocalEngine::open(file, options));
  const prompt::PrePrompt pre_prompt = must(prompt::load_pre_prompt("grounded", {}));

  const Background server({tools + "/llama-server", "-m", file, "-c", std::to_string(kContext), "-t",
                           std::to_string(threads), "-fa", "on", "-np", "1", "-ngl", "0", "--host",
                           "127.0.0.1", "--port", std::to_string(port)});
  bool up = false;
  for (int attempt = 0; attempt < 240 && !up; ++attempt) {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    up = post_json(port, "/tokenize", R"({"content":"hello"})", nullptr, nullptr) == 200;
    if (!server.is_running()) fail("llama-server ended");
  }
  if (!up) fail("llama-server does not answer on port " + std::to_string(port));

  std::vector<double> ours, theirs, ours_from_question, retrieval, retrieval_without_embedding, prompt_tokens;
  int same_text = 0, same_tokens = 0, asked = 0;
  for (std::size_t i = 0; i < n + 2; ++i) {
    const Question& question = data.test[(i * 37) % data.test.size()];
    const Stopwatch whole;
    retrieve::RetrieveTimings spent;
    const std::vector<Hit> hits = must(retriever->find(question.text, 4, {}, &spent));
    const double found_ms = whole.milliseconds();
    const prompt::Prompt built =
        must(prompt::build(*engine, pre_prompt, {}, hits, question.text, {engine->context_tokens(), 128}));
    engine::GenerateRequest request;
    request.messages = built.messages;
    request.max_tokens = kAnswerTokens;
    double first_ms = 0;
    engine->clear_cache();
    const double prepared_ms = whole.milliseconds();
    const engine::Draft draft = must(engine->generate(request, [&](std::string_view) {
      if (first_ms == 0) first_ms = whole.milliseconds();
      return true;
    }));
    const std::string rendered = must(engine->render(built.messages));
    const Json body{{"prompt", rendered},    {"n_predict", kAnswerTokens}, {"stream", true},
                    {"cache_prompt", false}, {"temperature", 0.0},         {"top_k", 1},
                    {"samplers", {"top_k"}}};
    double server_first_ms = 0;
    std::string reply;
    if (post_json(port, "/completion", dump_json(body), &server_first_ms, &reply) != 200) {
      fail("llama-server refused the prompt: " + reply.substr(0, 300));
    }
    if (i < 2) continue;  // both warm up
    ++asked;
    const auto [their_text, their_tokens] = read_stream(reply);
    ours.push_back(draft.usage.first_token_ms);
    theirs.push_back(server_first_ms);
    ours_from_question.push_back(first_ms);
    retrieval.push_back(found_ms);
    retrieval_without_embedding.push_back(found_ms - spent.embed_ms);
    prompt_tokens.push_back(draft.usage.prompt_tokens);
    same_tokens += their_tokens == draft.usage.prompt_tokens ? 1 : 0;
    const std::size_t shared = std::min(their_text.size(), draft.text.size());
    same_text += their_text.substr(0, shared) == draft.text.substr(0, shared) ? 1 : 0;
    if (asked <= 3) {
      std::printf("prompt %d tokens: ours %.0f ms, llama-server %.0f ms (prepared in %.1f ms)\n",
                  draft.usage.prompt_tokens, draft.usage.first_token_ms, server_first_ms, prepared_ms);
    }
  }
  const double ratio = median(ours) / median(theirs);
  std::printf("\ntime to first token, %d questions, median prompt %.0f tokens, %d threads\n", asked,
              median(prompt_tokens), threads);
  std::printf("  ours %.1f ms, llama-server %.1f ms, ratio %.3f (target at most 1.1)\n", median(ours),
              median(theirs), ratio);
  std::printf("  ours from the question on, retrieval and prompt included: %.1f ms\n",
              median(ours_from_question));
  std::printf(
      "  retrieval over %llu passages: p50 %.1f ms, without the query embedding p50 %.1f p95 %.1f ms (target "
      "50)\n",
      static_cast<unsigned long long>(in.counts.passages), median(retrieval),
      percentile(retrieval_without_embedding, 0.5), percentile(retrieval_without_embedding, 0.95));
  std::printf("  check: same number of prompt tokens %d of %d, same first words %d of %d\n", same_tokens,
              asked, same_text, asked);
  keep(settings, "ask",
       {{"n", asked},
        {"threads", threads},
        {"prompt_tokens", prompt_tokens},
        {"ours_first_token_ms", ours},
        {"llama_server_first_token_ms", theirs},
        {"ratio", ratio},
        {"ours_from_question_ms", ours_from_question},
        {"retrieval_ms", spread(retrieval)},
        {"retrieval_without_embedding_ms", spread(retrieval_without_embedding)},
        {"same_prompt_tokens", same_tokens},
        {"same_first_words", same_text}},
       before);
  return same_tokens == asked ? 0 : 1;
}

}  // namespace
}  // namespace loam::bench

int main(int argc, char** argv) { return loam::bench::run(argc, argv); }
