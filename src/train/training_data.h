// What a model is to learn from: conversations out of a data file, with everything a person should know of
// it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "eval/cases.h"

namespace loam::train {

struct Conversation {
  std::vector<engine::Message>
      messages;          ///< every answer of the assistant is learnt; the last message is one
  std::string cluster;   ///< what must not be split: the group, else the prompt's own words
  std::size_t line = 0;  ///< 1-based, in the file
};

struct TrainingData {
  eval::DataVersion version;
  std::vector<Conversation> items;
  std::vector<eval::DataNote> notes;  ///< items + left_out(notes) = rows
  std::size_t rows = 0;
};

struct TrainingDataOptions {
  std::string group_column = {};  ///< of CSV, or key of the objects; empty: "document" where it is there
};

/// JSON lines of {"prompt","response"} (also "instruction", "input", "output"; an optional "system"), of
/// OpenAI's
/// {"messages":[{"role","content"}]}, or CSV with those columns. Lines that cannot be read, are empty, hold
/// no answer, or are the same as an earlier one are counted in the notes with their numbers and left
/// out; the same prompt with another answer is told and kept. bad_data when not a single item is left;
/// bad_request when a CSV has no such columns.
Result<TrainingData> read_training_data(const std::filesystem::path& file,
                                        const TrainingDataOptions& options = {});
Result<TrainingData> parse_training_data(std::string_view bytes, const std::string& name,
                                         const TrainingDataOptions& options = {});

/// Item numbers, ascending, of two parts that share no cluster. `held_out` gets about `share` of the items;
/// the same data, share and seed give the same parts on every machine. bad_request when a part would be
/// empty.
struct TrainingSplit {
  std::vector<std::size_t> train, held_out;
};
Result<TrainingSplit> split_training_data(const TrainingData& data, double share, std::uint64_t seed);
/// The same for any items, by the cluster of each; `file` names the data in the refusal.
Result<TrainingSplit> split_clusters(std::span<const std::string> cluster_of, double share,
                                     std::uint64_t seed, const std::string& file);

}  // namespace loam::train
