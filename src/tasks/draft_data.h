// A draft of training data out of documents: questions whose answers stand in the documents word for word. To
// be looked through and edited before anything is trained on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/passage.h"
#include "base/span.h"

namespace loam::tasks {

/// How a question was made.
enum class DraftKind : std::uint8_t {
  definition,  ///< "A deposit is a sum ..." -> "What is a deposit?"
  field,       ///< "Opening hours: 9 to 5" -> "What is given as \"Opening hours\"?"
  heading,     ///< what stands first under a heading
  value,       ///< a date, amount, percentage or number left out of its sentence
};
std::string_view name_of(DraftKind kind);

struct DraftItem {
  DraftKind kind = DraftKind::definition;
  std::string question;
  std::string answer;       ///< exactly the document's bytes in `span`
  Span span;                ///< bytes of the document's extracted text
  std::string source;       ///< Document::source
  std::optional<int> page;  ///< on which the answer starts
  std::string passage;      ///< the passage that holds it, whole
  std::string heading_path;
};

struct DraftOptions {
  int most_per_passage = 3;
  std::size_t most = 0;  ///< of all; 0: as many as there are. Taken in turns from the documents.
};

/// What was looked at, and what became of it.
struct DraftCounts {
  std::size_t documents = 0, documents_without = 0;  ///< without: not a single question
  std::size_t passages = 0, sentences = 0;
  std::size_t repeated = 0;    ///< the same question again with the same answer: kept once
  std::size_t ambiguous = 0;   ///< the same question with different answers: all left out
  std::size_t over_limit = 0;  ///< more than most_per_passage or most
  std::map<DraftKind, std::size_t> kept;
};

struct DraftDocument {
  std::string source;
  std::vector<Page> pages;
  std::vector<Passage> passages;  ///< in order; text is the document's bytes in span
};

struct Draft {
  std::vector<DraftItem> items;  ///< by document and place
  DraftCounts counts;
};

/// The same documents give the same draft. English patterns; values are found in any language. Linear time.
Draft draft_data(const std::vector<DraftDocument>& documents, const DraftOptions& options = {});

/// One line as `loam train lora` reads it: prompt (passage and question), response, and beside them document,
/// page, span, question, passage and kind. The trainer keeps a document's items on one side of its split.
std::string draft_line(const DraftItem& item);

}  // namespace loam::tasks
