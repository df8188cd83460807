#include "cli/verbs.h"

#include <algorithm>

#include "cli/verbs_training.h"

namespace loam::cli {
namespace {

std::vector<Verb> table() {
  const std::string start = "Getting started";
  const std::string documents = "Your documents";
  const std::string data = "Your data";
  const std::string models = "Models";
  const std::string evaluation = "Is it good?";
  const std::string measuring = "Measuring";
  const std::string program = "The program";
  return {
      {"doctor",
       start,
       "",
       0,
       0,
       "what this machine can do, and what is missing",
       "Shows processor, memory, models, document formats and sandbox, and for whatever is missing the next "
       "step.",
       "something that `loam ask` needs is missing",
       {{"loam doctor", "is everything there?"}},
       run_doctor},

      {"ingest",
       documents,
       "PATH...",
       0,
       -1,
       "read files and folders into a collection",
       "Reads Markdown, text, HTML, CSV and PDF, and prints a verdict for each file. Files that have not "
       "changed "
       "are not read again; documents whose file is gone from a named folder are removed. One bad file never "
       "stops "
       "the rest. Ctrl-C stops between files, and what was reported is kept.",
       "a file failed, or nothing was found to read",
       {{"loam ingest handbook/", "read a folder, or bring it up to date"},
        {"loam ingest -c legal contract.pdf", "one file into the collection \"legal\""},
        {"loam ingest --show-text offer.pdf", "what Loam sees in a file"}},
       run_ingest},
      {"ask",
       documents,
       "QUESTION",
       1,
       1,
       "an answer whose every citation has been checked, or honest silence",
       "Finds passages, lets the model draft an answer, and checks each of its sentences against them: what "
       "has no "
       "support is not shown. Beside it stands the baseline, an answer made without a language model. When "
       "the "
       "documents do not hold the answer, Loam says so.",
       "Loam abstained: the answer is not in the documents",
       {{"loam ask \"How many days of leave do I have?\"", "ask your documents"},
        {"loam ask --baseline-only \"Who signs the contract?\"", "without a language model"},
        {"loam ask --show-prompt --why \"When is rent due?\"", "see the prompt and each score"}},
       run_ask},
      {"search",
       documents,
       "QUERY",
       1,
       1,
       "the passages that fit best",
       "Searches by words (BM25) and by meaning (embeddings) and fuses both lists.",
       "nothing was found",
       {{"loam search \"parental leave\"", "the five best passages"},
        {"loam search -k 20 --why --json \"parental leave\"", "with scores, for a program"}},
       run_search},
      {"explain",
       documents,
       "QUESTION FILE",
       2,
       2,
       "why a document was, or was not, found for a question",
       "Follows the file's best passage through every stage of the search and says where it fell out.",
       "the file is not among the passages shown",
       {{"loam explain \"When is rent due?\" contract.pdf", "where does contract.pdf stand?"}},
       run_explain},
      {"summarise",
       documents,
       "[FILE...]",
       0,
       -1,
       "a summary in which every sentence has been checked against the document",
       "Reads the whole document, however long: passages are summarised in runs, and what holds is joined. "
       "Each "
       "sentence is aligned with the bytes that carry it; what has no support is dropped (or marked, with "
       "--keep-unsupported). Beside it stands TextRank, a summary without a language model, which is also "
       "the answer "
       "when nothing of the model's holds. With -c the document is one of a collection. Several files, a "
       "folder, "
       "--column or --output make a batch: a line of JSON for each, and with --output a run that goes on "
       "where the "
       "last one ended.",
       "the document has no text; of a batch, something failed",
       {{"loam summarise report.pdf", "five sentences, with their places"},
        {"loam summarise -c handbook leave.md --sentences 3", "a document of a collection"},
        {"loam summarise --output summaries.jsonl reports/", "a folder; run it again to go on"},
        {"loam summarise --column text --id key tickets.csv --output out.jsonl", "each row of a table"}},
       run_summarise},
      {"translate",
       documents,
       "[FILE...]",
       0,
       -1,
       "a translation that keeps structure, numbers, placeholders and terms, or says where it did not",
       "Goes sentence by sentence; Markdown's frame, code and front matter are not touched. After the model "
       "has "
       "written, code checks that numbers, `code`, addresses, {placeholders}, <tags/>, marks and glossary "
       "terms came "
       "through. What breaks one is tried again once and then keeps its source text, marked. What the words "
       "mean is "
       "not checked: the small default model cannot really translate, see bench/README.md.",
       "there is no text; of a batch, something failed",
       {{"loam translate --to fr guide.md", "into French, on standard output"},
        {"loam translate --to de --glossary terms.csv guide.md", "with terms that must be used"},
        {"loam translate --to fr --column text tickets.csv --output out.jsonl", "each row of a table"}},
       run_translate},
      {"extract",
       documents,
       "SCHEMA [FILE|TEXT...]",
       1,
       -1,
       "fields out of a text by a JSON schema, each with the place where it stands",
       "The model answers in JSON of the schema; each value is then looked for in the text, and what does "
       "not "
       "stand there is null. Beside it stands what patterns find without a model. Rows of CSV, Markdown and "
       "HTML tables fill a list whose fields are named like the columns. Several files, a folder, --column "
       "or "
       "--output make a batch: a line of JSON for each, and with --output a run that goes on where the last "
       "one ended.",
       "no value has support; of a batch, something failed",
       {{"loam extract invoice.schema.json invoice.pdf", "from a document"},
        {"loam extract --baseline-only schema.json \"Total: 12.50 EUR\"", "by patterns, without a model"},
        {"loam extract --column text --id key schema.json mails.csv --output out.jsonl",
         "each row of a table"}},
       run_extract},
      {"code",
       documents,
       "TASK",
       0,
       1,
       "a Python program that has passed your tests, or the test it fails",
       "The model writes, the tests of --tests run in a sandbox without network and files, and with --repair "
       "N "
       "each failure is told to the model, at most N times. Without TASK, or with -, it is read from "
       "standard "
       "input. Nothing is run where a layer of the sandbox is missing; `loam doctor` says which.",
       "a test failed",
       {{"loam code \"Write a function add(a, b).\" --tests tests.py", "pass or fail"},
        {"loam code \"Write a function add(a, b).\" --tests tests.py --repair 3",
         "with three more attempts"}},
       run_code},
      {"collections list",
       documents,
       "",
       0,
       0,
       "the collections there are",
       "",
       "there is none",
       {{"loam collections", "names, documents, passages"}},
       run_collections_list},
      {"collections rm",
       documents,
       "NAME",
       1,
       1,
       "remove a collection; the files themselves stay",
       "",
       "",
       {{"loam collections rm legal", "forget the collection \"legal\""}},
       run_collections_rm},
      {"check",
       documents,
       "",
       0,
       0,
       "is the store sound?",
       "Checks the store file and that every passage has its text, its vector and its document.",
       "problems were found",
       {{"loam check", "check the store"}},
       run_check},
      {"compare",
       evaluation,
       "RUN RUN",
       2,
       2,
       "is the second run better than the first, or was it luck?",
       "Pairs two runs of the ledger on the items that both scored: difference with its interval, p, and the "
       "smallest difference that so many items could show.",
       "",
       {{"loam compare 3 5", "by the first score they share"},
        {"loam compare 3 5 --metric f1 --json", "by another one, for a program"}},
       run_compare},
      {"leaderboard",
       evaluation,
       "TASK",
       1,
       1,
       "who is best at a task, and who is just as good",
       "The latest run of each contestant on the same data, best first, each tested against the best and "
       "corrected for their number (Holm).",
       "",
       {{"loam leaderboard classify", "as a table"},
        {"loam leaderboard classify --html board.html", "with a chart, for others"}},
       run_leaderboard},
      {"improve",
       evaluation,
       "TASK",
       0,
       1,
       "find better settings for your data, confirm them once, adopt them only when that is shown",
       "TASK is qa (questions with answers over a collection), retrieval (a BEIR folder) or classify "
       "(labelled "
       "texts). Most of the data serves to search among settings: many on a few items, the better third on "
       "more. The winner is compared once with the present settings on the part kept aside, and adopted when "
       "the difference is more than luck. From then on `loam ask`, `search` and `ingest` use it for that "
       "collection, unless the command line or the settings file says otherwise. Every trial is in the "
       "ledger; interrupted, the same command goes on from there.",
       "nothing better was shown, or it was stopped before the end",
       {{"loam improve qa --data questions.jsonl --budget 30m -c handbook", "better answers in half an hour"},
        {"loam improve retrieval --data mine/ --trials 40 --dry-run",
         "what could be better, without adopting"},
        {"loam improve classify --data tickets.csv --budget 5m", "then: loam classify fit tickets.csv"},
        {"loam improve --history --report gains.html", "what it brought so far"},
        {"loam improve --undo -c handbook", "back to the settings before"}},
       run_improve},
      {"ledger list",
       evaluation,
       "[WORD...]",
       0,
       -1,
       "what was run, on what, with which result",
       "With words: the runs whose name, data, settings or models hold them all.",
       "there is no such run",
       {{"loam ledger --limit 5", "the last five runs"},
        {"loam ledger list tickets logreg", "those that tell of both"}},
       run_ledger_list},
      {"ledger show",
       evaluation,
       "RUN",
       1,
       1,
       "everything about one run",
       "",
       "",
       {{"loam ledger show 3 --items", "with the result of each item"}},
       run_ledger_show},
      {"ledger export",
       evaluation,
       "",
       0,
       0,
       "the ledger for other programs: CSV, JSON lines or MLflow",
       "The folder of --mlflow is read by `mlflow ui --backend-store-uri DIR`.",
       "there is no run to export",
       {{"loam ledger export --csv runs.csv", "for a spreadsheet"},
        {"loam ledger export --jsonl runs.jsonl", "for the ledger of another machine"}},
       run_ledger_export},
      {"ledger import",
       evaluation,
       "FILE",
       1,
       1,
       "take in runs that were scored elsewhere",
       "FILE holds JSON lines (docs/formats/runs.md). All of it is checked before anything is written.",
       "",
       {{"loam ledger import runs.jsonl", "then compare them"}},
       run_ledger_import},

      {"advise",
       data,
       "DATA",
       1,
       1,
       "do I need a language model for this? measured on your data, with what it costs",
       "DATA is a sample with right answers: a CSV file of texts with a label each (columns are guessed, and "
       "can "
       "be named), questions to a collection, texts with summaries, translations, fields or tests. Asks, "
       "where a "
       "person is at the keyboard and as far as options and --answers leave it open, how many items come, "
       "how "
       "long one may take, where texts may go, and what mistakes and people cost. Runs what could do the "
       "job, "
       "from no model at all to the language model on this machine, tests the differences, and answers with "
       "figures, the cost of a month, and what would change the answer. --html writes it as a page with "
       "pictures. Every run is in the ledger.",
       "nothing that was measured is worth starting with",
       {{"loam advise tickets.csv", "asks a few questions, measures, answers"},
        {"loam advise tickets.csv --volume 500 --error-cost 20 --check-cost 1.50 --html advice.html",
         "nothing left to ask; a page with pictures"},
        {"loam advise questions.jsonl -c handbook --questions never", "questions to a collection"}},
       run_advise},
      {"classify compare",
       data,
       "DATA",
       1,
       1,
       "which method sorts these texts best, and do you need a language model for it?",
       "DATA is a CSV file or JSON lines with a text and a label each. On one split of it runs: the most "
       "frequent label, word statistics, nearest texts, embeddings, and a language model without and with "
       "examples. Shows how often each is right, what it costs, how much it may decide alone at the target, "
       "and recommends the cheapest that is not shown to be worse than the best. Labels that look wrong are "
       "listed. Every run is in the ledger.",
       "--target was given, and the recommended method can decide nothing alone at it",
       {{"loam classify compare tickets.csv --text message --label team", "all methods on your data"},
        {"loam classify compare tickets.csv --shots 8 --draws 10", "as if you had 8 examples of each label"},
        {"loam classify compare tickets.csv --methods tfidf+logreg,embeddings+logreg", "only these two"}},
       run_classify_compare},
      {"classify fit",
       data,
       "DATA",
       1,
       1,
       "keep the recommended method as a small file",
       "Fits the method on all of DATA and writes it to the file of -o with its labels, its thresholds and "
       "where it comes from. The same data and seed give the same file.",
       "",
       {{"loam classify fit tickets.csv -o tickets.classifier", "the method that the comparison recommends"},
        {"loam classify fit tickets.csv -o fast.classifier --method tfidf+logreg", "this one"}},
       run_classify_fit},
      {"classify predict",
       data,
       "CLASSIFIER [INPUT]",
       1,
       2,
       "label a stream of texts, and say which a person should look at",
       "INPUT is CSV, JSON lines or one text a line; - or nothing reads standard input, and answers come as "
       "the texts do. CSV gets the columns predicted, probability and decision; JSON lines and --json give a "
       "line for each text. Below the threshold of --target the decision is \"ask a person\".",
       "there was no text",
       {{"loam classify predict tickets.classifier new.csv", "a file"},
        {"tail -f inbox.txt | loam classify predict tickets.classifier --target 0.99", "as they come in"}},
       run_classify_predict},

      {"models list",
       models,
       "",
       0,
       0,
       "the models on this machine",
       "",
       "there is none",
       {{"loam models", "what is installed"}, {"loam models list --all", "what could be pulled"}},
       run_models_list},
      {"models show",
       models,
       "MODEL",
       1,
       1,
       "everything about one model",
       "Takes the name of an installed model, one from the catalogue, or a GGUF file, which is checked.",
       "",
       {{"loam models show smollm2-135m-instruct", "licence, size, source, measured forms"}},
       run_models_show},
      {"models pull",
       models,
       "MODEL",
       1,
       1,
       "bring a model onto this machine",
       "Takes a name from `loam models list --all`, a GGUF file, or hf:ORG/REPO[:FILE]. The file is checked "
       "by hash "
       "and structure. A broken download is resumed by the next call.",
       "",
       {{"loam models pull smollm2-135m-instruct", "by name"},
        {"loam models pull hf:ORG/REPO:FILE.gguf", "from the HuggingFace hub"}},
       run_models_pull},
      {"models rm",
       models,
       "MODEL",
       1,
       1,
       "remove a model from this machine",
       "",
       "",
       {{"loam models rm my-model", "free its space"}},
       run_models_rm},
      {"models import",
       models,
       "PATH",
       1,
       1,
       "turn safetensors into a GGUF model, or take in a GGUF file",
       "PATH is a folder with model.safetensors, config.json and tokenizer files, or a GGUF file.",
       "",
       {{"loam models import ./all-MiniLM-L6-v2", "a folder from a model hub"}},
       run_models_import},
      {"models quantize",
       models,
       "MODEL",
       1,
       1,
       "a smaller form of a model, and what it costs",
       "Writes MODEL in another weight type (--type), and measures perplexity, KL divergence and speed "
       "against the "
       "source on this machine.",
       "",
       {{"loam models quantize smollm2-135m-instruct --type q8_0", "eight bits for each weight"}},
       run_models_quantize},
      {"fit",
       models,
       "MODEL",
       1,
       1,
       "will it fit in memory, and how fast will it be?",
       "Predicts peak memory and speed before anything large is loaded.",
       "it does not fit",
       {{"loam fit smollm2-135m-instruct --ctx 4096 --slots 4", "four conversations of 4,096 tokens"},
        {"loam fit smollm2-135m-instruct --train --examples 2000 --rank 16",
         "memory, speed and time of training an adapter"}},
       run_fit},
      {"generate",
       models,
       "PROMPT",
       0,
       1,
       "text from a model",
       "Without PROMPT, or with -, the prompt is read from standard input. --top N shows what a language "
       "model does: "
       "at each step, the N most likely next tokens and their probabilities.",
       "",
       {{"loam generate \"Name three colours.\"", "through the chat template"},
        {"loam generate --raw --top 5 -n 8 \"The capital of France is\"", "see each choice"}},
       run_generate},
      {"serve",
       start,
       "",
       0,
       0,
       "answer programs over HTTP, as OpenAI's service does",
       "Programs that speak OpenAI's protocol reach the language model by its name and each collection as "
       "the "
       "model \"docs:NAME\": its answers carry their checked citations, or say that the documents do not "
       "hold "
       "it. "
       "The models run in a process of their own, which is started again when it dies.",
       "",
       {{"loam serve", "for this machine, at port 8642"},
        {"loam serve --host 0.0.0.0 --key-file keys.txt --allow-host loam.example.org",
         "for others, who need a key"}},
       run_serve},
      {"chat",
       models,
       "",
       0,
       0,
       "talk with a model",
       "Ctrl-C stops the answer and not the program. /help lists what can be typed.",
       "",
       {{"loam chat --system \"Answer in one sentence.\"", "with an instruction"}},
       run_chat},
      {"tokens encode",
       models,
       "TEXT",
       0,
       1,
       "how a model cuts text into tokens",
       "Without TEXT, or with -, the text is read from standard input.",
       "",
       {{"loam tokens encode \"Hello world\"", "number and text of each token"}},
       run_tokens_encode},
      {"tokens decode",
       models,
       "NUMBER...",
       1,
       -1,
       "the text of token numbers",
       "",
       "",
       {{"loam tokens decode 19556 905", "back to text"}},
       run_tokens_decode},
      {"bench engine",
       models,
       "",
       0,
       0,
       "measure prompt and answer speed of a model",
       "",
       "",
       {{"loam bench engine", "tokens per second on this machine"}},
       run_bench_engine},

      {"eval qa",
       measuring,
       "FILE",
       1,
       1,
       "answers and citations against known ones, beside the extractive baseline",
       "FILE holds JSON lines {\"id\",\"question\",\"answer\"|null,\"accept\":[...],\"source\",\"quote\"}; "
       "null means that the "
       "documents do not say. Scores: exact match and token F1 as SQuAD has them, whether the answer holds "
       "an accepted "
       "one, precision and recall of the citations, the share answered (coverage), the error among them, and "
       "the area "
       "under the risk-coverage curve. Model and baseline become runs of the ledger.",
       "",
       {{"loam eval qa questions.jsonl -c handbook", "how good are the answers?"},
        {"loam eval qa questions.jsonl -c handbook --baseline-only --json", "the baseline, for a program"}},
       run_eval_qa},
      {"eval retrieval",
       measuring,
       "FOLDER",
       1,
       1,
       "nDCG@10, recall and MRR of search by words, by meaning and by both",
       "FOLDER is a data set in BEIR's layout: queries.jsonl, qrels/SPLIT.tsv, and with --ingest "
       "corpus.jsonl, which "
       "becomes a collection of its own (beir-NAME, or that of -c). Without --ingest the collection of -c is "
       "searched; "
       "its documents are the judged ones when their names, without folder and ending, are the judged ids.",
       "",
       {{"loam eval retrieval --ingest scifact/", "all three on a public data set"},
        {"loam eval retrieval mine/ -c handbook", "on documents of yours"}},
       run_eval_retrieval},
      {"eval summarise",
       measuring,
       "FILE",
       1,
       1,
       "ROUGE of summaries, beside TextRank and the opening sentences",
       "FILE holds JSON lines {\"id\",\"input\",\"reference\"|\"references\":[...]}. Besides ROUGE: the "
       "share of the "
       "model's sentences that hold, and of the passages that were read.",
       "",
       {{"loam eval summarise papers.jsonl --sentences 1", "one-sentence summaries"}},
       run_eval_summarise},
      {"eval translate",
       measuring,
       "FILE",
       1,
       1,
       "BLEU and chrF of translations, beside copying the source",
       "FILE holds JSON lines {\"id\",\"input\",\"reference\"|\"references\":[...]}. Besides BLEU and chrF "
       "(as sacreBLEU has "
       "them): the share of segments that kept what must be kept, and the share that came back unchanged.",
       "",
       {{"loam eval translate --to fr sentences.jsonl --limit 100", "the first hundred, into French"}},
       run_eval_translate},
      {"eval bias",
       measuring,
       "",
       0,
       0,
       "does the answer change when only the name changes?",
       "Asks the same questions with names, titles and countries swapped and compares how likely the kind "
       "and the "
       "unkind answer are. Differences come with intervals that are clustered by question and p after Holm's "
       "correction. The built-in questions are few and English: no difference found is no proof of fairness.",
       "",
       {{"loam eval bias", "with the built-in questions"},
        {"loam eval bias --templates mine.json --answers", "with questions of yours, and written answers"}},
       run_eval_bias},
      {"eval code",
       measuring,
       "FILE",
       1,
       1,
       "pass@k: how many problems a model solves, by their tests",
       "FILE holds JSON lines {\"task_id\",\"text\",\"test_list\":[...]} as MBPP has them. Programs run in "
       "the "
       "sandbox. With --samples n, pass@k is the unbiased estimate from n programs (Chen et al., 2021).",
       "",
       {{"loam eval code problems.jsonl --limit 50", "greedy, the first fifty"},
        {"loam eval code problems.jsonl --samples 10 --temperature 0.8", "pass@1, @5 and @10"}},
       run_eval_code},
      {"eval extract",
       measuring,
       "FILE",
       1,
       1,
       "which fields are right: the model's, the same unchecked, and those of patterns",
       "FILE holds JSON lines {\"id\",\"text\",\"reference\":{...},\"schema\":{...}}. F1, precision and "
       "recall "
       "of fields for each text, and the share of right values whose quote holds the reference.",
       "",
       {{"loam eval extract invoices.jsonl", "every contestant in the ledger"},
        {"loam eval extract --schema s.json invoices.jsonl --baseline-only", "the patterns alone"}},
       run_eval_extract},
      {"eval loglikelihood",
       measuring,
       "FILE",
       1,
       1,
       "multiple choice by how likely a model finds each choice",
       "FILE holds JSON lines {\"id\",\"context\",\"choices\":[...],\"answer\":index}. No text is generated: "
       "the "
       "model reads the context once and each choice after it, and the likeliest is its answer. accuracy "
       "takes the "
       "log-likelihood, accuracy_norm the log-likelihood for each character of the choice; both as "
       "lm-evaluation-harness has them (acc, acc_norm). Contexts are read as they are, without a chat "
       "template. A "
       "case that does not fit the context counts as wrong. Every case is kept in the ledger.",
       "",
       {{"loam eval loglikelihood piqa.jsonl", "accuracy with its interval"},
        {"loam eval loglikelihood piqa.jsonl --limit 200 --json", "the first 200 cases, for a program"}},
       run_eval_loglikelihood},
      {"eval perplexity",
       measuring,
       "FILE",
       1,
       1,
       "how well a model predicts a text",
       "Nats per token, perplexity, and bits per byte, which also compares models that cut text into other "
       "tokens. A "
       "window slides over the text, and every token is predicted exactly once. A smaller stride gives each "
       "token "
       "more context and takes longer; with the stride as long as the window the figures are the rolling "
       "ones of "
       "lm-evaluation-harness.",
       "",
       {{"loam eval perplexity handbook.txt", "on a text of yours"},
        {"loam eval perplexity handbook.txt --window 512 --stride 128", "a short window in small steps"}},
       run_eval_perplexity},

      {"settings",
       program,
       "",
       0,
       0,
       "every setting, its value now and where it came from",
       "With --json: a JSON schema of the settings file.",
       "",
       {{"loam settings", "what is in force"}, {"loam settings --json", "the schema"}},
       run_settings},
      {"completion",
       program,
       "SHELL",
       1,
       1,
       "completion script for bash, zsh or fish",
       "",
       "",
       {{"source <(loam completion bash)", "for this shell"}},
       run_completion},
      {"man",
       program,
       "",
       0,
       0,
       "the manual page, in roff",
       "",
       "",
       {{"loam man | man -l -", "read it"}},
       run_man},
      {"version", program, "", 0, 0, "the version of the program", "", "", {}, run_version},
      {"help",
       program,
       "VERB...",
       0,
       2,
       "help for the program or one verb",
       "",
       "",
       {{"loam help ask", "the same as loam ask --help"}},
       run_help},
  };
}

std::string first_word(const std::string& name) { return name.substr(0, name.find(' ')); }
}  // namespace

const std::vector<Verb>& verbs() {
  static const std::vector<Verb> all = [] {
    std::vector<Verb> whole = table();
    // What is trained and what becomes of it stand before the models themselves.
    const auto at =
        std::find_if(whole.begin(), whole.end(), [](const Verb& v) { return v.name == "models list"; });
    const std::vector<Verb> more = training_verbs();
    whole.insert(at, more.begin(), more.end());
    return whole;
  }();
  return all;
}

const Verb* find_verb(std::string_view name) {
  const auto& all = verbs();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Verb& v) { return v.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::vector<std::string> verb_words() {
  std::vector<std::string> words;
  for (const Verb& v : verbs()) {
    if (v.group.empty()) continue;
    const std::string word = first_word(v.name);
    if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
  }
  return words;
}

std::vector<std::string> sub_verbs(std::string_view word) {
  std::vector<std::string> seconds;
  for (const Verb& v : verbs()) {
    const std::size_t space = v.name.find(' ');
    if (space != std::string::npos && std::string_view(v.name).substr(0, space) == word) {
      seconds.push_back(v.name.substr(space + 1));
    }
  }
  return seconds;
}

const Verb* bare_verb(std::string_view word) {
  if (const Verb* exact = find_verb(word)) return exact;
  return find_verb(std::string(word) + " list");
}

}  // namespace loam::cli
