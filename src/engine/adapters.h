// Which adapters lie on this machine, what is known of each, and which one is used by default on which model?
// They lie in HOME/adapters as NAME.gguf; what was decided about them lies beside, in adapters.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/adapter_check.h"

namespace loam::engine {

/// What the gate said of an adapter. It holds for the bytes that were tested, and for no others of that name.
struct GateResult {
  std::uint64_t run = 0;  ///< row of the ledger
  std::int64_t at = 0;    ///< Unix seconds
  bool passed = false;
  std::string summary;  ///< one line
  std::string sha256;   ///< of the adapter that was tested
};

enum class Promotion : std::uint8_t { no, by_gate, by_force };

struct InstalledAdapter {
  std::string name;
  std::filesystem::path file;
  AdapterInfo info;
  std::string sha256;  ///< of the file; list() fills it only where there was a gate
  float scale = 1.0F;  ///< how strongly it acts where nothing else is said
  std::string trained_from;
  std::optional<GateResult> gate;  ///< of these very bytes
  Promotion promotion = Promotion::no;
  bool in_use = false;  ///< the default of its base
};

/// The adapters under HOME/adapters. Functions read the folder afresh each time; one writer at a time.
class InstalledAdapters {
 public:
  explicit InstalledAdapters(std::filesystem::path home);

  /// HOME/adapters
  const std::filesystem::path& folder() const { return folder_; }
  /// By name. A missing folder gives an empty list. Files that are no adapters are skipped and, where
  /// `damaged` is not null, reported there.
  Result<std::vector<InstalledAdapter>> list(std::vector<Error>* damaged = nullptr) const;
  /// bad_request with the nearest name when there is none; bad_data when the file is no adapter.
  Result<InstalledAdapter> show(std::string_view name) const;
  /// A name, or a path to a file where the text has a '/' or ends in ".gguf". The file exists then.
  Result<std::filesystem::path> resolve(std::string_view name_or_path) const;

  /// Keeps what was decided about it: scale, gate, promotion. As show() gave it, with its SHA-256.
  Result<void> save(const InstalledAdapter& adapter) const;
  /// Makes it the default on the model of this identity, in the place of another.
  Result<void> use(std::string_view name, const std::string& base_identity) const;
  /// No default on that model any more. False: there was none.
  Result<bool> use_none(const std::string& base_identity) const;
  /// The default on the model of this identity; empty: none. A default whose file is gone is an error, so
  /// that nobody is answered by the bare model unknowingly.
  Result<std::optional<InstalledAdapter>> default_for(const std::string& base_identity) const;
  /// Whether there is any default at all: spares reading the model for its identity.
  bool has_defaults() const;
  /// Deletes the file and what was decided about it. Returns the bytes that were freed.
  Result<std::uint64_t> remove(std::string_view name) const;

 private:
  struct Decisions;
  Result<Decisions> read() const;
  Result<void> write(const Decisions& decisions) const;
  Result<InstalledAdapter> describe(const std::string& name, const Decisions& decisions) const;

  std::filesystem::path folder_;
};

/// Whether `name` may name an adapter: 1..96 of letters, digits, '.', '-', '_', starting with a letter or
/// digit.
bool is_adapter_name(std::string_view name);

/// "NAME:0.5" as ("NAME", 0.5); without a number behind the last colon the scale is empty. bad_request for a
/// scale that is no finite number from -1000 to 1000.
struct AdapterWish {
  std::string name;
  std::optional<float> scale;
};
Result<AdapterWish> adapter_wish(std::string_view text);

}  // namespace loam::engine
