#include "base/result.h"

namespace loam {

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::bad_request:
      return "bad request";
    case Kind::bad_data:
      return "bad data";
    case Kind::out_of_room:
      return "out of room";
    case Kind::unavailable:
      return "unavailable";
    case Kind::our_bug:
      return "our bug";
  }
  return "unknown";
}

std::string Error::line() const {
  std::string text{name_of(kind)};
  text += ": ";
  if (!place.empty()) {
    text += place;
    text += ": ";
  }
  text += message;
  if (!next_step.empty()) {
    text += ". Try: ";
    text += next_step;
  }
  return text;
}

}  // namespace loam
