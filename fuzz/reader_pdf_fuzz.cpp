#include "reader_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  loam::reader::expect_document_or_error(data, size, loam::reader::Format::pdf,
                                         {LOAM_DEPS_DIR "/pdfium/lib/libpdfium.so"});
  return 0;
}
