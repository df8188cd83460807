// A worker that a hostile file has taken over may send anything.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "reader/wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view payload(reinterpret_cast<const char*>(data), size);
  const loam::reader::ReadLimits limits;
  const loam::Result<loam::Document> document = loam::reader::decode_document(payload, "fuzz", limits);
  if (document.ok() && !loam::reader::check_document(*document, limits).ok()) std::abort();
  static_cast<void>(loam::reader::decode_error(payload, "fuzz"));
  return 0;
}
