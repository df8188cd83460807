#include "cli/settings.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "answer/answer.h"
#include "base/utf8.h"
#include "cli/nearest.h"
#include "retrieve/retrieve.h"

namespace loam::cli {
namespace {

const std::vector<std::string> kEverywhere = {"*"};
const std::vector<std::string> kChatModel = {
    "serve",           "generate",         "chat",         "ask",
    "tokens encode",   "tokens decode",    "bench engine", "eval loglikelihood",
    "eval perplexity", "classify compare", "advise"};
const std::vector<std::string> kTrain = {"train lora", "train reader", "train reranker", "train embedder",
                                         "train head"};
const std::vector<std::string> kTrainAndFit = {"train lora",     "train reader", "train reranker",
                                               "train embedder", "train head",   "fit"};
const std::vector<std::string> kEmbedder = {"serve",        "ingest",           "search",
                                            "ask",          "explain",          "classify compare",
                                            "classify fit", "classify predict", "advise"};
/// What the tasks and their evaluation add to a verb that has a chat model (or an embedder).
const std::vector<std::string> kTextTasks = {"summarise",      "translate", "eval qa",     "eval summarise",
                                             "eval translate", "eval bias", "improve",     "code",
                                             "extract",        "eval code", "eval extract"};
const std::vector<std::string> kWithAdapters = {
    "serve",           "generate",         "chat",  "ask", "eval loglikelihood",
    "eval perplexity", "classify compare", "advise"};
const std::vector<std::string> kClassify = {"classify compare", "classify fit", "classify predict", "advise"};
const std::vector<std::string> kClassifyData = {"classify compare", "classify fit", "advise"};
const std::vector<std::string> kSampling = {"generate", "chat"};
const std::vector<std::string> kWriting = {"code", "extract", "eval code", "eval extract"};
const std::vector<std::string> kReranked = {"serve",   "search",         "ask",    "explain",
                                            "eval qa", "eval retrieval", "improve"};
const std::vector<std::string> kRead = {"serve", "ask", "eval qa", "improve"};
const std::vector<std::string> kCollection = {"ingest", "search", "ask", "explain", "improve", "settings"};

std::vector<std::string> with(std::vector<std::string> verbs, const std::vector<std::string>& more) {
  verbs.insert(verbs.end(), more.begin(), more.end());
  return verbs;
}

Setting setting(std::string name, char letter, std::string value, std::string help, std::string key,
                std::vector<std::string> verbs, ValueKind kind) {
  Setting s;
  s.name = std::move(name);
  s.letter = letter;
  s.value = std::move(value);
  s.help = std::move(help);
  s.key = std::move(key);
  s.verbs = std::move(verbs);
  s.kind = kind;
  return s;
}

// One builder for each kind, so that a line of the table says what it is and nothing else.
Setting flag(std::string name, char letter, std::string help, bool Options::*field, std::string key,
             std::vector<std::string> verbs) {
  Setting s = setting(std::move(name), letter, "", std::move(help), std::move(key), std::move(verbs),
                      ValueKind::flag);
  s.set = [field](Options& o, const std::string& v) { o.*field = v == "true"; };
  s.get = [field](const Options& o) { return std::string(o.*field ? "true" : "false"); };
  s.good = "true";
  s.bad = "perhaps";
  return s;
}

Setting text(ValueKind kind, std::string name, char letter, std::string value, std::string help,
             std::string Options::*field, std::string key, std::vector<std::string> verbs, std::string good) {
  Setting s = setting(std::move(name), letter, std::move(value), std::move(help), std::move(key),
                      std::move(verbs), kind);
  s.set = [field](Options& o, const std::string& v) { o.*field = v; };
  s.get = [field](const Options& o) { return o.*field; };
  s.good = std::move(good);
  return s;
}

Setting choice(std::string name, std::string value, std::string help, std::string Options::*field,
               std::string key, std::vector<std::string> verbs, std::vector<std::string> choices) {
  Setting s = text(ValueKind::choice, std::move(name), 0, std::move(value), std::move(help), field,
                   std::move(key), std::move(verbs), choices.back());
  s.choices = std::move(choices);
  s.bad = "no-such-choice";
  return s;
}

Setting number(std::string name, char letter, std::string help, int Options::*field, int low, int high,
               std::string key, std::vector<std::string> verbs) {
  Setting s = setting(std::move(name), letter, "N", std::move(help), std::move(key), std::move(verbs),
                      ValueKind::number);
  s.low = low;
  s.high = high;
  s.set = [field](Options& o, const std::string& v) { o.*field = std::stoi(v); };
  s.get = [field](const Options& o) { return std::to_string(o.*field); };
  s.good = std::to_string(high);
  s.bad = "several";
  return s;
}

Setting decimal(std::string name, std::string help, double Options::*field, double low, double high,
                std::string key, std::vector<std::string> verbs) {
  Setting s =
      setting(std::move(name), 0, "X", std::move(help), std::move(key), std::move(verbs), ValueKind::decimal);
  s.low = low;
  s.high = high;
  s.set = [field](Options& o, const std::string& v) { o.*field = std::stod(v); };
  s.get = [field](const Options& o) { return fmt::format("{}", o.*field); };
  s.good = fmt::format("{}", high);
  s.bad = "warm";
  return s;
}

Setting list(std::string name, std::string value, std::string help, std::vector<std::string> Options::*field,
             std::vector<std::string> verbs, std::string good) {
  Setting s =
      setting(std::move(name), 0, std::move(value), std::move(help), "", std::move(verbs), ValueKind::list);
  s.set = [field](Options& o, const std::string& v) { (o.*field).push_back(v); };
  s.get = [field](const Options& o) { return fmt::format("{}", fmt::join(o.*field, ",")); };
  s.good = std::move(good);
  return s;
}

std::vector<Setting> table() {
  constexpr ValueKind file = ValueKind::file;
  constexpr ValueKind folder = ValueKind::folder;
  return {
      // Which documents
      text(ValueKind::text, "collection", 'c', "NAME", "the collection of documents to use",
           &Options::collection, "ingest.collection",
           with(kCollection, {"summarise", "eval qa", "eval retrieval", "advise", "train draft"}),
           "handbook"),
      // What is shown
      number("hits", 'k', "hits to show", &Options::hits, 1, 1000, "search.hits", {"search"}),
      number("passages", 'k', "passages shown to the model", &Options::passages, 1, 50, "ask.passages",
             {"ask", "explain", "eval qa"}),
      flag("why", 0, "show each passage's score and rank at every stage", &Options::why, "ask.why",
           {"search", "ask"}),
      flag("show-prompt", 0, "print the whole prompt that the model is given", &Options::show_prompt, "",
           {"ask"}),
      // How it is found
      choice("legs", "WHICH", "which searches to fuse", &Options::legs, "search.legs",
             {"search", "ask", "explain", "eval qa"}, {"both", "bm25", "dense"}),
      number("candidates", 0, "passages taken from each search before fusing", &Options::candidates, 1, 10000,
             "search.candidates", {"search", "ask", "explain", "eval qa", "eval retrieval"}),
      decimal("lexical-weight", "weight of the search by words in the fusion; by meaning has the rest",
              &Options::lexical_weight, 0.0, 1.0, "search.lexical_weight",
              {"search", "ask", "explain", "eval qa", "eval retrieval"}),
      // How it is answered
      flag("baseline-only", 0, "the method without a language model alone", &Options::baseline_only,
           "ask.baseline_only",
           {"ask", "summarise", "translate", "eval qa", "eval summarise", "eval translate", "extract",
            "eval extract", "improve"}),
      decimal("min-confidence", "abstain below this confidence", &Options::min_confidence, 0.0, 1.0,
              "ask.min_confidence", {"ask", "eval qa"}),
      flag("keep-unsupported", 0, "show sentences without support, marked, instead of dropping them",
           &Options::keep_unsupported, "ask.keep_unsupported", {"ask", "summarise"}),
      number("answer-tokens", 0, "longest answer, in tokens", &Options::answer_tokens, 1, 8192,
             "ask.answer_tokens", {"ask", "eval qa", "adapters check"}),
      text(ValueKind::text, "pre-prompt", 0, "NAME",
           "the instructions that open the prompt (HOME/prompts/NAME.txt)", &Options::pre_prompt,
           "ask.pre_prompt", {"ask", "eval qa"}, "brief"),
      // What is read
      text(file, "show-text", 0, "FILE", "print the text that is extracted from FILE, and ingest nothing",
           &Options::show_text, "", {"ingest"}, "offer.pdf"),
      number("passage-tokens", 0, "size to which a passage grows, in the embedder's tokens",
             &Options::passage_tokens, 16, 4096, "ingest.passage_tokens", {"ingest", "eval retrieval"}),
      number("overlap-sentences", 0, "sentences that a passage shares with the one before",
             &Options::overlap_sentences, 0, 20, "ingest.overlap_sentences", {"ingest", "eval retrieval"}),
      flag("keep-missing", 0, "keep documents whose file is gone from the named folder",
           &Options::keep_missing, "ingest.keep_missing", {"ingest"}),
      flag("rehash", 0, "compare contents even where size and date are unchanged", &Options::rehash, "",
           {"ingest"}),
      flag("follow-symlinks", 0, "read through symbolic links", &Options::follow_symlinks,
           "ingest.follow_symlinks", {"ingest"}),
      flag("hidden", 0, "read files and folders whose name begins with a dot", &Options::hidden,
           "ingest.hidden", {"ingest"}),
      number("max-file-mib", 0, "largest file that is read, in MiB", &Options::max_file_mib, 1, 65536,
             "ingest.max_file_mib", {"ingest"}),
      number("file-seconds", 0, "time that reading one file may take, in seconds", &Options::file_seconds, 1,
             3600, "ingest.file_seconds", {"ingest"}),
      number("file-memory-mib", 0, "memory that reading one file may take, in MiB", &Options::file_memory_mib,
             64, 65536, "ingest.file_memory_mib", {"ingest"}),
      // Generation
      number("top", 0, "at each step, show the N most likely next tokens", &Options::top, 0, 100, "",
             {"generate"}),
      number("max-tokens", 'n', "longest text to generate, in tokens", &Options::max_tokens, 1, 1000000,
             "generate.max_tokens", kSampling),
      text(ValueKind::text, "system", 0, "TEXT", "what the model is told before the conversation",
           &Options::system, "generate.system", kSampling, "Answer in one sentence."),
      decimal("temperature", "0 takes the most likely token; higher is more varied", &Options::temperature,
              0.0, 5.0, "generate.temperature", with(kSampling, kWriting)),
      number("top-k", 0, "sample among the N most likely tokens (0: all)", &Options::top_k, 0, 1000000,
             "generate.top_k", with(kSampling, kWriting)),
      decimal("top-p", "sample among tokens that together have this probability", &Options::top_p, 0.0, 1.0,
              "generate.top_p", with(kSampling, kWriting)),
      decimal("min-p", "leave out tokens below this share of the likeliest", &Options::min_p, 0.0, 1.0,
              "generate.min_p", with(kSampling, kWriting)),
      decimal("repeat-penalty", "above 1 makes repetition less likely", &Options::repeat_penalty, 0.1, 10.0,
              "generate.repeat_penalty", with(kSampling, kWriting)),
      number("seed", 0, "same seed and prompt, same text", &Options::seed, 0, 2147483647, "generate.seed",
             with(kSampling, kWriting)),
      list("stop", "TEXT", "end the text where TEXT appears (may be repeated)", &Options::stop, kSampling,
           "###"),
      text(file, "grammar", 0, "FILE", "constrain the text to a GBNF grammar", &Options::grammar, "",
           {"generate"}, "answer.gbnf"),
      text(file, "json-schema", 0, "FILE", "constrain the text to JSON of this schema", &Options::json_schema,
           "", {"generate"}, "schema.json"),
      flag("raw", 0, "send the prompt as it is, without the model's chat template", &Options::raw, "",
           {"generate"}),
      // Models
      text(ValueKind::text, "model", 'm', "MODEL",
           "language model: a name from `loam models list`, or a GGUF file", &Options::model, "engine.model",
           with(with(kChatModel, kTextTasks), {"adapters use", "adapters merge", "adapters export",
                                               "adapters import", "adapters check", "adapters promote"}),
           "smollm2-135m-instruct"),
      list("adapter", "NAME[:SCALE]",
           "adapter on the model, from `loam adapters` or a file (may be repeated; none: not even the "
           "default)",
           &Options::adapters, with(kWithAdapters, kTextTasks), "tickets:0.5"),
      text(ValueKind::text, "embedder", 0, "MODEL", "embedding model: a name or a GGUF file",
           &Options::embedder, "engine.embedder", with(kEmbedder, {"eval qa", "eval retrieval", "improve"}),
           "all-minilm-l6-v2"),
      text(ValueKind::text, "embedder-adapter", 0, "NAME",
           "trained adapter on the embedding model, from `loam adapters` or a file; a collection keeps to it",
           &Options::embedder_adapter, "engine.embedder_adapter",
           with(kEmbedder, {"eval qa", "eval retrieval", "improve"}), "my-embedder"),
      text(ValueKind::text, "reranker", 0, "NAME",
           "adapter that re-ranks the first hits: from `loam adapters`, a file, none, or auto (the promoted "
           "one, else the one that came with the program)",
           &Options::reranker, "search.reranker", kReranked, "none"),
      text(ValueKind::text, "reader", 0, "NAME",
           "adapter that finds the words which answer: from `loam adapters`, a file, none or auto",
           &Options::span_reader, "ask.reader", kRead, "none"),
      number("threads", 't', "processor threads (0: one for each core)", &Options::threads, 0, 1024,
             "engine.threads",
             {"serve",
              "generate",
              "train lora",
              "chat",
              "ask",
              "ingest",
              "search",
              "explain",
              "fit",
              "bench engine",
              "models quantize",
              "eval loglikelihood",
              "eval perplexity",
              "summarise",
              "translate",
              "eval qa",
              "eval retrieval",
              "eval summarise",
              "eval translate",
              "eval bias",
              "code",
              "extract",
              "eval code",
              "eval extract",
              "classify compare",
              "classify fit",
              "improve",
              "classify predict",
              "adapters check",
              "adapters merge"}),
      number("ctx", 0, "context in tokens, prompt and answer together (0: all the model has)",
             &Options::context, 0, 10000000, "engine.context",
             with({"serve", "generate", "chat", "ask", "fit", "bench engine", "eval loglikelihood",
                   "eval perplexity", "classify compare", "adapters check"},
                  kTextTasks)),
      choice("kv-type", "TYPE", "precision of the context cache (q8_0 halves its memory)", &Options::kv_type,
             "engine.kv_type",
             with({"serve", "generate", "chat", "ask", "fit", "bench engine", "eval loglikelihood",
                   "eval perplexity", "adapters check"},
                  kTextTasks),
             {"f16", "bf16", "f32", "q8_0", "q4_0"}),
      number("slots", 0, "conversations held at the same time", &Options::slots, 1, 1024, "", {"fit"}),
      flag("special", 0, "read <|...|> as the model's control tokens", &Options::special, "",
           {"tokens encode"}),
      flag("offline", 0, "use only what is on this machine", &Options::offline, "models.offline",
           {"models pull"}),
      flag("as-is", 0, "keep the file as it comes; do not look for a faster form", &Options::keep_format,
           "models.as_is", {"models pull"}),
      flag("all", 'a', "list the catalogue too, not only what is on this machine", &Options::list_all, "",
           {"models list"}),
      text(ValueKind::text, "name", 0, "NAME", "name to keep the model under", &Options::name, "",
           {"models import", "models quantize", "adapters import"}, "my-model"),
      text(ValueKind::text, "type", 0, "TYPE", "llama.cpp weight type, such as q8_0, q4_0 or bf16",
           &Options::type, "", {"models quantize", "models import", "adapters merge"}, "q8_0"),
      text(file, "output", 'o', "FILE", "where to write the result", &Options::output, "",
           {"models quantize", "models import", "classify fit"}, "model-q8_0.gguf"),
      text(file, "text", 0, "FILE", "measure the loss on this text", &Options::text_file, "",
           {"models quantize", "adapters merge"}, "sample.txt"),
      // Summarise and translate
      number("sentences", 0, "longest summary, in sentences", &Options::sentences, 1, 200,
             "summarise.sentences", {"summarise", "eval summarise"}),
      number("chunk-tokens", 0, "tokens of text that the model is shown at a time", &Options::chunk_tokens,
             64, 1000000, "summarise.chunk_tokens", {"summarise", "eval summarise"}),
      text(ValueKind::text, "to", 0, "LANG",
           "language to translate into: a code (fr, pt-BR) or its English name", &Options::to, "translate.to",
           {"translate", "eval translate", "advise"}, "fr"),
      text(ValueKind::text, "from", 0, "LANG", "language of the text (else the model has to tell)",
           &Options::from, "translate.from", {"translate", "eval translate", "advise"}, "en"),
      text(file, "glossary", 0, "FILE", "CSV of terms and their translations, which must be kept",
           &Options::glossary, "translate.glossary", {"translate", "eval translate"}, "terms.csv"),
      flag("marks", 0, "mark what keeps its source text (--no-marks: do not)", &Options::marks,
           "translate.marks", {"translate"}),
      text(ValueKind::text, "column", 0, "NAME", "work through this column of a CSV file, a result a row",
           &Options::column, "", {"summarise", "translate", "extract"}, "text"),
      text(ValueKind::text, "id", 0, "NAME", "column of the CSV file that names its rows",
           &Options::id_column, "", {"summarise", "translate", "extract"}, "key"),
      text(file, "output", 'o', "FILE", "append results as JSON lines; what is done there is not done again",
           &Options::output, "", {"summarise", "translate", "extract"}, "results.jsonl"),
      // Code and extract
      text(file, "tests", 0, "FILE", "Python tests that the program must pass", &Options::tests_file, "",
           {"code"}, "tests.py"),
      number("repair", 0, "further attempts, each told what went wrong", &Options::repair, 0, 100,
             "code.repair", {"code", "eval code"}),
      number("test-seconds", 0, "time that the tests of one program may take, in seconds",
             &Options::test_seconds, 1, 3600, "code.test_seconds", {"code", "eval code"}),
      number("samples", 0, "programs written for each problem, for pass@k", &Options::samples, 1, 1000, "",
             {"eval code"}),
      number("max-tokens", 'n', "longest answer of the model, in tokens", &Options::written_tokens, 1,
             1000000, "", kWriting),
      text(file, "schema", 0, "FILE", "JSON schema for lines that bring none", &Options::schema, "",
           {"eval extract", "advise"}, "schema.json"),
      flag("keep-unsupported", 0, "leave values without support in the data; they stay marked",
           &Options::keep_unsupported, "", {"extract"}),
      // Evaluation
      flag("ingest", 0, "bring a collection in step with the data set's corpus first",
           &Options::ingest_corpus, "", {"eval retrieval"}),
      text(ValueKind::text, "split", 0, "NAME", "which judgements: the file qrels/NAME.tsv", &Options::split,
           "", {"eval retrieval", "improve"}, "test"),
      text(file, "templates", 0, "FILE", "questions and names of your own, in JSON", &Options::templates, "",
           {"eval bias"}, "probe.json"),
      flag("answers", 0, "also write answers, and compare refusals and sentiment", &Options::answers, "",
           {"eval bias"}),
      number("limit", 0, "cases to take from the file, from its beginning (0: all)", &Options::cases, 0,
             1000000000, "",
             {"eval loglikelihood", "eval qa", "eval retrieval", "eval summarise", "eval translate",
              "eval code", "eval extract", "advise"}),
      number("window", 0, "tokens read at once: the longest context of a token", &Options::window, 1, 1000000,
             "", {"eval perplexity"}),
      number("stride", 0, "tokens scored with each further window (0: half the window)", &Options::stride, 0,
             1000000, "", {"eval perplexity"}),
      // Classify
      text(ValueKind::text, "text", 0, "COL", "the column, or JSON key, that holds the text",
           &Options::text_column, "classify.text", with(kClassify, {"improve", "train head"}), "message"),
      text(ValueKind::text, "label", 0, "COL", "the column, or JSON key, that holds the label",
           &Options::label_column, "classify.label", with(kClassifyData, {"improve", "train head"}),
           "category"),
      text(ValueKind::text, "group", 0, "COL",
           "items with the same value here (a customer) are never parted between learning and testing",
           &Options::group_column, "", with(kClassifyData, {"improve"}), "customer"),
      flag("merge-labels", 0, "labels that differ in case and white space alone become one",
           &Options::merge_labels, "", with(kClassifyData, {"improve"})),
      text(file, "test", 0, "FILE", "test on this file in place of a fifth of the data", &Options::test_file,
           "", kClassifyData, "test.csv"),
      list("methods", "NAMES",
           "only these: majority, tfidf+logreg, bm25-knn, embeddings+logreg, llm-zero-shot, llm-few-shot",
           &Options::methods, {"classify compare", "advise"}, "tfidf+logreg,embeddings+logreg"),
      choice("method", "NAME", "which method to keep (auto: the one that the comparison recommends)",
             &Options::method, "", {"classify fit"},
             {"auto", "majority", "tfidf+logreg", "bm25-knn", "embeddings+logreg"}),
      decimal("target", "accuracy that what is decided alone must reach", &Options::target, 0.5, 0.9999,
              "classify.target", kClassify),
      number("folds", 0, "cross-validation over N parts, for few items (0: one split)", &Options::folds, 0,
             50, "", {"classify compare"}),
      number("shots", 0, "learn from N items of each label (0: from all)", &Options::shots, 0, 1000000, "",
             {"classify compare"}),
      number("draws", 0, "times to draw the shots", &Options::draws, 1, 1000, "", {"classify compare"}),
      number("llm-items", 0, "at most N test items for each method that asks a language model",
             &Options::llm_items, 1, 1000000, "classify.llm_items", {"classify compare", "advise"}),
      number("seed", 0, "which items are drawn for which part", &Options::seed, 0, 2147483647, "",
             with(kClassifyData, {"improve"})),
      choice("input-format", "FORMAT", "how the input is read (auto: by its name or first line)",
             &Options::input_format, "", {"classify predict"}, {"auto", "csv", "jsonl", "lines"}),
      // Advise
      choice("task", "TASK", "what is to be done with the items (auto: what the file looks like)",
             &Options::advise_task, "advise.task", {"advise"},
             {"auto", "classify", "answer", "summarise", "translate", "extract", "code"}),
      decimal("volume", "items a day", &Options::volume, 0.001, 1e9, "advise.volume", {"advise"}),
      decimal("latency", "longest wait for one item, in milliseconds (0: any)", &Options::latency, 0, 1e9,
              "advise.latency", {"advise"}),
      choice("privacy", "REACH", "how far the texts may travel", &Options::privacy, "advise.privacy",
             {"advise"}, {"this-machine", "own-network", "third-party"}),
      decimal("error-cost", "what one wrong result costs that nobody notices (0: not known)",
              &Options::error_cost, 0, 1e9, "advise.error_cost", {"advise"}),
      decimal("check-cost", "what it costs when a person does one item (0: not known)", &Options::check_cost,
              0, 1e9, "advise.check_cost", {"advise"}),
      decimal("machine-cost", "what this machine costs a month, power included (0: not known)",
              &Options::machine_cost, 0, 1e9, "advise.machine_cost", {"advise"}),
      decimal("price-in", "what a million tokens cost that a hosted model reads", &Options::price_in, 0, 1e9,
              "advise.price_in", {"advise"}),
      decimal("price-out", "what a million tokens cost that a hosted model writes", &Options::price_out, 0,
              1e9, "advise.price_out", {"advise"}),
      text(ValueKind::text, "currency", 0, "NAME", "the money of all prices", &Options::currency,
           "advise.currency", {"advise"}, "USD"),
      text(file, "answers", 0, "FILE", "a file with an [advise] table that answers the questions",
           &Options::answers_file, "", {"advise"}, "answers.toml"),
      choice("questions", "WHEN", "ask what is not said (auto: when a person is at the keyboard)",
             &Options::questions, "advise.questions", {"advise"}, {"auto", "always", "never"}),
      // Improve
      text(file, "data", 0, "FILE", "what to improve on: questions, a BEIR folder, or labelled texts",
           &Options::improve_data, "", {"improve"}, "questions.jsonl"),
      text(ValueKind::text, "budget", 0, "TIME", "how long to search and confirm: 90s, 30m, 2h (else 30m)",
           &Options::budget, "", {"improve"}, "30m"),
      number("trials", 0, "at most N trials (without --budget: no limit in time)", &Options::trials, 1,
             100000, "", {"improve"}),
      flag("dry-run", 0, "search and report, and leave the held-out part alone", &Options::dry_run, "",
           {"improve"}),
      flag("again", 0, "look at a held-out part that was looked at before; the ledger says so",
           &Options::again, "", {"improve"}),
      flag("recut", 0, "let an adoption cut and embed the collection's documents anew", &Options::recut, "",
           {"improve"}),
      flag("fresh", 0, "begin anew where an interrupted search could be taken up", &Options::fresh, "",
           {"improve"}),
      flag("history", 0, "what was tried and adopted so far", &Options::history, "", {"improve"}),
      flag("undo", 0, "take the last adoption back", &Options::undo, "", {"improve"}),
      number("adopt", 0, "adopt the confirmed winner of ledger run N", &Options::adopt_run, 1, 1000000000, "",
             {"improve"}),
      list("keep", "KEY", "do not vary this setting, such as ask.passages (may be repeated)", &Options::keep,
           {"improve"}, "ask.passages"),
      list("prompt", "FILE", "a pre-prompt of yours to try (may be repeated)", &Options::prompt_files,
           {"improve"}, "short.txt"),
      text(file, "report", 0, "FILE", "write the gains over time as a page, or as a picture (.svg)",
           &Options::report_file, "", {"improve"}, "gains.html"),
      decimal("wrong-cost", "what a wrong answer costs, where a right one brings 1 and silence nothing",
              &Options::wrong_cost, 0.0, 100.0, "improve.wrong_cost", {"improve"}),
      decimal("held-out", "share of the data that is kept aside to confirm on", &Options::held_out, 0.1, 0.9,
              "improve.held_out", {"improve"}),
      // Train
      text(file, "data", 0, "FILE", "what to learn: JSON lines or CSV, or SQuAD's JSON", &Options::train_data,
           "", kTrain, "tickets.jsonl"),
      text(ValueKind::text, "base", 0, "MODEL",
           "model to train on: a name or a GGUF file (else the chat or the embedding model)",
           &Options::train_base, "", kTrain, "smollm2-135m-instruct"),
      text(file, "out", 0, "FILE", "the adapter (else HOME/adapters/DATA.gguf)", &Options::train_out, "",
           kTrain, "tickets.gguf"),
      flag("resume", 0, "go on where the same command was stopped", &Options::train_resume, "", kTrain),
      number("rank", 0, "rank of the adapter", &Options::train_rank, 1, 1024, "train.rank", kTrainAndFit),
      decimal("alpha", "its scale is alpha / rank (0: twice the rank)", &Options::train_alpha, 0.0, 100000.0,
              "train.alpha", kTrain),
      text(ValueKind::text, "targets", 0, "LIST",
           "linear layers: all-linear, attention, mlp, or names such as q_proj,v_proj",
           &Options::train_targets, "train.targets", kTrainAndFit, "q_proj,v_proj"),
      flag("rslora", 0, "scale by alpha / sqrt(rank) instead", &Options::train_rslora, "train.rslora",
           kTrain),
      decimal("lora-plus", "learning rate of B over that of A (LoRA+ uses 16)", &Options::train_lora_plus,
              0.01, 1000.0, "train.lora_plus", kTrain),
      number("last-layers", 0, "only in so many layers from the top (0: all)", &Options::train_last_layers, 0,
             10000, "train.last_layers", kTrainAndFit),
      decimal("lr", "learning rate at its peak (0: as usual)", &Options::train_rate, 0.0, 1.0, "train.lr",
              kTrain),
      number("epochs", 0, "times to go through the data (0: as usual)", &Options::train_epochs, 0, 100000,
             "train.epochs", kTrainAndFit),
      number("steps", 0, "steps instead of epochs (0: by epochs)", &Options::train_steps, 0, 100000000, "",
             kTrainAndFit),
      number("batch-size", 0, "items a step (0: as usual)", &Options::train_batch, 0, 100000,
             "train.batch_size", kTrainAndFit),
      number("micro-batch", 0, "tokens computed at once; memory grows with it", &Options::train_micro_batch,
             1, 1000000, "train.micro_batch", kTrainAndFit),
      number("seq-len", 0, "leave out, and tell, items of more tokens (0: as usual)",
             &Options::train_sequence, 0, 1000000, "train.seq_len", kTrainAndFit),
      decimal("negatives", "wrong passages for each right one (-1: as usual)", &Options::train_negatives,
              -1.0, 100.0, "train.negatives", {"train reader", "train reranker", "train embedder"}),
      decimal("holdout", "share that is only measured on", &Options::train_hold_out, 0.0, 0.9,
              "train.holdout", kTrainAndFit),
      text(ValueKind::text, "group", 0, "COL", "what must not be split: a column or key (else document)",
           &Options::group_column, "", kTrain, "customer"),
      number("seed", 0, "same seed and data, same adapter", &Options::seed, 0, 2147483647, "", kTrain),
      choice("precision", "NAME", "of the products (auto: bf16 where the processor multiplies it)",
             &Options::train_precision, "train.precision", kTrainAndFit, {"auto", "f32", "bf16"}),
      choice("memory", "WHICH", "low computes layers twice, a third slower", &Options::train_memory,
             "train.memory", kTrainAndFit, {"auto", "high", "low"}),
      choice("features", "WHERE", "with --last-layers: where states of the frozen layers are kept",
             &Options::train_features, "train.features", {"train lora", "fit"},
             {"auto", "memory", "disk", "off"}),
      number("memory-limit", 0, "megabytes of memory at most, weights included (0: what is free)",
             &Options::train_memory_limit, 0, 100000000, "train.memory_limit", {"train lora", "fit"}),
      flag("train", 0, "say it for training a LoRA adapter, with the settings of train lora",
           &Options::fit_train, "", {"fit"}),
      number("examples", 0, "with --train: how many there are", &Options::fit_examples, 1, 100000000, "",
             {"fit"}),
      number("example-tokens", 0, "with --train: question and answer together, on average",
             &Options::fit_example_tokens, 2, 1000000, "", {"fit"}),
      number("answer-tokens", 0, "with --train: the answer alone, on average", &Options::fit_answer_tokens, 1,
             1000000, "", {"fit"}),
      text(file, "out-data", 0, "FILE", "the draft, to be edited before training", &Options::out_data, "",
           {"train draft"}, "draft.jsonl"),
      number("items", 0, "questions at most, taken in turns from the documents (0: all)",
             &Options::draft_items, 0, 10000000, "", {"train draft"}),
      number("per-passage", 0, "questions of one passage at most", &Options::draft_per_passage, 1, 1000, "",
             {"train draft"}),
      // Adapters
      text(file, "out", 0, "FILE", "the merged model", &Options::merge_out, "", {"adapters merge"},
           "merged.gguf"),
      text(folder, "to", 0, "DIR", "the folder for PEFT", &Options::export_folder, "", {"adapters export"},
           "tickets-peft"),
      text(file, "data", 0, "FILE", "held-out items, in the forms that `loam train lora` reads",
           &Options::gate_data, "", {"adapters check"}, "held-out.jsonl"),
      flag("force", 0, "promote what no check has shown to be better", &Options::force, "",
           {"adapters promote"}),
      // Serve
      text(ValueKind::text, "host", 0, "ADDRESS", "address to listen at; beyond this machine a key is needed",
           &Options::host, "serve.host", {"serve"}, "127.0.0.1"),
      number("port", 0, "port to listen at (0: any that is free)", &Options::port, 0, 65535, "serve.port",
             {"serve"}),
      text(file, "key-file", 0, "FILE", "keys that may ask, one a line; only you may read the file",
           &Options::key_file, "serve.key_file", {"serve"}, "keys.txt"),
      list("allow-host", "NAME", "another name by which this server may be called (may be repeated)",
           &Options::allow_hosts, {"serve"}, "loam.example.org"),
      number("queue", 0, "requests that may wait for the model; more are told to come again", &Options::queue,
             0, 100000, "serve.queue", {"serve"}),
      text(file, "worker", 0, "SOCKET",
           "hold the models for a server, at this socket; loam serve starts it so", &Options::worker_socket,
           "", {"serve"}, "worker.sock"),
      // Ledger and bench
      text(ValueKind::text, "task", 0, "TASK", "only runs of this task, such as ask", &Options::task, "",
           {"ledger list", "ledger export"}, "ask"),
      number("limit", 0, "runs to list, newest first", &Options::limit, 1, 100000, "", {"ledger list"}),
      flag("items", 0, "show what each item of the run got", &Options::show_items, "", {"ledger show"}),
      text(file, "csv", 0, "FILE", "write one line per run and metric", &Options::csv_file, "",
           {"ledger export"}, "runs.csv"),
      text(file, "jsonl", 0, "FILE", "write runs with their items, as `loam ledger import` reads them",
           &Options::jsonl_file, "", {"ledger export"}, "runs.jsonl"),
      text(folder, "mlflow", 0, "DIR", "write MLflow's folders", &Options::mlflow_folder, "",
           {"ledger export"}, "mlruns"),
      text(ValueKind::text, "metric", 0, "NAME", "which score to go by", &Options::metric, "",
           {"compare", "leaderboard", "improve", "adapters check"}, "accuracy"),
      text(ValueKind::text, "data", 0, "NAME",
           "the data file, or the beginning of its hash (else that of the newest run)", &Options::board_data,
           "", {"leaderboard"}, "tickets.csv"),
      text(ValueKind::text, "split", 0, "NAME", "the part of the data (else that of the newest run)",
           &Options::board_split, "", {"leaderboard"}, "test"),
      text(file, "html", 0, "FILE", "also write a page that stands alone, with chart and table",
           &Options::html_file, "", {"leaderboard", "advise"}, "board.html"),
      text(file, "svg", 0, "FILE", "also write the chart", &Options::svg_file, "", {"leaderboard"},
           "board.svg"),
      number("prompt-tokens", 0, "prompt length to measure", &Options::prompt_tokens, 1, 1000000, "",
             {"bench engine"}),
      number("generate-tokens", 0, "answer length to measure", &Options::generate_tokens, 1, 1000000, "",
             {"bench engine"}),
      number("repetitions", 0, "times to measure; the median is shown", &Options::repetitions, 1, 1000, "",
             {"bench engine"}),
      // Everywhere
      flag("json", 0, "print JSON on stdout; everything else goes to stderr", &Options::json, "",
           kEverywhere),
      text(folder, "home", 0, "DIR",
           "where Loam keeps its store and models ($LOAM_HOME, else ~/.local/share/loam)", &Options::home, "",
           kEverywhere, "/tmp/loam-home"),
      text(file, "config", 0, "FILE", "settings file in TOML ($LOAM_CONFIG, else HOME/config.toml)",
           &Options::config, "", kEverywhere, "loam.toml"),
      text(folder, "models", 0, "DIR", "where models lie ($LOAM_MODELS, else HOME/models)", &Options::models,
           "models.folder", kEverywhere, "/tmp/models"),
      flag("quiet", 'q', "say only results and errors", &Options::quiet, "output.quiet", kEverywhere),
      flag("verbose", 'v', "say what is being done, on stderr", &Options::verbose, "output.verbose",
           kEverywhere),
      choice("color", "WHEN", "when to use colours (NO_COLOR is honoured)", &Options::color, "output.color",
             kEverywhere, {"auto", "always", "never"}),
      flag("help", 'h', "show help", &Options::help, "", kEverywhere),
  };
}

Error bad_value(const Setting& setting, const std::string& value, const std::string& place,
                const std::string& wants) {
  std::string next =
      setting.kind == ValueKind::choice
          ? fmt::format("{} {}", place, nearest(value, setting.choices).value_or(setting.choices.front()))
          : fmt::format("{} {}", place, setting.default_text());
  if (!place.starts_with("--"))
    next = fmt::format("{} = {}", setting.key.substr(setting.key.find('.') + 1), setting.default_text());
  return Error{Kind::bad_request, place, fmt::format("\"{}\" is not {}", value, wants), next};
}

std::string trimmed_number(double value) {
  return value == std::floor(value) && std::abs(value) < 1e15 ? fmt::format("{:.0f}", value)
                                                              : fmt::format("{}", value);
}
}  // namespace

double default_lexical_weight() {
  return std::round(static_cast<double>(retrieve::RetrieveOptions{}.lexical_weight) * 1e4) / 1e4;
}

double fitted_min_confidence() {
  // Rounded, so that the default reads 0.3 and not the nearest float.
  return std::round(static_cast<double>(answer::AskOptions{}.min_confidence) * 1e4) / 1e4;
}

std::string_view name_of(ValueKind kind) {
  switch (kind) {
    case ValueKind::flag:
      return "flag";
    case ValueKind::text:
      return "text";
    case ValueKind::list:
      return "list";
    case ValueKind::number:
      return "number";
    case ValueKind::decimal:
      return "decimal";
    case ValueKind::choice:
      return "choice";
    case ValueKind::file:
      return "file";
    case ValueKind::folder:
      return "folder";
  }
  return "";
}

bool Setting::serves(std::string_view verb) const {
  for (const std::string& mine : verbs) {
    if (mine == "*" || mine == verb) return true;
  }
  return false;
}

const std::vector<Setting>& settings() {
  static const std::vector<Setting> all = table();
  return all;
}

std::vector<const Setting*> settings_of(std::string_view verb) {
  std::vector<const Setting*> found;
  for (const Setting& s : settings()) {
    if (s.serves(verb)) found.push_back(&s);
  }
  return found;
}

const Setting* find_setting(std::string_view verb, std::string_view long_name) {
  for (const Setting& s : settings()) {
    if (s.name == long_name && s.serves(verb)) return &s;
  }
  return nullptr;
}

const Setting* find_setting(std::string_view verb, char letter) {
  for (const Setting& s : settings()) {
    if (letter != 0 && s.letter == letter && s.serves(verb)) return &s;
  }
  return nullptr;
}

const Setting* find_setting_by_key(std::string_view key) {
  for (const Setting& s : settings()) {
    if (!s.key.empty() && s.key == key) return &s;
  }
  return nullptr;
}

Result<void> apply(const Setting& setting, const std::string& value, const std::string& place,
                   Options& options) {
  const char* begin = value.data();
  const char* end = begin + value.size();
  switch (setting.kind) {
    case ValueKind::flag:
      if (value != "true" && value != "false") return bad_value(setting, value, place, "true or false");
      break;
    case ValueKind::number: {
      long long parsed = 0;
      const auto [stop, failure] = std::from_chars(begin, end, parsed);
      if (failure != std::errc{} || stop != end || static_cast<double>(parsed) < setting.low ||
          static_cast<double>(parsed) > setting.high) {
        return bad_value(setting, value, place,
                         fmt::format("a whole number from {} to {}", trimmed_number(setting.low),
                                     trimmed_number(setting.high)));
      }
      break;
    }
    case ValueKind::decimal: {
      double parsed = 0;
      const auto [stop, failure] = std::from_chars(begin, end, parsed);
      if (failure != std::errc{} || stop != end || !(parsed >= setting.low && parsed <= setting.high)) {
        return bad_value(
            setting, value, place,
            fmt::format("a number from {} to {}", trimmed_number(setting.low), trimmed_number(setting.high)));
      }
      break;
    }
    case ValueKind::choice: {
      bool known = false;
      for (const std::string& one : setting.choices) known = known || one == value;
      if (!known)
        return bad_value(setting, value, place, fmt::format("one of {}", fmt::join(setting.choices, ", ")));
      break;
    }
    case ValueKind::file:
    case ValueKind::folder:
      if (value.empty())
        return Error{Kind::bad_request, place, "the name is empty", place + " " + setting.value};
      break;
    case ValueKind::text:
    case ValueKind::list:
      if (!is_valid_utf8(value)) {
        return Error{Kind::bad_request, place, "the text is not valid UTF-8", "set the terminal to UTF-8"};
      }
      break;
  }
  setting.set(options, value);
  return done();
}

}  // namespace loam::cli
