// What a verb has at hand: options, places, streams, and the rooms, opened only when asked for.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "cli/settings.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "engine/catalogue.h"
#include "engine/local_engine.h"
#include "reader/reader.h"
#include "retrieve/retrieve.h"
#include "store/store.h"

namespace loam::cli {

/// A collection with all that questions to it need. Members in the order in which each needs the one before.
struct OpenCollection {
  std::unique_ptr<store::Store> store;
  store::Collection collection;
  std::unique_ptr<engine::LocalEmbedder> embedder;
  std::unique_ptr<retrieve::Retriever> retriever;
};

/// How one verb was called.
class Context {
 public:
  Context(const Verb& verb, Options options, std::vector<std::string> arguments, Terminal& terminal);

  const Verb& verb() const { return verb_; }
  const Options& options() const { return options_; }
  const std::vector<std::string>& arguments() const { return arguments_; }
  Terminal& terminal() { return terminal_; }
  Logger& logger() { return *logger_; }

  /// Where each configuration key was set: line of the file. For `loam settings`.
  std::map<std::string, int> config_lines;
  std::vector<std::string> given_names;  ///< long names of options that were typed
  std::filesystem::path config_file;     ///< the file that was read; empty when there is none

  // Places
  std::filesystem::path home() const { return options_.home; }
  std::filesystem::path store_file() const { return home() / "loam.db"; }
  /// HOME/models, and the folder of --models or $LOAM_MODELS where one is named.
  std::vector<std::filesystem::path> model_folders() const;
  /// libpdfium.so; empty when it is nowhere.
  std::filesystem::path pdfium() const;

  // Rooms
  /// Creates HOME when missing.
  Result<std::unique_ptr<store::Store>> open_store();
  /// For verbs that only read: bad_request when nothing has ever been ingested.
  Result<std::unique_ptr<store::Store>> open_store_to_read();
  /// bad_request with the nearest name when there is no such collection.
  Result<store::Collection> find_collection(store::Store& store, const std::string& name);
  /// `collection` (where given) says which embedder made its vectors; another one is refused by the store.
  Result<std::unique_ptr<engine::LocalEmbedder>> open_embedder();
  /// Puts what was adopted for a scope (`loam improve`) in the place of defaults: the command line and the
  /// settings file go before it. bad_data for values that are none; keys of a newer version are passed over.
  Result<void> use_adopted(store::Store& store, const std::string& scope);
  /// What use_adopted() put in force: configuration key to value, and the ledger's row that says why.
  const std::map<std::string, std::string>& adopted() const { return adopted_; }
  RunId adopted_run() const { return adopted_run_; }
  /// "passages 6, candidates 100 (loam improve, run 12)"; empty when nothing is in force.
  std::string adopted_text() const;
  /// The collection of -c with its adopted settings in force, to be read. Starts the embedder's threads.
  Result<OpenCollection> open_collection();
  /// With the adapters of --adapter, else the default one of the model, where there is one.
  Result<std::unique_ptr<engine::LocalEngine>> open_engine();
  /// What open_engine() put on the model.
  const std::vector<engine::Adapter>& adapters_in_use() const { return adapters_in_use_; }
  Result<std::unique_ptr<reader::Reader>> open_reader();

  /// A name or path to a GGUF file; empty: the default of the role.
  Result<std::filesystem::path> find_model(const std::string& name_or_path, engine::ModelRole role);
  engine::LocalEngineOptions engine_options() const;
  retrieve::RetrieveOptions retrieve_options() const;
  engine::Sampling sampling() const;

 private:
  Result<std::vector<engine::Adapter>> wanted_adapters(const std::filesystem::path& model) const;

  const Verb& verb_;
  Options options_;
  std::vector<std::string> arguments_;
  Terminal& terminal_;
  std::unique_ptr<Logger> logger_;
  std::vector<engine::Adapter> adapters_in_use_;
  std::map<std::string, std::string> adopted_;
  RunId adopted_run_{};
};

/// The running program's own file.
std::filesystem::path own_program();

/// A small text file given on the command line (grammar, schema, prompt), at most 16 MiB.
Result<std::string> read_text_file(const std::filesystem::path& path);

/// Standard input to its end, at most 256 MiB.
Result<std::string> read_standard_input();

/// Text given as the argument, or standard input when there is none or "-".
Result<std::string> argument_or_input(Context& context, const std::string& what);

}  // namespace loam::cli
