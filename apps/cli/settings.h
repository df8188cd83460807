// One definition per setting. The table in settings.cpp is the only place that names a setting: the parser,
// --help, completion, the man page, the configuration file and the JSON schema are all made from it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace loam::cli {

enum class When { automatic, always, never };

/// The threshold that was fitted together with the confidence itself, as the room `answer` has it.
double fitted_min_confidence();
/// The weight of words in the fusion, as the room `retrieve` has it.
double default_lexical_weight();

/// Everything a person can set, with its default. Verbs turn these into the rooms' own option structs.
struct Options {
  // everywhere
  std::string home;    ///< empty: $LOAM_HOME, else ~/.local/share/loam
  std::string config;  ///< empty: $LOAM_CONFIG, else HOME/config.toml if it is there
  std::string models;  ///< empty: $LOAM_MODELS, else HOME/models
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  std::string color = "auto";
  bool help = false;

  // models
  std::string model;             ///< empty: the catalogue's default for its role
  std::string embedder;          ///< the same
  std::string embedder_adapter;  ///< empty: none
  std::string reranker = "auto";
  std::string span_reader = "auto";
  std::vector<std::string> adapters;  ///< empty: the default of the model
  std::string export_folder;
  std::string merge_out;
  std::string gate_data;
  bool force = false;
  int threads = 0;     ///< 0: one for each core
  int context = 4096;  ///< tokens; 0: what the model was trained for. 94 MB of cache for a 135M model
  int slots = 1;
  std::string kv_type = "f16";
  bool offline = false;
  bool keep_format = false;
  bool list_all = false;
  std::string name;
  std::string type;
  std::string output;
  std::string text_file;

  // generation
  int max_tokens = 256;
  double temperature = 0.0;
  int top_k = 40;
  double top_p = 0.95;
  double min_p = 0.05;
  double repeat_penalty = 1.0;
  int seed = 0;
  std::vector<std::string> stop;
  std::string grammar;
  std::string json_schema;
  bool raw = false;
  int top = 0;
  std::string system;
  bool special = false;

  // collections and ingest
  std::string collection = "default";
  std::string show_text;
  int passage_tokens = 160;
  int overlap_sentences = 0;
  bool keep_missing = false;
  bool rehash = false;
  bool follow_symlinks = false;
  bool hidden = false;
  int max_file_mib = 256;
  int file_seconds = 60;
  int file_memory_mib = 1024;

  // search and ask
  int hits = 5;
  int passages = 4;
  std::string legs = "both";
  int candidates = 300;
  double lexical_weight = default_lexical_weight();
  int answer_tokens = 64;
  double min_confidence = fitted_min_confidence();
  bool keep_unsupported = false;
  bool show_prompt = false;
  bool why = false;
  bool baseline_only = false;
  std::string pre_prompt = "grounded";

  // serve
  std::string host = "127.0.0.1";
  int port = 8642;
  std::string key_file;
  std::vector<std::string> allow_hosts;
  int queue = 32;
  std::string worker_socket;

  // evaluation
  int cases = 0;      ///< 0: all
  int window = 1024;  ///< tokens
  int stride = 0;     ///< tokens; 0: half the window

  // summarise, translate and their evaluation
  int sentences = 5;
  int chunk_tokens = 900;
  std::string to;
  std::string from;
  std::string glossary;
  bool marks = true;
  std::string column;
  std::string id_column;
  std::string split = "test";
  bool ingest_corpus = false;
  std::string templates;
  bool answers = false;

  // classify
  std::string text_column = "text";
  std::string label_column = "label";
  std::string group_column;
  std::string test_file;
  bool merge_labels = false;
  std::vector<std::string> methods;
  std::string method = "auto";
  double target = 0.95;
  int folds = 0;
  int shots = 0;
  int draws = 1;
  int llm_items = 200;
  std::string input_format = "auto";

