// What an encoder is to learn, as the loop over steps sees it: sequences to read, a few of their states, and
// a loss on those. One task for each kind of head.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/encoder_head.h"
#include "engine/wordpiece.h"
#include "eval/cases.h"

namespace loam::train {

/// What is read together: of a step, or of a measurement.
struct EncoderSequences {
  std::vector<std::vector<engine::Token>> tokens;
  std::vector<std::size_t> item;   ///< of the task, one for each sequence
  std::vector<std::uint8_t> part;  ///< which of its item's sequences it is: the task's own numbers

  void add(std::vector<engine::Token> sequence, std::size_t of_item, std::uint8_t which) {
    tokens.push_back(std::move(sequence));
    item.push_back(of_item);
    part.push_back(which);
  }
};

/// The states that a task looks at: all of a sequence's, or one for each sequence (engine::HeadPooling).
struct PooledStates {
  std::span<const float> rows;  ///< (row count, width), row-major
  std::size_t width = 0;
  std::vector<std::size_t> first;  ///< the first row of each sequence, and the row count at the end
};

/// The head's parameters: weight (rows, width), then bias (rows). Empty where the kind has none.
struct HeadView {
  std::span<const float> values;
  std::span<float> gradients;  ///< empty: none are wanted
};

/// Reads sequences with the adapter as it is, in no particular order: `each` gets a sequence's rows.
class EncoderReading {
 public:
  virtual ~EncoderReading() = default;
  virtual void read(const EncoderSequences& sequences, engine::HeadPooling pooling,
                    const std::function<void(std::size_t sequence, std::span<const float> rows)>& each) = 0;
  virtual std::size_t width() const = 0;
  virtual std::span<const float> head() const = 0;
};

/// Something measured on what was held out.
struct EncoderFigure {
  std::string name;  ///< "F1", "MRR", "accuracy"
  double value = 0;
  std::size_t items = 0;
};

struct EncoderTaskOptions {
  double hold_out = 0.05;
  std::uint64_t seed = 0;
  int sequence_tokens = 512;
  std::string group_column = {};
  double negatives = -1;      ///< wrong passages for each right one; below 0: as the kind is used to
  double temperature = 0.05;  ///< of similarities, where vectors are compared
  std::string text_column = "text";
  std::string label_column = "label";
};

class EncoderTask {
 public:
  virtual ~EncoderTask() = default;

  virtual engine::HeadKind kind() const = 0;
  virtual engine::HeadPooling pooling() const = 0;
  virtual engine::HeadInput input() const = 0;
  virtual std::size_t head_rows() const = 0;

  /// What the data is, for the plan and the run's identity.
  const eval::DataVersion& version() const { return version_; }
  const std::vector<eval::DataNote>& notes() const { return notes_; }
  std::size_t rows() const { return rows_; }
  std::size_t held_out_items() const { return held_out_items_; }

  /// Called once, before anything is trained: what has to be looked for with the base itself.
  virtual Result<void> prepare(EncoderReading& base) {
    (void)base;
    return done();
  }
  /// To learn from, after prepare().
  virtual std::size_t items() const = 0;
  virtual std::size_t line_of(std::size_t item) const = 0;
  /// Does an item's loss depend on its own sequences only? Else on all of its step.
  virtual bool items_stand_alone() const = 0;
  /// The same for the same item and epoch.
  virtual void add_sequences(std::size_t item, std::uint64_t epoch, EncoderSequences& to) const = 0;
  /// Sum of the items' losses; `weight` times its gradient is written to `drows`, shaped as the states' rows
  /// and zero before, and added to the head's. Pointers may be null: no gradient.
  virtual double loss(const EncoderSequences& sequences, const PooledStates& states, HeadView head,
                      float weight, float* drows) const = 0;
  /// On what was held out; empty when nothing was. `trained` is false before the first step.
  virtual std::vector<EncoderFigure> measure(EncoderReading& reading, bool trained) = 0;
  /// What the head's file says beyond weights: the last thing that is asked.
  virtual void finish(engine::EncoderHead& head) const { (void)head; }

 protected:
  eval::DataVersion version_;
  std::vector<eval::DataNote> notes_;
  std::size_t rows_ = 0;
  std::size_t held_out_items_ = 0;
};

/// Reads the data of a kind. bad_data where nothing can be learnt from it.
Result<std::unique_ptr<EncoderTask>> make_reader_task(const std::filesystem::path& data,
                                                      const engine::WordPiece& words,
                                                      const EncoderTaskOptions& options);
Result<std::unique_ptr<EncoderTask>> make_reranker_task(const std::filesystem::path& data,
                                                        const engine::WordPiece& words,
                                                        const EncoderTaskOptions& options);
Result<std::unique_ptr<EncoderTask>> make_embedder_task(const std::filesystem::path& data,
                                                        const engine::WordPiece& words,
                                                        const EncoderTaskOptions& options);
Result<std::unique_ptr<EncoderTask>> make_classifier_task(const std::filesystem::path& data,
                                                          const engine::WordPiece& words,
                                                          const EncoderTaskOptions& options);

/// "[CLS] first [SEP] second [SEP]", token type 0 everywhere.
std::vector<engine::Token> joined_pair(const engine::WordPiece& words, std::span<const engine::Token> first,
                                       std::span<const engine::Token> second);

}  // namespace loam::train
