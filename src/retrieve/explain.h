// Where one document stood, in ranks and in plain words. Inner part of Retriever::explain.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "retrieve/fusion.h"
#include "retrieve/retrieve.h"
#include "store/store.h"

namespace loam::retrieve {

/// Everything that the explanation is made of: both legs at full depth, and the fusion as find() would do it.
struct DeepRanking {
  std::string question;
  std::string source;
  Legs legs = Legs::both;
  int shown = 0;
  int candidates = 0;  ///< what find() takes from each leg
  int passages_in_collection = 0;
  std::vector<store::Scored> lexical;          ///< every passage that matches a term
  std::vector<store::Scored> dense;            ///< every passage
  std::vector<Fused> fused;                    ///< of the first `candidates` of each leg
  std::vector<Fused> fused_deep;               ///< of both whole lists
  std::optional<std::vector<Fused>> reranked;  ///< `fused` as the re-ranker left it; none: no re-ranker
  int reranked_first = 0;                      ///< how many of the first of `fused` it read
  std::vector<PassageId> own_passages;
  std::optional<store::Store::PassageRow> best_row;  ///< of best_passage()
  std::vector<std::string> terms;
};

/// The document's passage with the best place after fusion: as find() ranked, else at full depth, else its
/// first. Empty when the document has no passages.
std::optional<PassageId> best_passage(const DeepRanking& ranking);

/// `term_found` has one entry per term: whether the best passage holds it.
Explanation explain_ranking(const DeepRanking& ranking, const std::vector<bool>& term_found);

}  // namespace loam::retrieve
