#include "engine/pull_hub.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/hash.h"
#include "engine/json_files.h"
#include "engine/model_file.h"
#include "engine/pull_http.h"

namespace loam::engine {
namespace {

namespace fs = std::filesystem;

std::string repository_folder(const std::string& repository) {
  std::string name = "models--" + repository;
  name.replace(name.find('/'), 1, "--");
  return name;
}

bool is_plain(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  }) && text.find("..") == std::string_view::npos;
}

bool is_hash(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// The file in the snapshot that refs/main names.
std::optional<fs::path> cached_file(const fs::path& folder, const std::string& file) {
  const auto revision = read_small_file(folder / "refs" / "main", 256);
  if (!revision) return std::nullopt;
  std::string commit = *revision;
  while (!commit.empty() && static_cast<unsigned char>(commit.back()) <= ' ') commit.pop_back();
  std::error_code ignored;
  const fs::path path = folder / "snapshots" / commit / file;
  if (!is_plain(commit) || !fs::is_regular_file(path, ignored)) return std::nullopt;
  return path;
}

Error wrong_hash(const std::string& place, const std::string& expected, const std::string& found) {
  return {Kind::bad_data, place, "the file has the wrong SHA-256: expected " + expected + ", found " + found,
          "run the same command again; if it stays wrong, do not use this source"};
}

/// Links snapshots/COMMIT/FILE to the blob and writes refs/main.
Result<fs::path> place_blob(const fs::path& folder, const std::string& commit, const std::string& file,
                            const fs::path& blob) {
  std::error_code failure;
  const fs::path link = folder / "snapshots" / commit / file;
  fs::create_directories(link.parent_path(), failure);
  fs::create_directories(folder / "refs", failure);
  const fs::path target = fs::relative(blob, link.parent_path(), failure);
  const fs::path fresh = link.string() + ".new-" + std::to_string(::getpid());
  fs::remove(fresh, failure);
  fs::create_symlink(target, fresh, failure);
  if (!failure) fs::rename(fresh, link, failure);
  if (failure) {
    return Error{Kind::unavailable, link.string(), "the link cannot be made: " + failure.message(),
                 "check the folder and its permissions"};
  }
  const fs::path ref = folder / "refs" / "main";
  std::ofstream(ref.string() + ".new") << commit;
  fs::rename(ref.string() + ".new", ref, failure);
  return link;
}

}  // namespace

bool is_repository_name(std::string_view text) {
  const std::size_t slash = text.find('/');
  return slash != std::string_view::npos && is_plain(text.substr(0, slash)) &&
         is_plain(text.substr(slash + 1));
}

bool is_safe_file_name(std::string_view text) {
  if (text.empty() || text.size() > 512 || text.front() == '/') return false;
  std::size_t start = 0;
  while (start <= text.size()) {
    const std::size_t end = std::min(text.find('/', start), text.size());
    const std::string_view part = text.substr(start, end - start);
    if (part.empty() || part == "." || part == "..") return false;
    start = end + 1;
  }
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return c > 0x20 && c < 0x7F && c != '\\' && c != '?' && c != '#' && c != '%';
  });
}

