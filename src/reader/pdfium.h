// The few functions of PDFium's C interface that we use, found at run time in libpdfium.so. Declared by us
// after PDFium's public headers (fpdfview.h, fpdf_text.h, fpdf_doc.h, fpdf_edit.h), so that building needs
// none of them.
#pragma once

#include <cstddef>
#include <filesystem>

#include "base/result.h"

namespace loam::reader {

struct PdfiumDocument;
struct PdfiumPage;
struct PdfiumTextPage;

/// FS_RECTF: points of the page, y upward.
struct PdfiumRect {
  float left;
  float top;
  float right;
  float bottom;
};

inline constexpr unsigned long kPdfiumErrorFormat = 3;
inline constexpr unsigned long kPdfiumErrorPassword = 4;
inline constexpr unsigned long kPdfiumErrorSecurity = 5;

/// Not thread-safe, as PDFium itself is not.
struct Pdfium {
  PdfiumDocument* (*load_memory)(const void* bytes, std::size_t size, const char* password);
  void (*close_document)(PdfiumDocument*);
  unsigned long (*last_error)();
  int (*page_count)(PdfiumDocument*);
  unsigned long (*meta_text)(PdfiumDocument*, const char* tag, void* utf16le, unsigned long bytes);
  PdfiumPage* (*load_page)(PdfiumDocument*, int index);
  void (*close_page)(PdfiumPage*);
  int (*page_bounds)(PdfiumPage*, PdfiumRect*);
  int (*page_rotation)(PdfiumPage*);  // quarter turns clockwise
  PdfiumTextPage* (*load_text)(PdfiumPage*);
  void (*close_text)(PdfiumTextPage*);
  int (*character_count)(PdfiumTextPage*);
  unsigned (*character)(PdfiumTextPage*, int index);
  int (*loose_box)(PdfiumTextPage*, int index, PdfiumRect*);
  float (*angle)(PdfiumTextPage*, int index);  // radians
  int (*font_weight)(PdfiumTextPage*, int index);
  unsigned long (*font_info)(PdfiumTextPage*, int index, void* name, unsigned long bytes, int* flags);
};

/// Loads and initialises PDFium once per process; later calls return the same, whatever the path. Fails with
/// unavailable when the library is not there or lacks a function.
Result<const Pdfium*> load_pdfium(const std::filesystem::path& library);

}  // namespace loam::reader
