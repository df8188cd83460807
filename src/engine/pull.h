// Brings a model onto this machine: by catalogue name, from a GGUF or safetensors folder, or
// hf:ORG/REPO[:FILE].
#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/result.h"
#include "engine/catalogue.h"
#include "engine/import.h"

namespace loam::engine {

/// What happens to a GGUF that is already on this machine.
enum class LocalFile : std::uint8_t {
  copy,       ///< HOME/models gets its own copy
  reference,  ///< the manifest points at the file where it is
};

/// May this pull use the network? Off-line pulls use search_dirs, caches and local paths only.
enum class Network : std::uint8_t { allowed, refused };

struct PullOptions {
  std::string name;  ///< installed under this name; empty: the catalogue's, else made from the file's
  std::string base_url = "https://huggingface.co";  ///< a hub or mirror with the same paths
  std::string token;                                ///< sent as a bearer token to base_url's host only
  std::filesystem::path
      hub_cache;  ///< HuggingFace cache (…/huggingface/hub), read and written; empty: HOME/hub
  std::vector<std::filesystem::path> search_dirs;  ///< folders in which package files may lie
  std::string expected_sha256;                     ///< of the fetched file; empty: the catalogue's, if any
  Network network = Network::allowed;
  LocalFile local_file = LocalFile::copy;
  ImportType import_type = ImportType::f32;         ///< for safetensors
  int timeout_ms = 30000;                           ///< for connecting and for each silent stretch
  int attempts = 4;                                 ///< a broken transfer is resumed this often
  std::uint64_t disk_reserve_bytes = 64ULL << 20U;  ///< kept free; a file that would use it is refused first
  const Clock* clock = nullptr;                     ///< for the manifest's date; null: the machine's
};

/// Fetches, checks (hash, then check_gguf) and registers a model. Already installed with the wanted hash:
/// does nothing. A partial download stays for the next call to resume. Errors: bad_request unknown name or
/// file; bad_data wrong hash (both are named) or refused GGUF; unavailable no network or server; out_of_room
/// disk.
Result<InstalledModel> pull(std::string_view spec, const std::filesystem::path& home,
                            const PullOptions& options = {}, const ProgressSink& progress = {},
                            Logger& logger = silent_logger(), std::stop_token stop = {});

}  // namespace loam::engine
