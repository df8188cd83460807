#include "reader/pdfium.h"

#include <dlfcn.h>

#include <optional>
#include <string>

namespace loam::reader {
namespace {

// FPDF_LIBRARY_CONFIG, version 2.
struct LibraryConfig {
  int version;
  const char** user_font_paths;
  void* isolate;
  unsigned v8_embedder_slot;
};

Error not_there(std::string what) {
  return Error{Kind::unavailable, "PDFium", std::move(what),
               "run scripts/demo again; it fetches libpdfium.so, or leave PDF files out"};
}

template <typename Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace

Result<const Pdfium*> load_pdfium(const std::filesystem::path& library) {
  static std::optional<Pdfium> loaded;
  if (loaded) return &*loaded;
  if (library.empty()) return not_there("no PDF library was named");
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = dlerror();
    return not_there(reason == nullptr ? "cannot be loaded" : reason);
  }
  Pdfium api{};
  void (*initialise)(const LibraryConfig*) = nullptr;
  const bool complete =
      find(handle, "FPDF_InitLibraryWithConfig", initialise) &&
      find(handle, "FPDF_LoadMemDocument64", api.load_memory) &&
      find(handle, "FPDF_CloseDocument", api.close_document) &&
      find(handle, "FPDF_GetLastError", api.last_error) &&
      find(handle, "FPDF_GetPageCount", api.page_count) && find(handle, "FPDF_GetMetaText", api.meta_text) &&
      find(handle, "FPDF_LoadPage", api.load_page) && find(handle, "FPDF_ClosePage", api.close_page) &&
      find(handle, "FPDF_GetPageBoundingBox", api.page_bounds) &&
      find(handle, "FPDFPage_GetRotation", api.page_rotation) &&
      find(handle, "FPDFText_LoadPage", api.load_text) &&
      find(handle, "FPDFText_ClosePage", api.close_text) &&
      find(handle, "FPDFText_CountChars", api.character_count) &&
      find(handle, "FPDFText_GetUnicode", api.character) &&
      find(handle, "FPDFText_GetLooseCharBox", api.loose_box) &&
      find(handle, "FPDFText_GetCharAngle", api.angle) &&
      find(handle, "FPDFText_GetFontWeight", api.font_weight) &&
      find(handle, "FPDFText_GetFontInfo", api.font_info);
  if (!complete) {
    dlclose(handle);
    return not_there(library.string() + " is not a PDFium that Loam knows");
  }
  // No system fonts: extracted text must not depend on what this machine has installed.
  static const char* no_fonts[] = {nullptr};
  const LibraryConfig config{2, no_fonts, nullptr, 0};
  initialise(&config);
  loaded = api;
  return &*loaded;
}

}  // namespace loam::reader
