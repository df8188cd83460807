// Questions, passages and where the answers stand: what a reader and a re-ranker learn from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/span.h"
#include "eval/cases.h"

namespace loam::train {

struct SpanQuestion {
  std::string question;
  std::size_t passage = 0;  ///< index of SpanData::passages
  std::vector<Span>
      answers;  ///< bytes of the passage, as different people marked it; empty: not answered there
  std::vector<std::size_t> negatives;  ///< passages that the data itself calls wrong
  std::size_t line = 0;                ///< 1-based; of a SQuAD file the question's number in it
};

struct SpanData {
  eval::DataVersion version;
  std::vector<std::string> passages;  ///< each once
  std::vector<std::string> groups;    ///< of each passage: its article, document or group; else itself
  std::vector<SpanQuestion> items;
  std::vector<eval::DataNote> notes;  ///< items + left_out(notes) = rows
  std::size_t rows = 0;
};

/// Must each question say where its answer stands?
enum class Answers : std::uint8_t {
  marked,    ///< yes, or that the passage does not answer
  optional,  ///< a question with a passage that answers it is enough; those that it does not answer are left
             ///< out
};

struct SpanDataOptions {
  Answers answers = Answers::marked;
  std::string group_column = {};  ///< key of the objects; empty: "document" or "title" where it is there
};

/// SQuAD's JSON, version 1.1 or 2.0 (Rajpurkar et al. 2016, 2018), or JSON lines of {"question", "context"
/// (or "passage"), "answers": [{"text","start"}]}: `start` counts code points, as SQuAD's; without it the
/// text must stand in the passage. An empty "answers" says that the passage does not answer. Lines that
/// cannot be read, are empty, are the same as an earlier one, or whose answer does not stand in its
/// passage are counted in the notes and left out. bad_data when not a single item is left.
Result<SpanData> read_span_data(const std::filesystem::path& file, const SpanDataOptions& options = {});
Result<SpanData> parse_span_data(std::string_view bytes, const std::string& name,
                                 const SpanDataOptions& options = {});

}  // namespace loam::train
