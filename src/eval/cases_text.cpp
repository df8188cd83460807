// Questions, texts with references, and multiple choice: JSON lines to cases.
#include <cmath>
#include <utility>

#include "base/json.h"
#include "eval/cases.h"
#include "eval/data_file.h"
#include "reader/text.h"

namespace loam::eval {
namespace {

/// What all of them do: bytes, text, one object a line, unique ids; `take` fills a case or leaves it out.
template <typename Data, typename Take>
Result<Data> read_cases(const std::filesystem::path& file, const Take& take) {
  const std::string name = file.string();
  const Result<std::string> bytes = read_data_file(file);
  if (!bytes) return bytes.error();
  Data data;
  data.version = version_of(name, *bytes);
  const Result<std::string> text = decode_data(*bytes, name, data.notes);
  if (!text) return text.error();
  UniqueIds ids;
  const auto visit = [&](const Json& object, std::size_t line) -> Result<void> {
    ++data.rows;
    return take(data, object, line, ids);
  };
  if (Result<void> read = for_each_object(*text, name, visit); !read) return read.error();
  ids.tell(data.notes);
  data.version.items = data.cases.size();
  return data;
}

/// A file without a usable case is refused, with why.
template <typename Data>
Result<Data> unless_empty(Data data, const std::string& example) {
  if (!data.cases.empty()) return data;
  std::string message =
      data.rows == 0 ? "it has no lines" : "none of its " + counted(data.rows, "line") + " can be used";
  for (const DataNote& note : data.notes) {
    if (note.left_out) message += "; " + note.message;
  }
  return Error{Kind::bad_data, data.version.file, std::move(message), "each line looks like " + example};
}

Result<std::string> optional_text(const Json& object, std::string_view key, const std::string& place) {
  Result<std::optional<std::string>> text = text_of(object, key, place);
  if (!text) return text.error();
  return std::move(*text).value_or("");
}

}  // namespace

Result<QaData> read_qa(const std::filesystem::path& file) {
  SeenRows empty;
  SeenRows unsaid;
  const auto take = [&](QaData& data, const Json& object, std::size_t line, UniqueIds& ids) -> Result<void> {
    const std::string place = place_of(file.string(), line);
    Result<std::string> question = required_text_of(object, "question", place);
    if (!question) return question.error();
    Result<std::optional<std::string>> answer = text_of(object, "answer", place);
    if (!answer) return answer.error();
    Result<std::vector<std::string>> accept = texts_of(object, "accept", place);
    if (!accept) return accept.error();
    QaCase one;
    for (const auto& [key, into] :
         {std::pair("id", &one.id), std::pair("source", &one.source), std::pair("quote", &one.quote)}) {
      Result<std::string> text = optional_text(object, key, place);
      if (!text) return text.error();
      *into = std::move(*text);
    }
    if (reader::is_blank(*question)) {
      empty.add(line);
      return done();
    }
    one.id = ids.take(one.id, line);
    one.question = std::move(*question);
    one.answer = std::move(*answer);
    one.accept = std::move(*accept);
    if (!object.contains("answer")) {
      if (one.accept.empty()) {
        unsaid.add(line);
      } else {
        one.answer = one.accept.front();
      }
    }
    data.cases.push_back(std::move(one));
    return done();
  };
  Result<QaData> data = read_cases<QaData>(file, take);
  if (!data) return data.error();
  add_note(data->notes, "empty question", counted(empty.count, "line") + " with an empty question, left out",
           empty, Rows::left_out);
  add_note(data->notes, "no answer",
           counted(unsaid.count, "line") +
               " with neither \"answer\" nor \"accept\", taken as unanswerable; say so with \"answer\": null",
           unsaid, Rows::kept);
  return unless_empty(std::move(*data), R"({"question": "...", "answer": "..."})");
}

Result<TextData> read_texts(const std::filesystem::path& file) {
  SeenRows empty;
  SeenRows alone;
  const auto take = [&](TextData& data, const Json& object, std::size_t line,
                        UniqueIds& ids) -> Result<void> {
    const std::string place = place_of(file.string(), line);
    Result<std::string> input = required_text_of(object, "input", place);
    if (!input) return input.error();
    Result<std::optional<std::string>> reference = text_of(object, "reference", place, Values::any);
    if (!reference) return reference.error();
    Result<std::vector<std::string>> references = texts_of(object, "references", place, Values::any);
    if (!references) return references.error();
    Result<std::string> id = optional_text(object, "id", place);
    if (!id) return id.error();
    Result<std::string> cluster = optional_text(object, "cluster", place);
    if (!cluster) return cluster.error();
    if (reference->has_value()) references->insert(references->begin(), std::move(**reference));
    if (reader::is_blank(*input)) {
      empty.add(line);
    } else if (references->empty()) {
      alone.add(line);
    } else {
      data.cases.push_back(
          {ids.take(*id, line), std::move(*input), std::move(*references), std::move(*cluster)});
    }
    return done();
  };
  Result<TextData> data = read_cases<TextData>(file, take);
  if (!data) return data.error();
  add_note(data->notes, "empty text", counted(empty.count, "line") + " with an empty input, left out", empty,
           Rows::left_out);
  add_note(data->notes, "no reference",
           counted(alone.count, "line") + " with neither \"reference\" nor \"references\", left out", alone,
           Rows::left_out);
  return unless_empty(std::move(*data), R"({"input": "...", "reference": "..."})");
}

Result<ChoiceData> read_choices(const std::filesystem::path& file) {
  const auto take = [&](ChoiceData& data, const Json& object, std::size_t line,
                        UniqueIds& ids) -> Result<void> {
    const std::string place = place_of(file.string(), line);
    Result<std::string> context = required_text_of(object, "context", place);
    if (!context) return context.error();
    Result<std::vector<std::string>> choices = texts_of(object, "choices", place);
    if (!choices) return choices.error();
    Result<std::string> id = optional_text(object, "id", place);
    if (!id) return id.error();
    Result<std::string> cluster = optional_text(object, "cluster", place);
    if (!cluster) return cluster.error();
    if (choices->size() < 2) {
      return Error{Kind::bad_data, place,
                   "it has " + counted(choices->size(), "choice") + "; two are the least",
                   "give \"choices\" as an array of texts"};
    }
    const auto answer = object.find("answer");
    const bool in_range = answer != object.end() && answer->is_number_integer() && *answer >= 0 &&
                          *answer < static_cast<std::int64_t>(choices->size());
    if (!in_range) {
      return Error{
          Kind::bad_data, place,
          "\"answer\" must be the number of the right choice, 0 to " + std::to_string(choices->size() - 1),
          "correct that line; the first choice has number 0"};
    }
    data.cases.push_back({ids.take(*id, line), std::move(*context), std::move(*choices), answer->get<int>(),
                          std::move(*cluster)});
    return done();
  };
  Result<ChoiceData> data = read_cases<ChoiceData>(file, take);
  if (!data) return data.error();
  return unless_empty(std::move(*data), R"({"context": "...", "choices": ["...", "..."], "answer": 0})");
}

}  // namespace loam::eval
