// bench_questions: how often `ask` is right on questions over documents that a person could have, with the
// default models. Right means: the shown answer holds an accepted answer as whole words, and a citation whose
// own quote holds it names the right file. For questions without an answer, right means withheld. Beside the
// figures: every quote is compared with the stored bytes, and every wrong question is listed.
#include <algorithm>
#include <fstream>

#include "answer/answer.h"
#include "answer/answer_json.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "baseline/words.h"
#include "engine/local_embedder.h"
#include "engine/local_engine.h"
#include "index/ingest.h"
#include "reader/reader.h"
#include "support/report.h"

namespace loam::bench {
namespace {

struct Case {
  std::string id, question, source;
  std::vector<std::string> accept;  ///< empty: the documents do not say
};

std::vector<Case> read_cases(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) fail("cannot read " + file.string() + "; give the file with --questions=FILE");
  std::vector<Case> cases;
  for (std::string line; std::getline(in, line);) {
    if (line.empty()) continue;
    const Json json = must(parse_json(line, file.string()));
    Case one{json["id"].get<std::string>(), json["question"].get<std::string>(), "", {}};
    if (!json["answer"].is_null()) {
      one.source = json["source"].get<std::string>();
      one.accept = json["accept"].get<std::vector<std::string>>();
    }
    cases.push_back(std::move(one));
  }
  return cases;
}

bool is_word_byte(char byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
         static_cast<unsigned char>(byte) >= 0x80;
}

/// As whole words, whatever the case: "5" is not in "15", and "1.5" is not in "1.50".
bool holds(std::string_view text, const std::vector<std::string>& accepted) {
  const std::string lower = to_lower_utf8(text);
  return std::any_of(accepted.begin(), accepted.end(), [&lower](const std::string& one) {
    const std::string wanted = to_lower_utf8(one);
    for (std::size_t at = lower.find(wanted); at != std::string::npos; at = lower.find(wanted, at + 1)) {
      const std::size_t end = at + wanted.size();
      const auto digit = [&lower](std::size_t i) {
        return i < lower.size() && lower[i] >= '0' && lower[i] <= '9';
      };
      const bool starts =
          at == 0 || (!is_word_byte(lower[at - 1]) &&
                      !((lower[at - 1] == '.' || lower[at - 1] == ',') && at > 1 && digit(at - 2)));
      const bool ends =
          end == lower.size() ||
          (!is_word_byte(lower[end]) && !((lower[end] == '.' || lower[end] == ',') && digit(end + 1)));
      if (starts && ends) return true;
    }
    return false;
  });
}

struct Tally {
  int answerable = 0, right = 0, right_first = 0, withheld_wrongly = 0;
  int unanswerable = 0, withheld = 0, by_model = 0, inexact_quotes = 0;
  std::vector<double> milliseconds, tokens;
};

int run(int argc, char** argv) {
  std::vector<std::string> others;
  const Settings settings = settings_from(argc, argv, &others);
  const std::filesystem::path documents = other(others, "documents", "examples");
  const std::string mode = other(others, "mode", "both");  // baseline, model or both
  const std::vector<Case> cases = read_cases(other(others, "questions", "tests/examples/questions.jsonl"));
  const int threads = std::stoi(other(others, "threads", "1"));
  const bool verbose = std::find(others.begin(), others.end(), "verbose") != others.end();
  const Json before = machine();

  engine::LocalEmbedderOptions embedder_options;
  embedder_options.threads = threads;
  const auto embedder =
      must(engine::LocalEmbedder::open(settings.models / "all-minilm-l6-v2.gguf", embedder_options));
  std::filesystem::create_directories(settings.work);
  const std::filesystem::path file = settings.work / "questions.db";
  for (const char* ending : {"", "-wal", "-shm"}) std::filesystem::remove(file.string() + ending);
  const auto store = must(store::Store::open(file));
  const store::Collection collection = must(store->ensure_collection(
      "documents", embedder->model_name(), embedder->fingerprint(), embedder->dimensions()));
  reader::Reader::Options reading;
  const std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe");
  reading.worker_command = {own.string(), "reader-worker"};
  reading.libraries.pdfium = own.parent_path().parent_path() / "lib/loam/libpdfium.so";
  const auto reader = must(reader::Reader::open(reading));
  index::IngestOptions ingest;
  ingest.cut.max_tokens = embedder->max_tokens();
  const auto summary = must(index::ingest(
      *store, collection.id, *reader, *embedder, {documents}, ingest, [](const index::FileVerdict& one) {
        if (one.verdict == index::Verdict::failed)
          std::fprintf(stderr, "%s: %s\n", one.file.c_str(), one.reason.c_str());
      }));
  if (summary.failed > 0) fail("a document could not be read; a figure over fewer would flatter");
  const auto retriever = must(retrieve::Retriever::open(*store, collection.id, *embedder));

  // What bench/baseline/baseline_features reads, to see why a sentence was chosen: the hits of each question.
  if (const std::string cases_file = other(others, "cases", ""); !cases_file.empty()) {
    std::ofstream out(cases_file);
    for (const Case& item : cases) {
      Json line{{"id", item.id},          {"kind", item.accept.empty() ? "outside" : "answerable"},
                {"split", "test"},        {"question", item.question},
                {"answers", item.accept}, {"terms", Json::array()},
                {"idf", Json::array()},   {"hits", Json::array()}};
      std::vector<std::string> terms;
      for (const baseline::Word& word : baseline::words_of(item.question)) {
        if (!word.stop) terms.push_back(word.lower);
      }
      line["terms"] = terms;
      line["idf"] = must(retriever->idf(terms));
      for (const Hit& hit : must(retriever->find(item.question, 10))) {
        line["hits"].push_back({{"text", hit.passage.text},
                                {"heading", hit.passage.heading_path},
                                {"score", hit.score},
                                {"bm25", hit.why.bm25.value_or(0.0F)},
                                {"cosine", hit.why.cosine.value_or(0.0F)},
                                {"gold", hit.source == item.source && holds(hit.passage.text, item.accept)}});
      }
      out << dump_json(line) << "\n";
    }
    return 0;
  }

  Json result;
  for (const std::string one : {"baseline", "model"}) {
    if (mode != "both" && mode != one) continue;
    std::unique_ptr<engine::LocalEngine> engine;
    if (one == "model") {
      engine::LocalEngineOptions options;
      options.threads = threads;
      engine = must(engine::LocalEngine::open(
          settings.models / other(others, "file", "smollm2-135m-instruct-q4_1.gguf"), options));
    }
    answer::AskOptions ask;
    ask.pre_prompt = must(prompt::load_pre_prompt("grounded", {}));
    ask.min_confidence = std::stof(other(others, "min-confidence", std::to_string(ask.min_confidence)));
    Tally tally;
    Json wrong = Json::array();
    Json all = Json::array();
    for (const Case& item : cases) {
      const Stopwatch watch;
      const answer::Answer given = must(answer::ask(*retriever, *embedder, engine.get(), item.question, ask));
      tally.milliseconds.push_back(watch.milliseconds());
      if (given.usage.answer_tokens > 0) tally.tokens.push_back(given.usage.answer_tokens);
      for (const Citation& citation : given.citations) {
        const std::string text = must(store->document_text(citation.document));
        if (slice(text, citation.span) != citation.quote) ++tally.inexact_quotes;
      }
      bool right = false;
      if (item.accept.empty()) {
        ++tally.unanswerable;
        right = given.abstained;
        tally.withheld += right ? 1 : 0;
      } else {
        ++tally.answerable;
        const bool cited = std::any_of(
            given.citations.begin(), given.citations.end(),
            [&](const Citation& c) { return c.source == item.source && holds(c.quote, item.accept); });
        right = given.text && holds(*given.text, item.accept) && cited;
        tally.right += right ? 1 : 0;
        tally.right_first += right && holds(given.sentences.front().text, item.accept) ? 1 : 0;
        tally.withheld_wrongly += given.abstained ? 1 : 0;
      }
      tally.by_model += given.from == answer::AnswerFrom::model ? 1 : 0;
      const Json told{{"id", item.id},
                      {"question", item.question},
                      {"confidence", given.confidence},
                      {"from", given.from == answer::AnswerFrom::model      ? Json("model")
                               : given.from == answer::AnswerFrom::baseline ? Json("baseline")
                                                                            : Json()},
                      {"answer", given.text ? Json(*given.text) : Json()},
                      {"cited", given.citations.empty() ? Json() : Json(given.citations.front().source)},
                      {"reason", given.reason},
                      {"accept", item.accept},
                      {"baseline", given.baseline_text},
                      {"draft", given.draft},
                      {"right", right}};
      all.push_back(told);
      if (!right) wrong.push_back(told);
      if (!right || verbose) {
        std::printf("%s %s %.2f %s\n   %s: %s\n", right ? "right" : "WRONG", item.id.c_str(),
                    static_cast<double>(given.confidence), item.question.c_str(),
                    given.abstained                           ? given.reason.c_str()
                    : given.from == answer::AnswerFrom::model ? "model"
                                                              : "baseline",
                    given.text ? given.text->c_str() : ("(" + given.baseline_text + ")").c_str());
        if (!given.draft.empty()) std::printf("   draft: %s\n", given.draft.c_str());
      }
    }
    const double answerable = std::max(tally.answerable, 1), unanswerable = std::max(tally.unanswerable, 1);
    std::printf(
        "%s: right with its citation %d of %d (%.2f; in the first sentence %d), wrongly withheld %d; "
        "withheld %d of %d without an answer (%.2f); written by the model %d; quotes that are not the "
        "stored bytes: %d; median %.0f ms, p95 %.0f ms, %.0f tokens written\n",
        one.c_str(), tally.right, tally.answerable, tally.right / answerable, tally.right_first,
        tally.withheld_wrongly, tally.withheld, tally.unanswerable, tally.withheld / unanswerable,
        tally.by_model, tally.inexact_quotes, median(tally.milliseconds),
        percentile(tally.milliseconds, 0.95), median(tally.tokens));
    result[one] = {{"answerable", tally.answerable},
                   {"right", tally.right},
                   {"right_in_first_sentence", tally.right_first},
                   {"wrongly_withheld", tally.withheld_wrongly},
                   {"unanswerable", tally.unanswerable},
                   {"withheld", tally.withheld},
                   {"written_by_model", tally.by_model},
                   {"inexact_quotes", tally.inexact_quotes},
                   {"ms", spread(tally.milliseconds)},
                   {"answer_tokens", spread(tally.tokens)},
                   {"wrong", std::move(wrong)},
                   {"all", std::move(all)}};
  }
  keep(settings, "questions", result, before);
  return 0;
}

}  // namespace
}  // namespace loam::bench

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "reader-worker") {
    return loam::reader::run_reader_worker(loam::reader::kWorkerRequestFd, loam::reader::kWorkerReplyFd);
  }
  return loam::bench::run(argc, argv);
}
