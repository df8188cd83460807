// A collection cut in other ways, each in a store of its own beside it: what a search tries costs the
// collection nothing.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/progress.h"
#include "base/result.h"
#include "engine/engine.h"
#include "reader/reader.h"
#include "retrieve/retrieve.h"
#include "store/store.h"
#include "tasks/remembering_embedder.h"

namespace loam::tasks {

/// How documents are cut, as far as a person can set it.
struct Cut {
  int passage_tokens = 160;
  int overlap_sentences = 0;
  auto operator<=>(const Cut&) const = default;
};

/// Where to search: a collection as it is, or cut in another way.
struct Shelf {
  store::Store* store = nullptr;
  CollectionId collection{};
  retrieve::Retriever* retriever = nullptr;
};

/// Not thread-safe. Borrows everything it is given.
class Recuts {
 public:
  struct Parts {
    store::Store& store;
    store::Collection collection;
    engine::Embedder& embedder;
    reader::Reader* reader = nullptr;  ///< for documents that come from files
    std::filesystem::path folder;      ///< for the stores of other cuts; made when needed
  };
  explicit Recuts(Parts parts);
  ~Recuts();

  /// How the collection's documents were cut, found by their recipe. Empty: in several ways, or by another
  /// version; then no other cut can be compared with it.
  Result<std::optional<Cut>> present();

  /// Why the documents cannot be cut again from what they were made of (a file that is gone or changed);
  /// empty: they can.
  Result<std::string> obstacle();

  /// The collection cut so; made at first use, taken up where it was interrupted. bad_data when a file has
  /// changed since it was ingested.
  Result<Shelf> at(const Cut& cut, const ProgressSink& progress = {}, std::stop_token stop = {});

  /// Cuts the collection itself so, a document at a time: interrupted, the same call goes on from there.
  Result<void> recut_collection(const Cut& cut, const ProgressSink& progress = {}, std::stop_token stop = {});

  /// Removes the stores of other cuts.
  void clear();

  RememberingEmbedder& embedder() { return embedder_; }

 private:
  struct Other;
  Result<void> fill(store::Store& to, CollectionId collection, const Cut& cut, const ProgressSink& progress,
                    std::stop_token stop);
  Result<void> warm();

  Parts parts_;
  RememberingEmbedder embedder_;
  std::optional<std::optional<Cut>> present_;
  std::map<Cut, std::unique_ptr<Other>> others_;
  std::unique_ptr<retrieve::Retriever> own_;  ///< over the collection itself
  bool warm_ = false;
};

}  // namespace loam::tasks
