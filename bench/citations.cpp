// bench_citations: are the quotes true, is what differs refused, how good are the answers, when is silence
// right?
//   quotes       SQuAD questions through ask(): every shown quote must be its source's bytes at start..end
//   alterations  true sentences made false by one change: align() must refuse them
//   answers      exact match, F1 and containment of the baseline, the model's draft and the shown answer
//   abstention   confidence against error on answerable and unanswerable questions, to choose min_confidence
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <random>
#include <unordered_map>

#include "answer/align.h"
#include "answer/answer.h"
#include "base/clock.h"
#include "base/json.h"
#include "engine/local_embedder.h"
#include "engine/local_engine.h"
#include "passage/cutter.h"
#include "prompt/prompt.h"
#include "retrieve/retrieve.h"
#include "support/alter.h"
#include "support/collection.h"
#include "support/data.h"
#include "support/embedding_cache.h"
#include "support/report.h"

namespace loam::bench {
namespace {

/// `n` of the questions, drawn by seed.
std::vector<Question> sample(std::vector<Question> questions, std::size_t n, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (std::size_t i = questions.size(); i > 1; --i) {
    std::swap(questions[i - 1], questions[static_cast<std::size_t>(random() % i)]);
  }
  if (questions.size() > n) questions.resize(n);
  return questions;
}

/// Does the answer say one of the accepted answers, as whole words, after SQuAD's normalisation?
bool contains_answer(const std::string& answer, const std::vector<std::string>& accepted) {
  const std::string text = " " + eval::normalise_answer(answer) + " ";
  return std::any_of(accepted.begin(), accepted.end(), [&](const std::string& gold) {
    const std::string words = eval::normalise_answer(gold);
    return !words.empty() && text.find(" " + words + " ") != std::string::npos;
  });
}

bool numbers_are_in(const std::string& claim, const std::string& quotes) {
  const auto subset = [](const std::vector<std::string>& some, const std::vector<std::string>& all) {
    return std::all_of(some.begin(), some.end(), [&](const std::string& one) {
      return std::find(all.begin(), all.end(), one) != all.end();
    });
  };
  // Digits as they stand first, without the product's own code; only "fourteen" against "14" needs its normal
  // form.
  return subset(plain_numbers(claim), plain_numbers(quotes)) ||
         subset(answer::normal_numbers(claim), answer::normal_numbers(quotes));
}

struct QuoteCheck {
  std::size_t quotes = 0, wrong_bytes = 0, supported_sentences = 0, wrong_numbers = 0, uncited = 0;
  Json examples = Json::array();

