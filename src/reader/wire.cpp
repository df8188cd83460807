#include "reader/wire.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <utility>

#include "base/utf8.h"

namespace loam::reader {
namespace {

constexpr std::string_view kMagic = "LOAMRD1";
constexpr std::size_t kBlockBytes = 10;
constexpr std::size_t kPageBytes = 12;
constexpr std::size_t kMaxWords = 4096;  // bytes of one message for people
constexpr std::size_t kMaxNotesOnWire = 200;

class Encoder {
 public:
  template <typename Number>
  void number(Number value) {
    auto bits = static_cast<std::uint64_t>(value);
    for (std::size_t i = 0; i < sizeof(Number); ++i) {
      out_ += static_cast<char>(static_cast<unsigned char>(bits & 0xFFU));
      bits >>= 8U;
    }
  }
  void string(std::string_view text) {
    number(static_cast<std::uint32_t>(text.size()));
    out_ += text;
  }
  void reserve(std::size_t bytes) { out_.reserve(bytes); }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// Reads past the end give zeros and set failed(), so that callers check once.
class Decoder {
 public:
  explicit Decoder(std::string_view in) : in_(in) {}

  template <typename Number>
  Number number() {
    if (in_.size() < sizeof(Number)) {
      fail();
      return {};
    }
    std::uint64_t bits = 0;
    for (std::size_t i = sizeof(Number); i-- > 0;) bits = (bits << 8U) | static_cast<unsigned char>(in_[i]);
    in_.remove_prefix(sizeof(Number));
    return static_cast<Number>(bits);
  }
  std::string_view string(std::size_t limit) {
    const auto size = number<std::uint32_t>();
    if (size > limit || size > in_.size()) {
      fail();
      return {};
    }
    const std::string_view text = in_.substr(0, size);
    in_.remove_prefix(size);
    return text;
  }
  std::size_t left() const { return in_.size(); }
  bool failed() const { return failed_; }
  bool finished() const { return !failed_ && in_.empty(); }

 private:
  void fail() {
    failed_ = true;
    in_ = {};
  }
  std::string_view in_;
  bool failed_ = false;
};

Error garbled(std::string_view place) {
  return Error{Kind::bad_data, std::string(place), "the reader's reply is garbled",
               "leave this file out, and report it"};
}

bool is_tidy(std::string_view text) {
  return is_valid_utf8(text) && std::none_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
         });
}

std::string tidied(std::string_view text) {
  std::string clean = to_valid_utf8(text.substr(0, kMaxWords / 2));
  for (char& c : clean) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return clean;
}

Format format_of(std::string_view media_type) {
  for (const Format format : {Format::text, Format::markdown, Format::html, Format::csv, Format::pdf}) {
    if (media_type_of(format) == media_type) return format;
  }
  return Format::unknown;
}

}  // namespace

Header encode_header(FrameHeader header) {
  Header bytes{};
  std::copy(kMagic.begin(), kMagic.end(), bytes.begin());
  bytes[7] = static_cast<char>(header.kind);
  for (std::size_t i = 0; i < 4; ++i) {
    bytes[8 + i] = static_cast<char>(static_cast<unsigned char>((header.payload_bytes >> (8U * i)) & 0xFFU));
  }
  return bytes;
}

Result<FrameHeader> decode_header(const Header& bytes) {
  if (std::string_view(bytes.data(), kMagic.size()) != kMagic) return garbled("");
  FrameHeader header;
  switch (bytes[7]) {
    case 'S':
      header.kind = FrameKind::settings;
      break;
    case 'R':
      header.kind = FrameKind::request;
      break;
    case 'K':
      header.kind = FrameKind::ready;
      break;
    case 'D':
      header.kind = FrameKind::document;
      break;
    case 'E':
      header.kind = FrameKind::error;
      break;
    default:
      return garbled("");
  }
  for (std::size_t i = 4; i-- > 0;) {
    header.payload_bytes = (header.payload_bytes << 8U) | static_cast<unsigned char>(bytes[8 + i]);
  }
  return header;
}

std::uint32_t max_reply_bytes(const ReadLimits& limits) {
  const std::uint64_t bytes = static_cast<std::uint64_t>(limits.max_text_bytes) +
                              static_cast<std::uint64_t>(limits.max_blocks) * kBlockBytes +
                              static_cast<std::uint64_t>(limits.max_pages) * kPageBytes +
                              (kMaxNotesOnWire + 4) * (kMaxWords + 4);
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(bytes, std::numeric_limits<std::uint32_t>::max() / 2));
}

std::string encode_settings(const Settings& settings) {
  Encoder out;
  out.number(settings.limits.max_file_bytes);
  out.number(settings.limits.max_text_bytes);
  out.number(settings.limits.max_line_bytes);
  out.number(static_cast<std::int32_t>(settings.limits.max_pages));
  out.number(static_cast<std::int32_t>(settings.limits.max_blocks));
  out.number(static_cast<std::int32_t>(settings.limits.cpu_seconds));
  out.number(static_cast<std::int32_t>(settings.limits.wall_seconds));
  out.number(settings.limits.memory_bytes);
  out.string(settings.libraries.pdfium.native());
  return out.take();
}

