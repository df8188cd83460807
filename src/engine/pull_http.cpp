#include "engine/pull_http.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cpp-httplib/httplib.h>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <thread>

#include "base/utf8.h"

namespace loam::engine {
namespace {

constexpr int kMaxRedirects = 8;

struct Url {
  std::string origin;  ///< "https://host:port"
  std::string path;    ///< "/a/b?c"
  bool is_secure() const { return origin.starts_with("https://"); }
};

std::optional<Url> split_url(const std::string& url) {
  if (!url.starts_with("http://") && !url.starts_with("https://")) return std::nullopt;
  const std::size_t host = url.find("//") + 2;
  const std::size_t slash = url.find('/', host);
  Url parts{url.substr(0, slash), slash == std::string::npos ? "/" : url.substr(slash)};
  const bool printable =
      std::all_of(url.begin(), url.end(), [](unsigned char c) { return c > 0x20 && c < 0x7F; });
  if (parts.origin.size() == host || !printable) return std::nullopt;
  return parts;
}

std::uint64_t parse_count(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string plain_etag(std::string etag) {
  if (etag.starts_with("W/")) etag.erase(0, 2);
  std::erase(etag, '"');
  return etag;
}

std::unique_ptr<httplib::Client> make_client(const Url& url, const PullOptions& options) {
  auto client = std::make_unique<httplib::Client>(url.origin);
  const time_t seconds = options.timeout_ms / 1000;
  const time_t microseconds = static_cast<time_t>(options.timeout_ms % 1000) * 1000;
  client->set_connection_timeout(seconds, microseconds);
  client->set_read_timeout(seconds, microseconds);
  client->set_write_timeout(seconds, microseconds);
  client->set_follow_location(false);  // followed here, so that a token never reaches another host
  client->set_keep_alive(false);
  return client;
}

httplib::Headers make_headers(const Url& url, const PullOptions& options) {
  httplib::Headers headers{{"User-Agent", "loam"}, {"Accept-Encoding", "identity"}};
  const auto base = split_url(options.base_url);
  if (!options.token.empty() && base && base->origin == url.origin) {
    headers.emplace("Authorization", "Bearer " + options.token);
  }
  return headers;
}

/// Where a redirect leads; nothing when it would leave HTTPS or is not a web address.
std::optional<std::string> redirect_target(const Url& from, const std::string& location) {
  const std::string absolute = location.starts_with("/") ? from.origin + location : location;
  const auto to = split_url(absolute);
  if (!to || (from.is_secure() && !to->is_secure())) return std::nullopt;
  return absolute;
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

Error status_error(const std::string& url, int status) {
  switch (status) {
    case 404:
      return {Kind::bad_request, url, "the server has no such file (HTTP 404)",
              "check the repository and file names"};
    case 401:
    case 403:
      return {Kind::unavailable, url, "the server refuses access (HTTP " + std::to_string(status) + ")",
              "accept the model's licence on its page and set an access token"};
    default:
      return {Kind::unavailable, url, "the server answers HTTP " + std::to_string(status), "try again later"};
  }
}

Error network_error(const std::string& url, const std::string& reason) {
  return {Kind::unavailable, url, "the transfer failed: " + reason,
          "check the network; the same command goes on where it ended"};
}

Error bad_address(const std::string& url) {
  return {Kind::bad_request, to_valid_utf8(url), "this is not an http or https address",
          "correct the address"};
}

/// An open, locked part file.
class PartFile {
 public:
  explicit PartFile(const std::filesystem::path& path) : path_(path) {
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor_ >= 0) locked_ = ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0;
  }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  ~PartFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Result<void> ready() const {
    if (descriptor_ < 0) {
      return Error{Kind::unavailable, path_.string(),
                   std::string("the file cannot be written: ") + std::strerror(errno),
                   "check the folder and its permissions"};
    }
    if (!locked_) {
      return Error{Kind::unavailable, path_.string(), "another process is fetching this file",
                   "wait for it to end"};
    }
    return done();
  }
  std::uint64_t size() const {
    return static_cast<std::uint64_t>(std::max<off_t>(0, ::lseek(descriptor_, 0, SEEK_END)));
  }
  void truncate() {
    if (::ftruncate(descriptor_, 0) != 0) error_ = errno;
    ::lseek(descriptor_, 0, SEEK_SET);
  }
  bool add(const char* bytes, std::size_t count) {
    while (count > 0) {
      const ssize_t put = ::write(descriptor_, bytes, count);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) {
        error_ = errno;
        return false;
      }
      bytes += put;
      count -= static_cast<std::size_t>(put);
    }
    return true;
  }
  std::optional<Error> write_error() const {
    if (error_ == 0) return std::nullopt;
    const bool no_room = error_ == ENOSPC || error_ == EDQUOT || error_ == EFBIG;
    return Error{no_room ? Kind::out_of_room : Kind::unavailable, path_.string(),
                 std::string("writing failed: ") + std::strerror(error_),
                 no_room ? "free disk space; the same command goes on where it ended" : "check the disk"};
  }

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  int error_ = 0;
  bool locked_ = false;
};

enum class Attempt : std::uint8_t { complete, again };

/// One connection's worth of the file.
Result<Attempt> fetch_once(const RemoteFile& remote, PartFile& part, const PullOptions& options,
                           const ProgressSink& progress, const std::stop_token& stop, std::string& reason) {
  std::string url = remote.url;
  for (int redirects = 0; redirects <= kMaxRedirects; ++redirects) {
    const auto parts = split_url(url);
    if (!parts) return bad_address(url);
    const std::uint64_t have = part.size();
    if (remote.bytes > 0 && have == remote.bytes) return Attempt::complete;
    auto headers = make_headers(*parts, options);
    if (have > 0) headers.emplace("Range", "bytes=" + std::to_string(have) + "-");
    int status = 0;
    std::string location;
    std::uint64_t at = have;
    std::uint64_t announced = remote.bytes;
    bool wrong_range = false;
    const auto on_response = [&](const httplib::Response& response) {
      status = response.status;
      location = response.get_header_value("Location");
      if (status == 200) {
        if (at > 0) part.truncate();  // no ranges here: from the beginning
        at = 0;
        if (announced == 0) announced = parse_count(response.get_header_value("Content-Length"));
      } else if (status == 206) {
        const std::string range = response.get_header_value("Content-Range");
        const std::size_t slash = range.find('/');
        const std::uint64_t total =
            slash == std::string::npos ? 0 : parse_count(std::string_view(range).substr(slash + 1));
        wrong_range = !range.starts_with("bytes " + std::to_string(have) + "-") ||
                      (announced > 0 && total > 0 && total != announced);
        if (announced == 0) announced = total;
        return !wrong_range;
      }
      return status == 200;
    };
    const auto on_bytes = [&](const char* bytes, std::size_t count) {
      if (stop.stop_requested()) return false;
      if (announced > 0 && count > announced - std::min(announced, at)) {
        reason = "the server sends more than it announced";
        return false;
      }
      if (!part.add(bytes, count)) return false;
      at += count;
      if (progress) progress({"downloading", at, announced});
      return true;
    };
    const auto client = make_client(*parts, options);
    const auto answer = client->Get(parts->path, headers, on_response, on_bytes);
    if (stop.stop_requested()) {
      return Error{Kind::unavailable, remote.url, "the download was stopped",
                   "run the same command again to go on"};
    }
    if (auto failed = part.write_error()) return *failed;
    if (is_redirect(status)) {
      const auto target = redirect_target(*parts, location);
      if (!target)
        return Error{Kind::unavailable, url, "the server redirects to an address that is not safe",
                     "use another mirror"};
      url = *target;
      continue;
    }
    if (wrong_range || status == 416) {
      part.truncate();  // what we have does not fit what the server has now
      reason = "the server has another version of the file";
      return Attempt::again;
    }
    if (status >= 400 && status != 408 && status != 429 && status < 500) return status_error(url, status);
    if (status >= 400) {
      reason = "HTTP " + std::to_string(status);
      return Attempt::again;
    }
    if (!answer && reason.empty()) reason = httplib::to_string(answer.error());
    if (answer && (announced == 0 || at == announced)) return Attempt::complete;
    if (reason.empty()) reason = "the connection ended early";
    return Attempt::again;
  }
  return Error{Kind::unavailable, remote.url, "the server redirects without end", "use another mirror"};
}

}  // namespace

Result<RemoteFile> ask_about(const std::string& url, const PullOptions& options) {
  RemoteFile remote;
  std::string at = url;
  try {
    for (int redirects = 0; redirects <= kMaxRedirects; ++redirects) {
      const auto parts = split_url(at);
      if (!parts) return bad_address(at);
      const auto client = make_client(*parts, options);
      const auto answer = client->Head(parts->path, make_headers(*parts, options));
      if (!answer) return network_error(at, httplib::to_string(answer.error()));
      // The hub's own answer carries these, the storage behind it does not; so the first that has them
      // counts.
      if (remote.commit.empty()) remote.commit = answer->get_header_value("X-Repo-Commit");
      if (remote.etag.empty()) remote.etag = plain_etag(answer->get_header_value("X-Linked-Etag"));
      if (remote.bytes == 0) remote.bytes = parse_count(answer->get_header_value("X-Linked-Size"));
      if (is_redirect(answer->status)) {
        const auto target = redirect_target(*parts, answer->get_header_value("Location"));
        if (!target)
          return Error{Kind::unavailable, at, "the server redirects to an address that is not safe",
                       "use another mirror"};
        at = *target;
        continue;
      }
      if (answer->status != 200) return status_error(at, answer->status);
      if (remote.etag.empty()) remote.etag = plain_etag(answer->get_header_value("ETag"));
      if (remote.bytes == 0) remote.bytes = parse_count(answer->get_header_value("Content-Length"));
      remote.url = url;
      return remote;
    }
  } catch (const std::exception& failure) {
    return network_error(at, failure.what());
  }
  return Error{Kind::unavailable, url, "the server redirects without end", "use another mirror"};
}

Result<std::string> fetch_text(const std::string& url, const PullOptions& options,
                               std::uint64_t limit_bytes) {
  const auto parts = split_url(url);
  if (!parts) return bad_address(url);
  try {
    std::string text;
    int status = 0;
    const auto client = make_client(*parts, options);
    const auto answer = client->Get(
        parts->path, make_headers(*parts, options),
        [&](const httplib::Response& response) { return (status = response.status) == 200; },
        [&](const char* bytes, std::size_t count) {
          text.append(bytes, count);
          return text.size() <= limit_bytes;
        });
    if (status != 200 && status != 0) return status_error(url, status);
    if (text.size() > limit_bytes)
      return Error{Kind::out_of_room, url, "the answer is longer than expected", "name the file"};
    if (!answer) return network_error(url, httplib::to_string(answer.error()));
    return text;
  } catch (const std::exception& failure) {
    return network_error(url, failure.what());
  }
}

Result<void> fetch_file(const RemoteFile& remote, const std::filesystem::path& part_path,
                        const PullOptions& options, const ProgressSink& progress, Logger& logger,
                        std::stop_token stop) {
  PartFile part(part_path);
  if (auto ready = part.ready(); !ready) return ready.error();
  if (remote.bytes > 0 && part.size() > remote.bytes) part.truncate();
  std::error_code ignored;
  const auto space = std::filesystem::space(part_path.parent_path(), ignored);
  const std::uint64_t needed = remote.bytes - std::min(remote.bytes, part.size());
  if (!ignored && (space.available < options.disk_reserve_bytes ||
                   space.available - options.disk_reserve_bytes < needed)) {
    return Error{Kind::out_of_room, part_path.parent_path().string(),
                 "the download needs " + std::to_string(needed >> 20U) + " MB and " +
                     std::to_string(options.disk_reserve_bytes >> 20U) + " MB are to stay free, but only " +
                     std::to_string(space.available >> 20U) + " MB are",
                 "free disk space, or choose another --home"};
  }
  std::string reason;
  int failures = 0;
  while (true) {
    reason.clear();
    const std::uint64_t before = part.size();
    try {
      auto attempt = fetch_once(remote, part, options, progress, stop, reason);
      if (!attempt) return attempt.error();
      if (*attempt == Attempt::complete) return done();
    } catch (const std::exception& failure) {
      reason = failure.what();
    }
    // A connection that brought something forward does not count: a slow line may break many times.
    if (part.size() <= before) ++failures;
    if (failures >= options.attempts) {
      Error error = network_error(remote.url, reason);
      error.message +=
          "; " + std::to_string(part.size()) + " of " + std::to_string(remote.bytes) + " bytes are here";
      return error;
    }
    logger.warning("download of " + remote.url + " broke (" + reason + "); going on at byte " +
                   std::to_string(part.size()));
    std::this_thread::sleep_for(std::chrono::milliseconds(std::min(50 * (failures + 1), 1000)));
  }
}

}  // namespace loam::engine
