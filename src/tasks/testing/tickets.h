// For tests: made-up support tickets whose label follows from their words, most of the time.
#pragma once

#include <array>
#include <random>
#include <string>

#include "eval/cases.h"

namespace loam::tasks::testing {

/// `count` tickets of four labels; `noise` of them say something of another label. CSV, so that they come in
/// through the door that people use.
inline std::string ticket_csv(int count, double noise = 0.1, std::uint32_t seed = 1) {
  struct Kind {
    const char* label;
    std::array<const char*, 5> words;
  };
  static const std::array<Kind, 4> kinds = {
      {{"account", {"password", "login", "locked", "account", "sign"}},
       {"delivery", {"parcel", "driver", "late", "delivery", "arrived"}},
       {"praise", {"thanks", "great", "kind", "happy", "lovely"}},
       {"refund", {"refund", "money", "broken", "return", "invoice"}}}};
  static const std::array<const char*, 8> filler = {"please", "my",   "order", "the",
                                                    "today",  "shop", "help",  "again"};
  std::mt19937 random(seed);
  std::string csv = "text,label,customer\n";
  for (int i = 0; i < count; ++i) {
    const Kind& kind = kinds[static_cast<std::size_t>(i) % 4];
    const Kind& spoken = static_cast<double>(random() % 1000) < noise * 1000 ? kinds[random() % 4] : kind;
    std::string text = "ticket " + std::to_string(i);
    for (int w = 0; w < 6; ++w) {
      text += std::string(" ") + (w % 2 == 0 ? spoken.words[random() % 5] : filler[random() % 8]);
    }
    csv += text + "," + kind.label + ",c" + std::to_string(i / 3) + "\n";
  }
  return csv;
}

inline eval::ClassificationData tickets(int count, double noise = 0.1, std::uint32_t seed = 1,
                                        const std::string& group = "") {
  eval::ClassificationOptions options;
  options.group_column = group;
  auto data = eval::parse_classification(ticket_csv(count, noise, seed), "tickets.csv", options);
  return data ? *data : eval::ClassificationData{};
}

}  // namespace loam::tasks::testing