  void add(store::Store& store, const Question& question, const answer::Answer& answer) {
    std::vector<const Citation*> all;
    for (const Citation& citation : answer.citations) all.push_back(&citation);
    for (const Citation& citation : answer.baseline_citations) all.push_back(&citation);
    for (const Citation* citation : all) {
      ++quotes;
      const std::string text = must(store.document_text(citation->document));
      const bool inside = citation->span.start < citation->span.end && citation->span.end <= text.size();
      if (!inside || text.compare(citation->span.start, citation->span.size(), citation->quote) != 0) {
        ++wrong_bytes;
        examples.push_back(
            {{"question", question.text}, {"wrong_quote", citation->quote}, {"source", citation->source}});
      }
    }
    for (const answer::AnswerSentence& sentence : answer.sentences) {
      if (!sentence.supported) continue;
      ++supported_sentences;
      std::string quotes_text;
      for (const Citation& citation : answer.citations) {
        if (std::find(sentence.citations.begin(), sentence.citations.end(), citation.id) !=
            sentence.citations.end()) {
          quotes_text += citation.quote + "\n";
        }
      }
      if (quotes_text.empty()) ++uncited;
      if (!numbers_are_in(sentence.text, quotes_text)) {
        ++wrong_numbers;
        examples.push_back(
            {{"question", question.text}, {"sentence", sentence.text}, {"quotes", quotes_text}});
      }
    }
  }
  bool clean() const { return wrong_bytes == 0 && wrong_numbers == 0 && uncited == 0; }
};

struct Quality {
  std::vector<double> exact, f1, contains;
  void add(const std::string& answer, const Question& question) {
    exact.push_back(eval::exact_match(answer, question.accepted));
    f1.push_back(eval::token_f1(answer, question.accepted));
    contains.push_back(contains_answer(answer, question.accepted) ? 1.0 : 0.0);
  }
  Json report(const std::string& name) const {
    const eval::Estimate em = eval::bootstrap_mean(exact);
    const eval::Estimate f = eval::bootstrap_mean(f1);
    const eval::Estimate c = eval::bootstrap_mean(contains);
    std::printf("  %-14s exact %s   F1 %s   holds the answer %s\n", name.c_str(), shown(em).c_str(),
                shown(f).c_str(), shown(c).c_str());
    return {{"exact_match", to_json(em)}, {"f1", to_json(f)}, {"contains", to_json(c)}};
  }
};

/// One question with the baseline's confidence and whether its answer was right.
struct Judged {
  double confidence = 0;
  bool answerable = false;
  bool right = false;
};

Json coverage_curve(const std::vector<Judged>& all, const std::string& title) {
  std::printf("\n  %s: %zu questions\n  %9s %9s %22s %24s\n", title.c_str(), all.size(), "threshold",
              "answered", "wrong among answered", "silent on unanswerable");
  Json rows = Json::array();
  for (int step = 0; step <= 20; ++step) {
    const double threshold = step / 20.0;
    std::size_t answered = 0, wrong = 0, unanswerable = 0, silent = 0, answerable = 0,
                answered_answerable = 0;
    for (const Judged& one : all) {
      const bool answers = one.confidence >= threshold;
      answered += answers ? 1 : 0;
      wrong += answers && !one.right ? 1 : 0;
      if (one.answerable) {
        ++answerable;
        answered_answerable += answers ? 1 : 0;
      } else {
        ++unanswerable;
        silent += answers ? 0 : 1;
      }
    }
    const auto share = [](std::size_t part, std::size_t whole) {
      return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
    };
    std::printf("  %9.2f %8.1f%% %21.1f%% %23.1f%%\n", threshold, 100 * share(answered, all.size()),
                100 * share(wrong, answered), 100 * share(silent, unanswerable));
    rows.push_back({{"threshold", threshold},
                    {"coverage", share(answered, all.size())},
                    {"error_among_answered", share(wrong, answered)},
                    {"coverage_of_answerable", share(answered_answerable, answerable)},
                    {"silent_on_unanswerable", share(silent, unanswerable)}});
  }
  return rows;
}

/// A paragraph as one shown passage.
Hit hit_of(const SourceDocument& document) {
  Hit hit;
  hit.passage.text = document.text;
  hit.passage.span = {0, document.text.size()};
  hit.source = document.id + ".txt";
  return hit;
}

Json measure_alterations(const DataSet& data, std::size_t paragraphs, bool& clean, Json& examples) {
  std::mt19937_64 random(20261122);
  struct Count {
    std::size_t n = 0, supported = 0;
    Json examples = Json::array();
  };
  std::map<std::string, Count> counts;
  double align_ms = 0;
  std::size_t aligned = 0;
  const auto check = [&](const std::string& kind, const std::string& claim, const std::vector<Hit>& shown,
                         const std::string& change) {
    const Stopwatch watch;
    const answer::Support support = answer::align(claim, shown);
    align_ms += watch.milliseconds();
    ++aligned;
    Count& count = counts[kind];
    ++count.n;
    if (support.supported) ++count.supported;
    const bool surprising = kind.starts_with("true") ? !support.supported : support.supported;
    if (surprising && count.examples.size() < 20) {
      count.examples.push_back({{"claim", claim}, {"change", change}, {"why_not", support.why_not}});
    }
  };
  for (std::size_t n = 0; n < paragraphs; ++n) {
    const std::size_t at = static_cast<std::size_t>(random() % (data.documents.size() - 3));
    std::vector<Hit> hits;
    std::string all_text;
    for (std::size_t j = at; j < at + 3;
         ++j) {  // the paragraph and its two neighbours, most often of one article
      all_text += data.documents[j].text + "\n";
      hits.push_back(hit_of(data.documents[j]));
    }
    const std::vector<std::string> foreign =
        names_in(data.documents[(at + data.documents.size() / 2) % data.documents.size()].text);
    const std::string& text = hits.front().passage.text;
    for (const Span span : passage::sentences(text)) {
      const std::string sentence(slice(text, span));
      if (sentence.size() < 40 || sentence.size() > 400) continue;
      check("true sentence", sentence, hits, "");
      for (const Altered& altered : alter(sentence, all_text, foreign, random)) {
        check(altered.kind, altered.text, hits, altered.before + " -> " + altered.after);
      }
    }
  }
  std::printf("\nalterations: claims that align() takes as supported (must be 0 for numbers and dates)\n");
  Json out;
  for (const auto& [kind, count] : counts) {
    const bool must_be_zero =
        kind.starts_with("number") || kind.starts_with("year") || kind == "month" || kind == "ordinal_word";
    if (must_be_zero && count.supported > 0) clean = false;
    const double share = static_cast<double>(count.supported) / static_cast<double>(count.n);
    std::printf("  %-22s %6zu of %6zu (%.2f%%)%s\n", kind.c_str(), count.supported, count.n, 100 * share,
                must_be_zero && count.supported > 0 ? "   NOT ALLOWED" : "");
    out[kind] = {{"n", count.n}, {"supported", count.supported}, {"share", share}};
    examples[kind] = count.examples;
  }
  std::printf("  align(): %.3f ms per claim\n",
              align_ms / static_cast<double>(std::max<std::size_t>(aligned, 1)));
  out["align_ms"] = align_ms / static_cast<double>(std::max<std::size_t>(aligned, 1));
  return out;
}

void keep_examples(const Settings& settings, const Json& examples) {
  const std::filesystem::path file = settings.work / "citations-examples.json";
  std::ofstream(file) << dump_json_pretty(examples) << "\n";
  std::printf("examples: %s\n", file.c_str());
}

int run(int argc, char** argv) {
  std::vector<std::string> others;
  const Settings settings = settings_from(argc, argv, &others);
  const std::string part = other(others, "part", "");
  const bool all_parts = part.empty();
  const std::size_t n = settings.limit > 0 ? static_cast<std::size_t>(settings.limit) : 300;
  const Json before = machine();
  const DataSet data = read_squad(settings.data / "01-qa-squad");
  bool clean = true;
  Json result;
  Json examples;  // sentences of the data: kept in the work folder, never with the figures
  if (all_parts || part == "alterations")
    result["alterations"] = measure_alterations(data, n * 2, clean, examples);
  if (part == "alterations") {
    keep_examples(settings, examples);
    keep(settings, "citations-alterations", result, before);
    return clean ? 0 : 1;
  }
  engine::LocalEmbedderOptions embedder_options;
  embedder_options.threads = std::stoi(other(others, "threads", "0"));
  const auto model =
      must(engine::LocalEmbedder::open(settings.models / "all-minilm-l6-v2.gguf", embedder_options));
  EmbeddingCache embedder(*model, settings.work);
  Ingested in = ingest_data_set(settings, data, embedder);
  result["documents"] = in.counts.documents;
  result["passages"] = in.counts.passages;
  answer::AskOptions options;
  options.pre_prompt = must(prompt::load_pre_prompt(other(others, "pre-prompt", "brief"), {}));
  result["min_confidence"] = options.min_confidence;
  auto retriever = must(retrieve::Retriever::open(*in.store, in.collection, embedder));

  if (all_parts || part == "answers") {
    engine::LocalEngineOptions chat_options;
    chat_options.threads = std::stoi(other(others, "threads", "0"));
    std::unique_ptr<engine::LocalEngine> chat =
        must(engine::LocalEngine::open(settings.models / "smollm2-135m-instruct-q4_1.gguf", chat_options));
    QuoteCheck quotes;
    Quality draft, baseline, given;
    std::map<std::string, std::size_t> from;
    std::size_t passage_found = 0, done = 0;
    std::vector<double> total_ms;
    for (const Question& question : sample(data.test, n, 1)) {
      const Stopwatch watch;
      const answer::Answer answer =
          must(answer::ask(*retriever, embedder, chat.get(), question.text, options));
      total_ms.push_back(watch.milliseconds());
      quotes.add(*in.store, question, answer);
      draft.add(answer.draft, question);
      baseline.add(answer.baseline_text, question);
      if (answer.text) given.add(*answer.text, question);
      ++from[answer.abstained                           ? "abstained: " + answer.reason
             : answer.from == answer::AnswerFrom::model ? "model"
                                                        : "baseline"];
      passage_found +=
          std::any_of(answer.prompt.shown.begin(), answer.prompt.shown.end(),
                      [&](const Hit& hit) { return question.relevant.contains(id_of_source(hit.source)); })
              ? 1
              : 0;
      if (++done % 25 == 0) std::fprintf(stderr, "asked %zu of %zu\n", done, n);
    }
    std::printf(
        "\nanswers: %zu SQuAD questions over %zu paragraphs, right paragraph among the shown %.1f%%\n", done,
        data.documents.size(), 100.0 * static_cast<double>(passage_found) / static_cast<double>(done));
    std::printf(
        "  quotes %zu, not the bytes of their source %zu; supported sentences %zu, with a number that is not "
        "in their quotes %zu, without a quote %zu\n",
        quotes.quotes, quotes.wrong_bytes, quotes.supported_sentences, quotes.wrong_numbers, quotes.uncited);
    Json answers{{"n", done},
                 {"passage_shown", passage_found},
                 {"quotes", quotes.quotes},
                 {"quotes_wrong", quotes.wrong_bytes},
                 {"supported_sentences", quotes.supported_sentences},
                 {"supported_with_foreign_number", quotes.wrong_numbers},
                 {"supported_without_quote", quotes.uncited}};
    examples["violations"] = quotes.examples;
    for (const auto& [who, count] : from) {
      std::printf("  answered by %-24s %zu\n", who.c_str(), count);
      answers["from"][who] = count;
    }
    answers["baseline"] = baseline.report("baseline");
    answers["model_draft"] = draft.report("model's draft");
    answers["shown"] = given.report("shown answer");
    answers["total_ms"] = spread(total_ms);
    clean = clean && quotes.clean() && quotes.quotes > 0;
    result["answers"] = answers;
  }

  if (all_parts || part == "abstention") {
    answer::AskOptions open = options;
    open.use_model = false;
    open.min_confidence = 0;  // every confidence is seen; the curve cuts afterwards
    const auto judge = [&](retrieve::Retriever& over, const Question& question, bool answerable) {
      const answer::Answer answer = must(answer::ask(over, embedder, nullptr, question.text, open));
      Judged one;
      one.confidence = answer.abstained ? -1.0 : static_cast<double>(answer.confidence);
      one.answerable = answerable;
      one.right = answerable && answer.text && contains_answer(*answer.text, question.accepted);
      return one;
    };
    // Even articles choose the threshold, odd ones report.
    DataSet hard = read_squad_2(settings.data / "01-qa-squad");
    for (const bool choose : {true, false}) {
      std::vector<Judged> judged;
      std::vector<Question> unanswerable;
      for (const Question& question : choose ? hard.train : hard.test) {
        if (question.accepted.empty()) unanswerable.push_back(question);
      }
      for (const Question& question : sample(choose ? data.train : data.test, n, 2)) {
        judged.push_back(judge(*retriever, question, true));
      }
      std::vector<Judged> with_hard = judged;
      for (const Question& question : sample(unanswerable, n, 3))
        with_hard.push_back(judge(*retriever, question, false));
      const std::string half = choose ? "even articles (to choose)" : "odd articles (to report)";
      result["abstention"][choose ? "choose" : "report"]["squad2_unanswerable"] = coverage_curve(
          with_hard, half + ", unanswerable as in SQuAD 2.0 (their topic is in the collection)");

      // Questions of the other half's articles, whose paragraphs are not in the collection at all.
      DataSet part_of_it;
      part_of_it.name = choose ? "squad-even" : "squad-odd";
      for (const SourceDocument& document : data.documents) {
        const bool even = std::stoi(document.id.substr(1, 2)) % 2 == 0;
        if (even == choose) part_of_it.documents.push_back(document);
      }
      Ingested half_in = ingest_data_set(settings, part_of_it, embedder);
      auto half_retriever = must(retrieve::Retriever::open(*half_in.store, half_in.collection, embedder));
      for (const Question& question : sample(choose ? data.test : data.train, n, 4)) {
        judged.push_back(judge(*half_retriever, question, false));
      }
      result["abstention"][choose ? "choose" : "report"]["foreign_topic"] =
          coverage_curve(judged, half + ", unanswerable because their article is not in the collection");
    }
  }
  result["clean"] = clean;
  keep_examples(settings, examples);
  keep(settings, all_parts ? "citations" : "citations-" + part, result, before);
  if (!clean) std::printf("\nFAILED: a quote or a number was wrong, see above\n");
  return clean ? 0 : 1;
}

}  // namespace
}  // namespace loam::bench

int main(int argc, char** argv) { return loam::bench::run(argc, argv); }
