#include "support/data.h"

#include <fstream>
#include <sstream>
#include <unordered_map>

#include "base/json.h"
#include "support/report.h"

namespace loam::bench {
namespace {

std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) fail("cannot read " + file.string() + ". Give the folder with --data or LOAM_BENCH_DATA");
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::vector<Question> read_judged(const std::filesystem::path& file,
                                  const std::unordered_map<std::string, std::string>& text_of) {
  std::vector<Question> questions;
  std::unordered_map<std::string, std::size_t> place_of;
  std::istringstream lines(bytes_of(file));
  std::string line;
  std::getline(lines, line);  // header: query-id corpus-id score
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    std::string query;
    std::string document;
    int grade = 0;
    if (!(fields >> query >> document >> grade)) continue;
    const auto text = text_of.find(query);
    if (text == text_of.end()) fail(file.string() + ": no text for question " + query);
    const auto [found, is_new] = place_of.try_emplace(query, questions.size());
    if (is_new) questions.push_back({query, text->second, {}, {}, questions.size()});
    questions[found->second].relevant[document] = grade;
  }
  return questions;
}

DataSet read_squad_file(const std::filesystem::path& file, const std::string& name) {
  DataSet data;
  data.name = name;
  const Json root = must(parse_json(bytes_of(file), file.string()));
  std::size_t article_number = 0;
  for (const Json& article : root.at("data")) {
    std::size_t paragraph_number = 0;
    for (const Json& paragraph : article.at("paragraphs")) {
      char id[32];
      std::snprintf(id, sizeof id, "a%02zu-p%03zu", article_number, paragraph_number++);
      data.documents.push_back({id, "", paragraph.at("context").get<std::string>()});
      for (const Json& asked : paragraph.at("qas")) {
        Question question;
        question.id = asked.at("id").get<std::string>();
        question.text = asked.at("question").get<std::string>();
        question.relevant[id] = 1;
        question.group = article_number;
        for (const Json& answer : asked.at("answers"))
          question.accepted.push_back(answer.at("text").get<std::string>());
        if (asked.value("is_impossible", false)) question.accepted.clear();
        (article_number % 2 == 0 ? data.train : data.test).push_back(std::move(question));
      }
    }
    ++article_number;
  }
  return data;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char letter : text) {
    if (letter == '&') {
      out += "&amp;";
    } else if (letter == '<') {
      out += "&lt;";
    } else if (letter == '>') {
      out += "&gt;";
    } else {
      out += letter;
    }
  }
  return out;
}

}  // namespace

DataSet read_beir(const std::filesystem::path& folder, const std::string& name) {
  DataSet data;
  data.name = name;
  std::istringstream corpus(bytes_of(folder / "corpus.jsonl"));
  for (std::string line; std::getline(corpus, line);) {
    if (line.empty()) continue;
    const Json one = must(parse_json(line, "corpus.jsonl"));
    data.documents.push_back({one.at("_id").get<std::string>(), one.value("title", std::string()),
                              one.at("text").get<std::string>()});
  }
  std::unordered_map<std::string, std::string> text_of;
  std::istringstream queries(bytes_of(folder / "queries.jsonl"));
  for (std::string line; std::getline(queries, line);) {
    if (line.empty()) continue;
    const Json one = must(parse_json(line, "queries.jsonl"));
    text_of[one.at("_id").get<std::string>()] = one.at("text").get<std::string>();
  }
  if (std::filesystem::exists(folder / "qrels/train.tsv")) {
    data.train = read_judged(folder / "qrels/train.tsv", text_of);
  }
  data.test = read_judged(folder / "qrels/test.tsv", text_of);
  return data;
}

DataSet read_squad(const std::filesystem::path& folder) {
  return read_squad_file(folder / "dev-v1.1.json", "squad");
}

DataSet read_squad_2(const std::filesystem::path& folder) {
  return read_squad_file(folder / "dev-v2.0-half.json", "squad2");
}

void write_files(const DataSet& data, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  for (const SourceDocument& document : data.documents) {
    const bool titled = !document.title.empty();
    const std::string bytes = titled ? "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>" +
                                           escaped(document.title) + "</title></head>\n<body><h1>" +
                                           escaped(document.title) + "</h1>\n<p>" + escaped(document.text) +
                                           "</p></body></html>\n"
                                     : document.text + "\n";
    const std::filesystem::path file = folder / (document.id + (titled ? ".html" : ".txt"));
    std::error_code ignored;
    if (std::filesystem::file_size(file, ignored) == bytes.size() && bytes_of(file) == bytes) continue;
    std::ofstream out(file, std::ios::binary);
    out << bytes;
    if (!out.flush()) fail("cannot write " + file.string());
  }
}

std::string id_of_source(const std::string& source) { return std::filesystem::path(source).stem().string(); }

}  // namespace loam::bench
