// Data files for evaluation, read with line numbers in every error, and what is wrong with them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace loam::eval {

/// Which data exactly.
struct DataVersion {
  std::string file;    ///< as named
  std::string sha256;  ///< of the file's bytes
  std::size_t items = 0;
};

/// Something a person should know of the data, with where: counts always add up with the items read.
struct DataNote {
  std::string kind;     ///< "duplicate", "leakage", "stray label", "empty text", "missing label", ...
  std::string message;  ///< "12 texts occur twice with different labels"
  std::vector<std::size_t> lines;  ///< 1-based, at most 20 of them
  std::size_t count = 0;           ///< of rows
  bool left_out = false;  ///< these rows are not among the items; no other note leaves them out again
};

/// How many rows notes leave out: items read + left_out(notes) = rows of the file.
std::size_t left_out(const std::vector<DataNote>& notes);

// Classification: {"text","label"} JSON lines, or CSV with named columns ---------------------------------
struct LabelledText {
  std::string id;  ///< "line 12", or the "id" of the line
  std::string text;
  std::string label;
  std::string cluster;  ///< value of the --group column; may be empty
  std::size_t line = 0;
};
struct ClassificationOptions {
  std::string text_column = "text";
  std::string label_column = "label";
  std::string group_column = {};    ///< empty: none
  bool merge_stray_labels = false;  ///< "Refund " and "refund" become one label; else only reported
  bool labels_required = true;      ///< false for `predict`: every row is an item, empty texts too
};
struct ClassificationData {
  DataVersion version;
  std::vector<LabelledText> items;
  std::vector<std::string> labels;  ///< sorted
  std::vector<DataNote> notes;
  std::size_t rows = 0;  ///< of the file: items and those left out
};
/// By its ending (.jsonl, .ndjson, .json; .csv, .tsv, .tab), else by its first character. A column that is
/// not there is bad_request naming the nearest one; a line that is not JSON is bad_data with its number; so
/// is a file without a single usable row. All else is reported as notes. At most 1 GiB.
Result<ClassificationData> read_classification(const std::filesystem::path& file,
                                               const ClassificationOptions& options = {});
Result<ClassificationData> parse_classification(std::string_view bytes, const std::string& name,
                                                const ClassificationOptions& options = {});

/// Item indexes of three parts that share no cluster and no normalised text; each label keeps its share as
/// far as that allows. Ascending. The same data, shares and seed give the same parts on every machine.
struct Split {
  std::vector<std::size_t> train, validate, test;
};
/// bad_request for shares that leave nothing to learn from; bad_data when there is one label only, or a part
/// that was asked for would stay empty.
Result<Split> split_items(const ClassificationData& data, double validate_share, double test_share,
                          std::uint64_t seed);
/// Cross-validation: each item is in the test part of exactly one split, the next fold is its validation
/// part, the others are learnt from; the same groups stay together. bad_request below 3 folds, bad_data when
/// one would stay empty.
Result<std::vector<Split>> split_folds(const ClassificationData& data, int folds, std::uint64_t seed);
/// For each item 0 when it stands alone, else the number of the group (from 1) that must stay together: items
/// of one cluster, or of one text but for case, punctuation and spaces.
std::vector<std::size_t> group_numbers(const ClassificationData& data);
/// Texts of `test` that also stand in `train`, after white space, case and punctuation are evened out, and
/// groups that stand in both. Lines are those of `test`.
std::vector<DataNote> leakage(const ClassificationData& train, const ClassificationData& test);

// Question answering: {"id","question","answer"|null,"accept":[...],"source","quote"}
// --------------------------
struct QaCase {
  std::string id, question;
  std::optional<std::string> answer;  ///< empty: the documents do not say
  std::vector<std::string> accept;    ///< other right answers
  std::string source, quote;          ///< where it stands; may be empty
};
struct QaData {
  DataVersion version;
  std::vector<QaCase> cases;
  std::vector<DataNote> notes;
  std::size_t rows = 0;  ///< of the file: cases and those left out
};
/// A line without "answer" takes the first of "accept"; without both it counts as unanswerable, and that is
/// reported. Lines that are not such objects are bad_data with their number, here and below.
Result<QaData> read_qa(const std::filesystem::path& file);

// Text to text: {"id","input","reference"|"references":[...]} (summarise, translate, extract)
// --------------------
struct TextCase {
  std::string id, input;
  std::vector<std::string> references;
  std::string cluster;
};
struct TextData {
  DataVersion version;
  std::vector<TextCase> cases;
  std::vector<DataNote> notes;
  std::size_t rows = 0;  ///< of the file: cases and those left out
};
/// A reference that is no string (an object to extract) is kept as one line of JSON.
Result<TextData> read_texts(const std::filesystem::path& file);

// Multiple choice: {"id","context","choices":[...],"answer":index}
// ------------------------------------------------
struct ChoiceCase {
  std::string id, context;
  std::vector<std::string> choices;
  int answer = 0;
  std::string cluster;
};
struct ChoiceData {
  DataVersion version;
  std::vector<ChoiceCase> cases;
  std::vector<DataNote> notes;
  std::size_t rows = 0;  ///< of the file: cases and those left out
};
Result<ChoiceData> read_choices(const std::filesystem::path& file);

// Retrieval in BEIR's layout: corpus.jsonl, queries.jsonl, qrels/*.tsv
// ---------------------------------------------
struct RetrievalData {
  DataVersion version;
  struct Query {
    std::string id, text;
    std::vector<std::pair<std::string, int>> judged;  ///< document id, grade
  };
  std::vector<Query> queries;
  std::vector<DataNote> notes;
  std::size_t rows = 0;  ///< of queries.jsonl: queries and those left out
};
/// Queries without a judgement are left out; judged documents or queries that do not exist are reported.
Result<RetrievalData> read_beir(const std::filesystem::path& folder, const std::string& split = "test");

}  // namespace loam::eval
