#include "engine/text_stream.h"

#include <algorithm>

#include "base/utf8.h"

namespace loam::engine {
namespace {

/// How many bytes at the end of `bytes` are the start of a code point that is not complete yet.
std::size_t unfinished_tail(std::string_view bytes) {
  const std::size_t window = std::min<std::size_t>(bytes.size(), 3);
  for (std::size_t back = 1; back <= window; ++back) {
    const auto lead = static_cast<unsigned char>(bytes[bytes.size() - back]);
    if ((lead & 0xC0U) == 0x80U) {
      continue;  // a continuation byte: look further back for its lead
    }
    std::size_t needs = 1;
    if (lead >= 0xC2U && lead <= 0xDFU) {
      needs = 2;
    } else if (lead >= 0xE0U && lead <= 0xEFU) {
      needs = 3;
    } else if (lead >= 0xF0U && lead <= 0xF4U) {
      needs = 4;
    }
    return needs > back ? back : 0;
  }
  return 0;
}

/// Length of the longest end of `text` that is a proper start of `stop`.
std::size_t overlap_with_start(std::string_view text, std::string_view stop) {
  for (std::size_t size = std::min(text.size(), stop.size() - 1); size > 0; --size) {
    if (text.substr(text.size() - size) == stop.substr(0, size)) {
      return size;
    }
  }
  return 0;
}

}  // namespace

TextStream::TextStream(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

std::string TextStream::push(std::string_view bytes) {
  if (stopped_) {
    return {};
  }
  bytes_ += bytes;
  const std::size_t waiting = unfinished_tail(bytes_);
  const std::string_view whole = std::string_view(bytes_).substr(0, bytes_.size() - waiting);
  text_ += is_valid_utf8(whole) ? std::string(whole) : to_valid_utf8(whole);
  bytes_.erase(0, whole.size());
  return take_final(false);
}

std::string TextStream::finish() {
  if (stopped_) {
    return {};
  }
  text_ += to_valid_utf8(bytes_);
  bytes_.clear();
  return take_final(true);
}

std::string TextStream::take_final(bool at_end) {
  std::size_t first_stop = std::string::npos;
  std::size_t held = 0;
  for (const std::string& stop : stops_) {
    first_stop = std::min(first_stop, text_.find(stop));
    held = std::max(held, overlap_with_start(text_, stop));
  }
  std::string out;
  if (first_stop != std::string::npos) {
    stopped_ = true;
    out = text_.substr(0, first_stop);
    text_.clear();
    return out;
  }
  const std::size_t size = at_end ? text_.size() : text_.size() - held;
  out = text_.substr(0, size);
  text_.erase(0, size);
  return out;
}

}  // namespace loam::engine