Result<Settings> decode_settings(std::string_view payload) {
  Decoder in(payload);
  Settings settings;
  settings.limits.max_file_bytes = in.number<std::int64_t>();
  settings.limits.max_text_bytes = in.number<std::int64_t>();
  settings.limits.max_line_bytes = in.number<std::int64_t>();
  settings.limits.max_pages = in.number<std::int32_t>();
  settings.limits.max_blocks = in.number<std::int32_t>();
  settings.limits.cpu_seconds = in.number<std::int32_t>();
  settings.limits.wall_seconds = in.number<std::int32_t>();
  settings.limits.memory_bytes = in.number<std::int64_t>();
  settings.libraries.pdfium = std::string(in.string(kMaxWords));
  if (!in.finished()) return garbled("settings");
  return settings;
}

std::string encode_request(std::string_view source) {
  Encoder out;
  out.string(source.substr(0, kMaxWords));
  return out.take();
}

Result<std::string> decode_request(std::string_view payload) {
  Decoder in(payload);
  std::string source(in.string(kMaxWords));
  if (!in.finished()) return garbled("request");
  return source;
}

std::string encode_document(const Document& document) {
  Encoder out;
  out.reserve(document.text.size() + document.blocks.size() * kBlockBytes +
              document.pages.size() * kPageBytes + 8192);
  out.number(static_cast<std::uint8_t>(format_of(document.media_type)));
  out.string(tidied(document.title));
  out.number(static_cast<std::uint32_t>(std::min(document.notes.size(), kMaxNotesOnWire)));
  for (std::size_t i = 0; i < std::min(document.notes.size(), kMaxNotesOnWire); ++i)
    out.string(tidied(document.notes[i]));
  out.string(document.text);
  out.number(static_cast<std::uint32_t>(document.pages.size()));
  for (const Page& page : document.pages) {
    out.number(static_cast<std::uint32_t>(page.number));
    out.number(static_cast<std::uint32_t>(page.span.start));
    out.number(static_cast<std::uint32_t>(page.span.end));
  }
  out.number(static_cast<std::uint32_t>(document.blocks.size()));
  for (const Block& block : document.blocks) {
    out.number(static_cast<std::uint8_t>(block.kind));
    out.number(static_cast<std::uint8_t>(block.level));
    out.number(static_cast<std::uint32_t>(block.span.start));
    out.number(static_cast<std::uint32_t>(block.span.end));
  }
  return out.take();
}

Result<Document> decode_document(std::string_view payload, std::string_view source,
                                 const ReadLimits& limits) {
  Decoder in(payload);
  Document document;
  document.source = std::string(source);
  const auto format = in.number<std::uint8_t>();
  if (format == 0 || format > static_cast<std::uint8_t>(Format::pdf)) return garbled(source);
  document.media_type = std::string(media_type_of(static_cast<Format>(format)));
  document.title = std::string(in.string(kMaxWords));
  const auto notes = in.number<std::uint32_t>();
  if (notes > kMaxNotesOnWire) return garbled(source);
  for (std::uint32_t i = 0; i < notes && !in.failed(); ++i) document.notes.emplace_back(in.string(kMaxWords));
  document.text = std::string(in.string(static_cast<std::size_t>(limits.max_text_bytes)));
  const auto pages = in.number<std::uint32_t>();
  if (pages > static_cast<std::uint32_t>(limits.max_pages) || pages > in.left() / kPageBytes)
    return garbled(source);
  document.pages.reserve(pages);
  for (std::uint32_t i = 0; i < pages; ++i) {
    const auto number = in.number<std::uint32_t>();
    const auto start = in.number<std::uint32_t>();
    const auto end = in.number<std::uint32_t>();
    if (number > 10'000'000) return garbled(source);
    document.pages.push_back({static_cast<int>(number), {start, end}});
  }
  const auto blocks = in.number<std::uint32_t>();
  if (blocks > static_cast<std::uint32_t>(limits.max_blocks) || blocks > in.left() / kBlockBytes)
    return garbled(source);
  document.blocks.reserve(blocks);
  for (std::uint32_t i = 0; i < blocks; ++i) {
    const auto kind = in.number<std::uint8_t>();
    const auto level = in.number<std::uint8_t>();
    const auto start = in.number<std::uint32_t>();
    const auto end = in.number<std::uint32_t>();
    if (kind > static_cast<std::uint8_t>(BlockKind::quote)) return garbled(source);
    document.blocks.push_back({static_cast<BlockKind>(kind), level, {start, end}});
  }
  if (!in.finished()) return garbled(source);
  if (!is_tidy(document.title)) return garbled(source);
  if (!std::all_of(document.notes.begin(), document.notes.end(),
                   [](const std::string& note) { return is_tidy(note); })) {
    return garbled(source);
  }
  if (Result<void> checked = check_document(document, limits); !checked) return checked.error();
  return document;
}

std::string encode_error(const Error& error) {
  Encoder out;
  out.number(static_cast<std::uint8_t>(error.kind));
  out.string(tidied(error.message));
  out.string(tidied(error.next_step));
  return out.take();
}

std::optional<Error> decode_error(std::string_view payload, std::string_view source) {
  Decoder in(payload);
  const auto kind = in.number<std::uint8_t>();
  Error error;
  error.place = std::string(source);
  error.message = std::string(in.string(kMaxWords));
  error.next_step = std::string(in.string(kMaxWords));
  if (!in.finished() || kind > static_cast<std::uint8_t>(Kind::our_bug) || error.message.empty() ||
      !is_tidy(error.message) || !is_tidy(error.next_step)) {
    return std::nullopt;
  }
  error.kind = static_cast<Kind>(kind);
  return error;
}

}  // namespace loam::reader
