// Reads the evaluation data: BEIR's layout and SQuAD's JSON. The data is never part of the repository.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "eval/metrics.h"

namespace loam::bench {

struct SourceDocument {
  std::string id;     ///< becomes Document::source without its folder and ending
  std::string title;  ///< may be empty
  std::string text;
};

struct Question {
  std::string id;
  std::string text;
  eval::Judgements relevant;          ///< document ids
  std::vector<std::string> accepted;  ///< answers, for question answering; empty: unanswerable
  std::size_t group = 0;              ///< questions of one article share it
};

struct DataSet {
  std::string name;
  std::vector<SourceDocument> documents;
  std::vector<Question> train;  ///< to choose settings on
  std::vector<Question> test;   ///< to report
};

/// corpus.jsonl, queries.jsonl, qrels/train.tsv, qrels/test.tsv (Thakur et al., BEIR, NeurIPS 2021).
DataSet read_beir(const std::filesystem::path& folder, const std::string& name);

/// dev-v1.1.json: each paragraph is a document without title, each question asks for its paragraph. Articles
/// of even number (0, 2, ...) are `train`, of odd number `test`.
DataSet read_squad(const std::filesystem::path& folder);

/// dev-v2.0-half.json: questions with `accepted` empty have no answer in their paragraph.
DataSet read_squad_2(const std::filesystem::path& folder);

/// Writes each document as a file a person could have: HTML with a heading where there is a title, plain text
/// elsewhere. Existing files with the same bytes are left alone.
void write_files(const DataSet& data, const std::filesystem::path& folder);

/// The document id of a source name: without folder and ending.
std::string id_of_source(const std::string& source);

}  // namespace loam::bench
