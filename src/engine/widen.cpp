#include "engine/widen.h"

#include <cstring>

#include "ggml.h"

namespace loam::engine {

bool can_widen(std::uint32_t type) {
  if (type >= GGML_TYPE_COUNT) return false;
  if (type == GGML_TYPE_F32) return true;
  const auto* traits = ggml_get_type_traits(static_cast<ggml_type>(type));
  return traits != nullptr && traits->to_float != nullptr;
}

void widen(std::uint32_t type, const void* bytes, std::size_t count, float* out) {
  if (type == GGML_TYPE_F32) {
    std::memcpy(out, bytes, count * sizeof(float));
    return;
  }
  ggml_get_type_traits(static_cast<ggml_type>(type))->to_float(bytes, out, static_cast<std::int64_t>(count));
}

}  // namespace loam::engine
