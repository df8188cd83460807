// Language codes and names (ISO 639-1).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace loam::tasks {

struct Language {
  std::string code;  ///< as given, with its region where there was one: "pt-BR"
  std::string name;  ///< English: "Portuguese (BR)"
};

/// Takes a two-letter code, a code with region or script ("pt-BR", "zh_Hant"), or the English name in any
/// case. bad_request with the nearest one otherwise.
Result<Language> find_language(std::string_view code_or_name);

/// All two-letter codes, ascending.
std::vector<std::string_view> language_codes();

}  // namespace loam::tasks