Result<HubFile> hub_file(const std::string& repository, const std::string& file,
                         const std::string& expected_sha256, const fs::path& cache,
                         const PullOptions& options, const ProgressSink& progress, Logger& logger,
                         std::stop_token stop) {
  if (!is_repository_name(repository) || !is_safe_file_name(file)) {
    return Error{Kind::bad_request, "hf:" + repository + ":" + file, "this names no file of a repository",
                 "write hf:ORG/REPO:FILE"};
  }
  const std::string place = "hf:" + repository + ":" + file;
  const fs::path folder = cache / repository_folder(repository);
  if (const auto here = cached_file(folder, file)) {
    const auto hash = sha256_hex_of_file(*here);
    if (!hash) return hash.error();
    if (expected_sha256.empty() || *hash == expected_sha256) return HubFile{*here, *hash};
    if (options.network == Network::refused) return wrong_hash(here->string(), expected_sha256, *hash);
    logger.warning(here->string() + " has another SHA-256 than expected; asking the hub");
  }
  if (options.network == Network::refused) {
    return Error{Kind::unavailable, place,
                 "the model is not on this machine and the network is not to be used",
                 "run the same command without --offline on a machine with a network"};
  }
  auto remote = ask_about(options.base_url + "/" + repository + "/resolve/main/" + file, options);
  if (!remote) return remote.error();
  const std::string etag = is_plain(remote->etag) ? remote->etag : sha256_hex(remote->url + remote->etag);
  const std::string commit = is_plain(remote->commit) ? remote->commit : "main";
  std::error_code failure;
  const fs::path blobs = folder / "blobs";
  fs::create_directories(blobs, failure);
  if (failure) {
    return Error{Kind::unavailable, blobs.string(), "the folder cannot be made: " + failure.message(),
                 "check permissions"};
  }
  const fs::path blob = blobs / etag;
  const std::string wanted = !expected_sha256.empty() ? expected_sha256
                             : is_hash(remote->etag)  ? remote->etag
                                                      : "";
  if (!fs::is_regular_file(blob, failure)) {
    const fs::path part = blob.string() + ".incomplete";
    if (auto fetched = fetch_file(*remote, part, options, progress, logger, stop); !fetched)
      return fetched.error();
    const auto hash = sha256_hex_of_file(part);
    if (!hash) return hash.error();
    if (!wanted.empty() && *hash != wanted) {
      fs::remove(part, failure);  // resuming a wrong file cannot make it right
      return wrong_hash(place, wanted, *hash);
    }
    fs::rename(part, blob, failure);
    if (failure)
      return Error{Kind::unavailable, blob.string(), "renaming failed: " + failure.message(),
                   "check permissions"};
    auto link = place_blob(folder, commit, file, blob);
    if (!link) return link.error();
    return HubFile{*link, *hash};
  }
  const auto hash = sha256_hex_of_file(blob);
  if (!hash) return hash.error();
  if (!wanted.empty() && *hash != wanted) return wrong_hash(blob.string(), wanted, *hash);
  auto link = place_blob(folder, commit, file, blob);
  if (!link) return link.error();
  return HubFile{*link, *hash};
}

Result<std::vector<std::string>> hub_listing(const std::string& repository, const fs::path& cache,
                                             const PullOptions& options) {
  std::vector<std::string> files;
  const fs::path folder = cache / repository_folder(repository);
  if (options.network == Network::refused) {
    const auto revision = read_small_file(folder / "refs" / "main", 256);
    if (revision && is_plain(*revision)) {
      std::error_code failure;
      const fs::path snapshot = folder / "snapshots" / *revision;
      for (fs::recursive_directory_iterator entry(snapshot, failure), end; !failure && entry != end;
           entry.increment(failure)) {
        if (entry->is_regular_file(failure))
          files.push_back(fs::relative(entry->path(), snapshot, failure).generic_string());
      }
    }
    if (files.empty()) {
      return Error{Kind::unavailable, "hf:" + repository,
                   "the repository is not on this machine and the network is not to be used",
                   "run the same command without --offline on a machine with a network"};
    }
    return files;
  }
  const std::string url = options.base_url + "/api/models/" + repository;
  const auto text = fetch_text(url, options, 32U << 20U);
  if (!text) return text.error();
  const auto json = parse_large_json(*text, url);
  if (!json) return json.error();
  const auto siblings = json->is_object() ? json->find("siblings") : json->end();
  if (!json->is_object() || siblings == json->end() || !siblings->is_array()) {
    return Error{Kind::bad_data, url, "the answer does not list files",
                 "name the file: hf:" + repository + ":FILE"};
  }
  for (const auto& sibling : *siblings) {
    if (sibling.is_object() && sibling.contains("rfilename") && sibling["rfilename"].is_string()) {
      files.push_back(sibling["rfilename"].get<std::string>());
    }
  }
  return files;
}

}  // namespace loam::engine
