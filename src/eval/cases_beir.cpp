// Retrieval data in the layout of BEIR (Thakur et al., NeurIPS 2021): corpus.jsonl, queries.jsonl,
// qrels/*.tsv.
#include <algorithm>
#include <charconv>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/hash.h"
#include "base/json.h"
#include "eval/cases.h"
#include "eval/data_file.h"
#include "reader/text.h"

namespace loam::eval {
namespace {

/// The bytes of one file of the folder; its hash goes into `hashes`.
Result<std::string> read_part(const std::filesystem::path& folder, const std::string& part,
                              std::string& hashes) {
  Result<std::string> bytes = read_data_file(folder / part);
  if (!bytes) {
    Error error = bytes.error();
    if (error.kind == Kind::unavailable)
      error.next_step = "retrieval data is a folder with corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv";
    return error;
  }
  hashes += part + " " + sha256_hex(*bytes) + "\n";
  return bytes;
}

Result<std::string> id_of(const Json& object, const std::string& place) {
  Result<std::string> id = required_text_of(object, "_id", place);
  if (id && id->empty())
    return Error{Kind::bad_data, place, "\"_id\" is empty", "give each line an id of its own"};
  return id;
}

Result<std::unordered_set<std::string>> document_ids(const std::string& bytes, const std::string& name,
                                                     std::vector<DataNote>& notes) {
  const Result<std::string> text = decode_data(bytes, name, notes);
  if (!text) return text.error();
  std::unordered_set<std::string> ids;
  SeenRows repeated;
  const auto visit = [&](const Json& object, std::size_t line) -> Result<void> {
    Result<std::string> id = id_of(object, place_of(name, line));
    if (!id) return id.error();
    if (!ids.insert(std::move(*id)).second) repeated.add(line);
    return done();
  };
  if (Result<void> read = for_each_object(*text, name, visit); !read) return read.error();
  add_note(notes, "duplicate id",
           counted(repeated.count, "document") + " of the corpus with an id that was there before", repeated,
           Rows::kept);
  return ids;
}

std::vector<std::string_view> cells_of(std::string_view line) {
  std::vector<std::string_view> cells;
  for (std::size_t start = 0; start <= line.size();) {
    const std::size_t end = std::min(line.find('\t', start), line.size());
    cells.push_back(reader::trimmed(line.substr(start, end - start)));
    start = end + 1;
  }
  return cells;
}

struct Judgement {
  std::string document;
  int grade = 0;
  std::size_t line = 0;
};

/// By query, in the file's order of documents.
Result<std::map<std::string, std::vector<Judgement>>> judgements(std::string_view text,
                                                                 const std::string& name) {
  std::map<std::string, std::vector<Judgement>> of_query;
  std::size_t number = 0;
  bool first = true;
  for (const Span span : reader::lines_of(text)) {
    ++number;
    const std::string_view line = slice(text, span);
    if (reader::is_blank(line)) continue;
    const std::vector<std::string_view> cells = cells_of(line);
    int grade = 0;
    bool is_number = false;
    if (cells.size() == 3) {
      const auto [end, failure] = std::from_chars(cells[2].data(), cells[2].data() + cells[2].size(), grade);
      is_number = failure == std::errc() && end == cells[2].data() + cells[2].size();
    }
    const bool is_header = first && !is_number;
    first = false;
    if (is_header && cells.size() == 3) continue;
    if (!is_number || cells[0].empty() || cells[1].empty()) {
      return Error{Kind::bad_data, place_of(name, number),
                   "a judgement is a query id, a document id and a whole number, parted by tabs",
                   "correct or delete that line"};
    }
    of_query[std::string(cells[0])].push_back({std::string(cells[1]), grade, number});
  }
  return of_query;
}

}  // namespace

Result<RetrievalData> read_beir(const std::filesystem::path& folder, const std::string& split) {
  if (split.empty() || split.find_first_of("/\\") != std::string::npos ||
      split.find("..") != std::string::npos) {
    return Error{Kind::bad_request, folder.string(), "'" + split + "' is not the name of a split",
                 "name a file of qrels/ without its ending, such as test"};
  }
  RetrievalData data;
  data.version.file = folder.string();
  std::string hashes;
  const std::string qrels = "qrels/" + split + ".tsv";
  const Result<std::string> judged_bytes = read_part(folder, qrels, hashes);
  if (!judged_bytes) return judged_bytes.error();
  const Result<std::string> query_bytes = read_part(folder, "queries.jsonl", hashes);
  if (!query_bytes) return query_bytes.error();
  const Result<std::string> corpus_bytes = read_part(folder, "corpus.jsonl", hashes);
  if (!corpus_bytes) return corpus_bytes.error();
  data.version.sha256 = sha256_hex(hashes);

  const auto documents = document_ids(*corpus_bytes, (folder / "corpus.jsonl").string(), data.notes);
  if (!documents) return documents.error();
  const Result<std::string> judged_text = decode_data(*judged_bytes, (folder / qrels).string(), data.notes);
  if (!judged_text) return judged_text.error();
  auto of_query = judgements(*judged_text, (folder / qrels).string());
  if (!of_query) return of_query.error();

  SeenRows unknown_document;
  SeenRows repeated_judgement;
  SeenRows unjudged;
  SeenRows empty;
  SeenRows repeated;
  SeenRows hopeless;
  std::unordered_set<std::string> seen;
  const std::string queries_name = (folder / "queries.jsonl").string();
  const Result<std::string> query_text = decode_data(*query_bytes, queries_name, data.notes);
  if (!query_text) return query_text.error();
  const auto visit = [&](const Json& object, std::size_t line) -> Result<void> {
    ++data.rows;
    const std::string place = place_of(queries_name, line);
    const Result<std::string> id = id_of(object, place);
    if (!id) return id.error();
    Result<std::string> text = required_text_of(object, "text", place);
    if (!text) return text.error();
    const auto judged = of_query->find(*id);
    if (!seen.insert(*id).second) {
      repeated.add(line);
    } else if (judged == of_query->end()) {
      unjudged.add(line);
    } else if (reader::is_blank(*text)) {
      empty.add(line);
    } else {
      RetrievalData::Query query{*id, std::move(*text), {}};
      std::unordered_set<std::string_view> listed;
      bool relevant = false;
      for (const Judgement& one : judged->second) {
        if (!listed.insert(one.document).second) {
          repeated_judgement.add(one.line);
          continue;
        }
        if (!documents->contains(one.document)) unknown_document.add(one.line);
        relevant = relevant || one.grade > 0;
        query.judged.emplace_back(one.document, one.grade);
      }
      if (!relevant) hopeless.add(line);
      data.queries.push_back(std::move(query));
    }
    return done();
  };
  if (Result<void> read = for_each_object(*query_text, queries_name, visit); !read) return read.error();

  SeenRows unknown_query;
  for (const auto& [id, list] : *of_query) {
    if (seen.contains(id)) continue;
    for (const Judgement& one : list) unknown_query.add(one.line);
  }
  add_note(data.notes, "not judged",
           counted(unjudged.count, "query line") + " without a judgement in this split, left out", unjudged,
           Rows::left_out);
  add_note(data.notes, "empty text", counted(empty.count, "query line") + " without a text, left out", empty,
           Rows::left_out);
  add_note(data.notes, "duplicate id",
           counted(repeated.count, "query line") + " with an id that was there before, left out", repeated,
           Rows::left_out);
  add_note(data.notes, "no relevant document",
           counted(hopeless.count, "query line") + " whose judged documents are all irrelevant: they score 0",
           hopeless, Rows::kept);
  add_note(data.notes, "unknown document",
           counted(unknown_document.count, "judgement") +
               " of a document that the corpus does not hold: it can never be found",
           unknown_document, Rows::kept);
  add_note(
      data.notes, "unknown query",
      counted(unknown_query.count, "judgement") + " of a query that queries.jsonl does not hold, not used",
      unknown_query, Rows::kept);
  add_note(
      data.notes, "duplicate judgement",
      counted(repeated_judgement.count, "judgement") + " of a pair that was judged before: the first counts",
      repeated_judgement, Rows::kept);
  if (data.queries.empty()) {
    return Error{Kind::bad_data, folder.string(), "no query has a judgement in " + qrels,
                 "check that both use the same ids"};
  }
  data.version.items = data.queries.size();
  return data;
}

}  // namespace loam::eval
