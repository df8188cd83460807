// bench_grounded: does an adapter make a small model answer from the passage in front of it? SQuAD questions
// with the paragraph that holds the answer, in the very prompt that `loam ask` builds, and beside them
// questions whose paragraph is another one of the same article, to which "I do not know" is right. Articles
// of even number train, those of odd number report, as everywhere here.
//   --write-data FILE    the 2,000 conversations to train on (bench/README.md names the command), and no more
//   --adapter FILE       a LoRA adapter; several by commas. The base alone is always measured too
#include <algorithm>
#include <fstream>
#include <random>
#include <sstream>

#include "base/json.h"
#include "engine/local_engine.h"
#include "eval/ledger.h"
#include "eval/significance.h"
#include "prompt/prompt.h"
#include "support/data.h"
#include "support/report.h"

namespace loam::bench {
namespace {

constexpr std::size_t kTrained = 2000;
constexpr std::size_t kTrainedWithoutAnswer = 250;  // of these
constexpr int kAnswerTokens = 48;
constexpr char kNothing[] = "I do not know.";

struct Item {
  std::string id, question, passage, source;
  std::vector<std::string> accepted;  // empty: the passage does not say
  std::size_t article = 0;
};

/// The questions in a fixed disorder; of every `nth` the passage is taken from another question of the same
/// article, so that it does not hold the answer.
std::vector<Item> items_of(const DataSet& data, std::vector<Question> questions, std::size_t wanted,
                           std::size_t without_answer, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (std::size_t i = questions.size(); i > 1; --i)
    std::swap(questions[i - 1], questions[static_cast<std::size_t>(random() % i)]);
  const auto document = [&](const Question& question) -> const SourceDocument& {
    const std::string& id = question.relevant.begin()->first;
    const auto found = std::find_if(data.documents.begin(), data.documents.end(),
                                    [&](const SourceDocument& one) { return one.id == id; });
    if (found == data.documents.end()) fail("no document " + id);
    return *found;
  };
  std::vector<Item> items;
  for (std::size_t i = 0; i < std::min(wanted, questions.size()); ++i) {
    const Question& question = questions[i];
    const SourceDocument* shown = &document(question);
    Item item{question.id, question.text, "", "", question.accepted, question.group};
    if (i < without_answer) {
      // The next question of the article that asks for another paragraph.
      for (std::size_t k = 1; k < questions.size(); ++k) {
        const Question& other = questions[(i + k) % questions.size()];
        if (other.group != question.group || document(other).id == shown->id) continue;
        shown = &document(other);
        break;
      }
      item.accepted.clear();
      item.id += "-elsewhere";
    }
    item.passage = shown->text;
    item.source = shown->id + ".txt";
    items.push_back(std::move(item));
  }
  return items;
}

std::vector<engine::Message> prompt_of(engine::Engine& engine, const prompt::PrePrompt& pre_prompt,
                                       const Item& item) {
  Hit hit;
  hit.source = item.source;
  hit.passage.text = item.passage;
  hit.passage.span = {0, item.passage.size()};
  const auto built = must(
      prompt::build(engine, pre_prompt, {}, {hit}, item.question, {engine.context_tokens(), kAnswerTokens}));
  if (built.shown.size() != 1) fail("the passage of " + item.id + " does not fit");
  return built.messages;
}

std::string_view name_of(engine::Role role) {
  return role == engine::Role::system ? "system" : role == engine::Role::user ? "user" : "assistant";
}

void write_data(engine::Engine& engine, const prompt::PrePrompt& pre_prompt, const std::vector<Item>& items,
                const std::string& file) {
  std::ofstream out(file);
  for (const Item& item : items) {
    Json messages = Json::array();
    for (const engine::Message& message : prompt_of(engine, pre_prompt, item))
      messages.push_back({{"role", name_of(message.role)}, {"content", message.content}});
    messages.push_back(
        {{"role", "assistant"}, {"content", item.accepted.empty() ? kNothing : item.accepted.front()}});
    out << dump_json({{"messages", messages}, {"document", "article " + std::to_string(item.article)}})
        << "\n";
  }
  if (!out.flush()) fail("cannot write " + file);
  std::printf("%zu conversations in %s\n", items.size(), file.c_str());
}

struct Contestant {
  std::string name;
  std::vector<double> exact, f1, silent;  // of the answerable, the answerable, the unanswerable
  double ms = 0;
  std::vector<std::string> outputs;
};

bool is_silence(const std::string& text) { return text.find("do not know") != std::string::npos; }

Contestant measure(engine::LocalEngine& engine, const prompt::PrePrompt& pre_prompt,
                   const std::vector<Item>& items, const std::string& name) {
  Contestant contestant;
  contestant.name = name;
  const eval::CostMeter meter;
  for (const Item& item : items) {
    engine::GenerateRequest request;
    request.messages = prompt_of(engine, pre_prompt, item);
    request.max_tokens = kAnswerTokens;
    const std::string text = must(engine.generate(request)).text;
    contestant.outputs.push_back(text);
    if (item.accepted.empty()) {
      contestant.silent.push_back(is_silence(text) ? 1 : 0);
    } else {
      contestant.exact.push_back(eval::exact_match(text, item.accepted));
      contestant.f1.push_back(eval::token_f1(text, item.accepted));
    }
    if (contestant.outputs.size() % 20 == 0)
      std::fprintf(stderr, "%s: %zu of %zu\n", name.c_str(), contestant.outputs.size(), items.size());
  }
  contestant.ms = meter.cost().seconds * 1000 / static_cast<double>(items.size());
  return contestant;
}

int run(int argc, char** argv) {
  std::vector<std::string> others;
  const Settings settings = settings_from(argc, argv, &others);
  const Json before = machine();
  const DataSet data = read_squad(settings.data / "01-qa-squad");
  engine::LocalEngineOptions options;
  options.context_tokens = 2048;
  options.threads = std::stoi(other(others, "threads", "0"));
  const std::filesystem::path file =
      settings.models / other(others, "file", "smollm2-135m-instruct-q4_1.gguf");
  auto engine = must(engine::LocalEngine::open(file, options));
  const prompt::PrePrompt pre_prompt = must(prompt::load_pre_prompt("grounded", ""));
  if (const std::string out = other(others, "write-data", ""); !out.empty()) {
    write_data(*engine, pre_prompt, items_of(data, data.train, kTrained, kTrainedWithoutAnswer, 7), out);
    return 0;
  }
  const std::size_t wanted = settings.limit > 0 ? static_cast<std::size_t>(settings.limit) : 1000;
  const std::vector<Item> items = items_of(data, data.test, wanted, wanted / 5, 11);
  std::vector<std::string> articles;
  for (const Item& item : items) {
    if (!item.accepted.empty()) articles.push_back(std::to_string(item.article));
  }
  std::vector<Contestant> contestants = {measure(*engine, pre_prompt, items, "base")};
  std::istringstream names(other(others, "adapter", ""));
  for (std::string name; std::getline(names, name, ',');) {
    must(engine->set_adapters({{name, 1.0F}}));
    contestants.push_back(measure(*engine, pre_prompt, items, std::filesystem::path(name).stem().string()));
  }
  Json result = {{"file", file.filename().string()}, {"items", items.size()}, {"sides", Json::array()}};
  std::printf("SQuAD, odd articles, the right passage given: %zu answerable questions, %zu not\n",
              articles.size(), items.size() - articles.size());
  for (const Contestant& one : contestants) {
    const auto against = must(eval::compare_paired(contestants.front().f1, one.f1, articles));
    const auto exact = must(eval::compare_paired(contestants.front().exact, one.exact, articles));
    const eval::Estimate silent = eval::bootstrap_mean(one.silent);
    std::printf("  %-24s exact %s, F1 %s, says it does not know where it should %s; %.0f ms an answer\n",
                one.name.c_str(), shown(exact.b).c_str(), shown(against.b).c_str(), shown(silent).c_str(),
                one.ms);
    if (&one != &contestants.front())
      std::printf("    F1 against the base: %s, p = %.3g\n", shown(against.difference).c_str(), against.p);
    if (&one != &contestants.front() && &one != &contestants[1]) {
      const auto pair = must(eval::compare_paired(contestants[1].f1, one.f1, articles));
      std::printf("    F1 against %s: %s, p = %.3g\n", contestants[1].name.c_str(),
                  shown(pair.difference).c_str(), pair.p);
    }
    Json outputs = Json::array();
    for (std::size_t i = 0; i < items.size(); i += std::max<std::size_t>(1, items.size() / 10))
      outputs.push_back({{"question", items[i].question},
                         {"wanted", items[i].accepted.empty() ? kNothing : items[i].accepted.front()},
                         {"said", one.outputs[i]}});
    result["sides"].push_back({{"name", one.name},
                               {"exact_match", to_json(exact.b)},
                               {"f1", to_json(against.b)},
                               {"f1_less_base", to_json(against.difference)},
                               {"p", against.p},
                               {"silent_where_right", to_json(silent)},
                               {"ms_per_answer", one.ms},
                               {"examples", outputs}});
  }
  keep(settings, "grounded", result, before);
  return 0;
}

}  // namespace
}  // namespace loam::bench

int main(int argc, char** argv) { return loam::bench::run(argc, argv); }
