// What the reader and its worker say to each other: frames of a fixed header and a payload of little-endian
// numbers and length-prefixed strings. Decoding trusts nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/document.h"
#include "base/result.h"
#include "reader/reader.h"

namespace loam::reader {

enum class FrameKind : std::uint8_t {
  settings = 'S',
  request = 'R',
  ready = 'K',
  document = 'D',
  error = 'E'
};

inline constexpr std::size_t kHeaderBytes = 12;
using Header = std::array<char, kHeaderBytes>;

struct FrameHeader {
  FrameKind kind = FrameKind::error;
  std::uint32_t payload_bytes = 0;
};

Header encode_header(FrameHeader header);
/// Fails with bad_data when it is no header of ours.
Result<FrameHeader> decode_header(const Header& bytes);

/// Upper bound of a reply's payload; a longer one is refused before it is read.
std::uint32_t max_reply_bytes(const ReadLimits& limits);

struct Settings {
  ReadLimits limits;
  Libraries libraries;
};
std::string encode_settings(const Settings& settings);
Result<Settings> decode_settings(std::string_view payload);

std::string encode_request(std::string_view source);
Result<std::string> decode_request(std::string_view payload);

std::string encode_document(const Document& document);
/// Checks numbers against the payload's size before anything is allocated, then holds the document to
/// check_document(). The source is the caller's, not the worker's.
Result<Document> decode_document(std::string_view payload, std::string_view source, const ReadLimits& limits);

std::string encode_error(const Error& error);
/// The worker's error, or nothing when the payload is none.
std::optional<Error> decode_error(std::string_view payload, std::string_view source);

}  // namespace loam::reader
