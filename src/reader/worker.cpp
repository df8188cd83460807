// The child's side: settings, libraries, lock; then one file after the other.
#include <malloc.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "reader/pdfium.h"
#include "reader/reader.h"
#include "reader/sandbox.h"
#include "reader/text.h"
#include "reader/wire.h"

namespace loam::reader {
namespace {

constexpr std::uint32_t kMaxRequestBytes = 64 * 1024;
constexpr std::size_t kWorthTrimming = 8U << 20U;

enum Exit { kDone = 0, kBadRequest = 3, kNotLocked = 4, kNoReader = 5 };

struct Message {
  FrameKind kind = FrameKind::request;
  std::string payload;
  int file = -1;  // descriptor that came along; ours to close
};

// Reads exactly `size` bytes; takes a descriptor that comes with them. False at end of file or failure.
bool receive(int fd, char* out, std::size_t size, int* file) {
  while (size > 0) {
    iovec piece{out, size};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
      int received = -1;
      std::memcpy(&received, CMSG_DATA(header), sizeof received);
      if (*file >= 0) close(*file);
      *file = received;
    }
    out += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

std::optional<Message> next_message(int fd) {
  Message message;
  Header bytes{};
  if (!receive(fd, bytes.data(), bytes.size(), &message.file)) return std::nullopt;
  const Result<FrameHeader> header = decode_header(bytes);
  if (!header || header->payload_bytes > kMaxRequestBytes) return std::nullopt;
  message.kind = header->kind;
  message.payload.resize(header->payload_bytes);
  if (!receive(fd, message.payload.data(), message.payload.size(), &message.file)) return std::nullopt;
  return message;
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = write(fd, bytes.data(), bytes.size());
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool reply(int fd, FrameKind kind, std::string_view payload) {
  const Header header = encode_header({kind, static_cast<std::uint32_t>(payload.size())});
  return send_all(fd, {header.data(), header.size()}) && send_all(fd, payload);
}

Result<std::string> bytes_of(int file, std::string_view source, const ReadLimits& limits) {
  struct stat info {};
  if (file < 0 || fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
    return Error{Kind::bad_request, std::string(source), "is not a regular file", "name a file"};
  }
  if (info.st_size > limits.max_file_bytes) {
    return Error{Kind::out_of_room, std::string(source), "grew over the limit while it was read",
                 "try again later"};
  }
  std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = pread(file, bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return Error{Kind::unavailable, std::string(source),
                   std::string("cannot be read: ") + std::strerror(errno),
                   "check the disk and the file's permissions"};
    }
    if (got == 0) break;  // it shrank; what is there is the file now
    have += static_cast<std::size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

Result<Document> read_document(int file, std::string_view source, const Settings& settings) {
  const Result<std::string> bytes = bytes_of(file, source, settings.limits);
  if (!bytes) return bytes.error();
  const Format format = detect_format(std::string_view(*bytes).substr(0, 4096), source);
  return parse(*bytes, source, format, settings.limits, settings.libraries);
}

bool serve(int reply_fd, const Message& message, const Settings& settings) {
  const Result<std::string> source = decode_request(message.payload);
  if (!source) return false;
  try {
    Result<Document> document = read_document(message.file, *source, settings);
    if (!document) return reply(reply_fd, FrameKind::error, encode_error(document.error()));
    std::string payload = encode_document(*document);
    *document = Document{};
    return reply(reply_fd, FrameKind::document, payload);
  } catch (const std::bad_alloc&) {
    return reply(
        reply_fd, FrameKind::error,
        encode_error({Kind::out_of_room, *source, "reading it needs more memory than the reader may use",
                      "split the file into smaller ones"}));
  } catch (const std::exception& problem) {
    return reply(reply_fd, FrameKind::error,
                 encode_error({Kind::our_bug, *source, std::string("the reader failed: ") + problem.what(),
                               "report it"}));
  }
}

}  // namespace

int run_reader_worker(int request_fd, int reply_fd) {
  try {
    const std::optional<Message> first = next_message(request_fd);
    if (!first) return kNoReader;
    if (first->kind != FrameKind::settings) return kBadRequest;
    const Result<Settings> settings = decode_settings(first->payload);
    if (!settings) return kBadRequest;
    // A missing library is told with the first PDF file, so that the other formats can be read.
    if (!settings->libraries.pdfium.empty()) static_cast<void>(load_pdfium(settings->libraries.pdfium).ok());
    if (const Result<void> locked = lock_in(settings->limits, request_fd, reply_fd); !locked) {
      reply(reply_fd, FrameKind::error, encode_error(locked.error()));
      return kNotLocked;
    }
    if (!reply(reply_fd, FrameKind::ready, "")) return kDone;
    while (std::optional<Message> message = next_message(request_fd)) {
      if (message->kind != FrameKind::request) return kBadRequest;
      struct stat info {};
      const bool large = message->file >= 0 && fstat(message->file, &info) == 0 &&
                         static_cast<std::size_t>(info.st_size) > kWorthTrimming;
      const bool served = serve(reply_fd, *message, *settings);
      if (message->file >= 0) close(message->file);
      if (!served) return kDone;
      if (large) malloc_trim(0);
    }
    return kDone;
  } catch (const std::exception&) {
    return kBadRequest;
  }
}

}  // namespace loam::reader