  // advise
  std::string advise_task = "auto";
  double volume = 100;  ///< items a day
  double latency = 0;   ///< milliseconds; 0: any
  std::string privacy = "this-machine";
  double error_cost = 0, check_cost = 0, machine_cost = 0;  ///< money; 0: not known
  double price_in = 0, price_out = 0;                       ///< money for a million tokens
  std::string currency = "EUR";
  std::string answers_file;
  std::string questions = "auto";

  // improve
  std::string improve_data;
  std::string budget;  ///< "30m"; empty with --trials: no limit, else half an hour
  int trials = 0;
  bool dry_run = false;
  bool again = false;
  bool recut = false;
  bool fresh = false;
  bool history = false;
  bool undo = false;
  int adopt_run = 0;
  std::vector<std::string> keep;
  std::vector<std::string> prompt_files;
  std::string report_file;
  double wrong_cost = 1;
  double held_out = 0.4;

  // code and extract
  std::string tests_file;
  int repair = 0;
  int test_seconds = 10;
  int samples = 1;
  int written_tokens = 512;
  std::string schema;

  // train
  std::string train_data;
  std::string train_base;
  std::string train_out;
  bool train_resume = false;
  int train_rank = 16;
  double train_alpha = 0;  ///< 0: twice the rank
  std::string train_targets = "all-linear";
  bool train_rslora = false;
  double train_lora_plus = 1.0;
  int train_last_layers = 0;
  double train_rate = 0;  ///< 0, here and below: as the kind of training is used to
  int train_epochs = 0;
  int train_steps = 0;
  int train_batch = 0;
  int train_micro_batch = 1024;
  int train_sequence = 0;
  double train_negatives = -1;  ///< below 0: as the kind is used to
  double train_hold_out = 0.05;
  std::string train_precision = "auto";
  std::string train_memory = "auto";
  std::string train_features = "auto";
  int train_memory_limit = 0;  ///< MB; 0: what is free
  bool fit_train = false;
  int fit_examples = 1000;
  int fit_example_tokens = 256;
  int fit_answer_tokens = 32;
  std::string out_data;
  int draft_items = 0;  ///< 0: all
  int draft_per_passage = 3;

  // ledger and bench
  std::string task;
  int limit = 20;
  bool show_items = false;
  std::string metric;
  std::string board_data;
  std::string board_split;
  std::string html_file;
  std::string svg_file;
  std::string csv_file;
  std::string jsonl_file;
  std::string mlflow_folder;
  int prompt_tokens = 512;
  int generate_tokens = 64;
  int repetitions = 5;
};

/// What values a setting takes.
enum class ValueKind { flag, text, list, number, decimal, choice, file, folder };
std::string_view name_of(ValueKind kind);

struct Setting {
  std::string name;                ///< long name without dashes
  char letter = 0;                 ///< 0: none
  std::string value;               ///< "N", "FILE"; empty for a flag
  std::string help;                ///< one line, lower case, no full stop
  std::string key;                 ///< configuration key "table.key"; empty: command line only
  std::vector<std::string> verbs;  ///< "*" for every verb
  ValueKind kind = ValueKind::text;
  double low = 0, high = 0;                               ///< for number and decimal
  std::vector<std::string> choices;                       ///< for choice
  std::function<void(Options&, const std::string&)> set;  ///< value already checked; "true"/"false" for flags
  std::function<std::string(const Options&)> get;         ///< as text; gives the default from Options{}
  std::string good, bad;  ///< the parse test: one value that is taken and one that is refused
                          ///< (empty where any text is allowed)

  bool serves(std::string_view verb) const;
  std::string default_text() const { return get(Options{}); }
};

/// All settings, in the order in which help shows them.
const std::vector<Setting>& settings();

/// The settings of a verb, its own first and the ones of every verb last.
std::vector<const Setting*> settings_of(std::string_view verb);

const Setting* find_setting(std::string_view verb, std::string_view long_name);
const Setting* find_setting(std::string_view verb, char letter);
const Setting* find_setting_by_key(std::string_view key);

/// Checks `value` against the setting's kind and range and sets it. `place` names where the value came from:
/// "--passages" or "config.toml line 3".
Result<void> apply(const Setting& setting, const std::string& value, const std::string& place,
                   Options& options);

}  // namespace loam::cli
