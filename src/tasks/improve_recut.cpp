#include "tasks/improve_recut.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <system_error>

#include "base/clock.h"
#include "base/hash.h"
#include "index/ingest.h"
#include "passage/cutter.h"
#include "tasks/eval_retrieval.h"

namespace loam::tasks {
namespace {

constexpr std::size_t kBatch = 32;      // passages embedded in one call, as ingest does
constexpr std::size_t kPassages = 500;  // rows read at a time
constexpr int kMostOverlap = 4;         // sentences, when the present cut is looked for
constexpr int kLeastTokens = 16;

Error stopped() {
  return {Kind::unavailable, "cutting the documents anew", "stopped", "run it again; it goes on from there"};
}

passage::CutOptions options_of(const Cut& cut, const engine::Embedder& embedder) {
  passage::CutOptions options;
  options.max_tokens = embedder.max_tokens();
  options.target_tokens = std::min(cut.passage_tokens, options.max_tokens);
  options.overlap_sentences = cut.overlap_sentences;
  return options;
}

bool is_corpus(const store::DocumentRow& row) { return row.path.empty(); }

std::string recipe_of(const store::DocumentRow& row, const Cut& cut, const engine::Embedder& embedder) {
  return is_corpus(row) ? corpus_recipe(cut.passage_tokens, cut.overlap_sentences, embedder)
                        : index::recipe_of(options_of(cut, embedder), embedder);
}

}  // namespace

/// A store beside the collection, with its retriever.
struct Recuts::Other {
  std::unique_ptr<store::Store> store;
  CollectionId collection{};
  std::unique_ptr<retrieve::Retriever> retriever;
};

Recuts::Recuts(Parts parts) : parts_(std::move(parts)), embedder_(parts_.embedder) {}
Recuts::~Recuts() = default;

Result<std::optional<Cut>> Recuts::present() {
  if (present_) return *present_;
  std::set<std::pair<bool, std::string>> recipes;
  store::DocumentRow file, line;
  auto visited = parts_.store.for_each_document(parts_.collection.id, [&](const store::DocumentRow& row) {
    recipes.emplace(is_corpus(row), row.recipe);
    (is_corpus(row) ? line : file) = row;
  });
  if (!visited) return visited.error();
  present_ = std::optional<Cut>();
  if (recipes.size() != 1) return *present_;
  const store::DocumentRow& row = recipes.begin()->first ? line : file;
  for (int overlap = 0; overlap <= kMostOverlap; ++overlap) {
    // From the longest down: beyond what the embedder reads all sizes are the same.
    for (int tokens = parts_.embedder.max_tokens(); tokens >= kLeastTokens; --tokens) {
      const Cut cut{tokens, overlap};
      if (recipe_of(row, cut, parts_.embedder) == row.recipe) {
        present_ = cut;
        return *present_;
      }
    }
  }
  return *present_;
}

Result<std::string> Recuts::obstacle() {
  auto cut = present();
  if (!cut) return cut.error();
  if (!*cut) return std::string("its documents were not all cut in one way that this version knows");
  std::string found;
  bool files = false;
  auto visited = parts_.store.for_each_document(parts_.collection.id, [&](const store::DocumentRow& row) {
    if (!found.empty() || is_corpus(row)) return;
    files = true;
    struct stat status {};
    if (::stat(row.path.c_str(), &status) != 0) {
      found = "the file of " + row.source + " is gone";
      return;
    }
    const std::int64_t mtime_ns =
        static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec;
    if (row.file_size == status.st_size && row.file_mtime_ns == mtime_ns) return;
    const auto hash = sha256_hex_of_file(row.path);
    if (!hash || *hash != row.content_hash)
      found = "the file of " + row.source + " has changed since it was ingested";
  });
  if (!visited) return visited.error();
  if (found.empty() && files && parts_.reader == nullptr) found = "there is nothing to read files with";
  return found;
}

Result<void> Recuts::warm() {
  if (warm_) return done();
  warm_ = true;
  const auto width = static_cast<std::size_t>(parts_.embedder.dimensions());
  std::vector<PassageId> ids;
  std::vector<float> vectors;
  auto visited =
      parts_.store.for_each_vector(parts_.collection.id, [&](PassageId id, std::span<const float> vector) {
        if (ids.size() >= RememberingEmbedder::kMostKept || vector.size() != width) return;
        ids.push_back(id);
        vectors.insert(vectors.end(), vector.begin(), vector.end());
      });
  if (!visited) return visited;
  for (std::size_t first = 0; first < ids.size(); first += kPassages) {
    const std::size_t count = std::min(kPassages, ids.size() - first);
    auto rows = parts_.store.passages(std::span(ids).subspan(first, count));
    if (!rows) return rows.error();
    std::size_t at = first;
    for (const store::Store::PassageRow& row : *rows) {
      while (at < first + count && ids[at] != row.passage.id) ++at;  // one that is gone is left out
      if (at >= first + count) break;
      embedder_.remember(row.passage.indexed_text(), std::span(vectors).subspan(at * width, width));
    }
  }
  return done();
}

Result<Shelf> Recuts::at(const Cut& cut, const ProgressSink& progress, std::stop_token stop) {
  auto now = present();
  if (!now) return now.error();
  if (!*now || **now == cut) {
    if (own_ == nullptr) {
      auto opened = retrieve::Retriever::open(parts_.store, parts_.collection.id, embedder_);
      if (!opened) return opened.error();
      own_ = std::move(*opened);
    }
    return Shelf{&parts_.store, parts_.collection.id, own_.get()};
  }
  std::unique_ptr<Other>& other = others_[cut];
  if (other == nullptr) {
    if (auto ready = warm(); !ready) return ready.error();
    std::error_code failure;
    std::filesystem::create_directories(parts_.folder, failure);
    if (failure) {
      return Error{Kind::unavailable, parts_.folder.string(),
                   "the folder cannot be made: " + failure.message(), "check who may write there"};
    }
    auto made = std::make_unique<Other>();
    auto store = store::Store::open(parts_.folder / ("cut-" + std::to_string(cut.passage_tokens) + "-" +
                                                     std::to_string(cut.overlap_sentences) + ".db"));
    if (!store) return store.error();
    made->store = std::move(*store);
    auto collection = made->store->ensure_collection(parts_.collection.name, embedder_.model_name(),
                                                     embedder_.fingerprint(), embedder_.dimensions());
    if (!collection) return collection.error();
    made->collection = collection->id;
    if (auto filled = fill(*made->store, made->collection, cut, progress, stop); !filled)
      return filled.error();
    auto retriever = retrieve::Retriever::open(*made->store, made->collection, embedder_);
    if (!retriever) return retriever.error();
    made->retriever = std::move(*retriever);
    other = std::move(made);
  }
  return Shelf{other->store.get(), other->collection, other->retriever.get()};
}

Result<void> Recuts::recut_collection(const Cut& cut, const ProgressSink& progress, std::stop_token stop) {
  if (auto ready = warm(); !ready) return ready;
  auto filled = fill(parts_.store, parts_.collection.id, cut, progress, std::move(stop));
  present_.reset();
  return filled;
}

Result<void> Recuts::fill(store::Store& to, CollectionId collection, const Cut& cut,
                          const ProgressSink& progress, std::stop_token stop) {
  auto rows = parts_.store.documents(parts_.collection.id);
  if (!rows) return rows.error();
  const passage::CutOptions options = options_of(cut, parts_.embedder);
  std::set<std::string> sources;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    store::DocumentRow row = (*rows)[i];
    const std::string recipe = recipe_of(row, cut, parts_.embedder);
    sources.insert(row.source);
    if (stop.stop_requested()) return stopped();
    if (progress) progress({"cutting the documents anew", i, rows->size()});
    auto known = to.find_document(collection, row.source);
    if (!known) return known.error();
    if (*known && (*known)->content_hash == row.content_hash && (*known)->recipe == recipe) continue;
    Document document;
    if (is_corpus(row)) {
      auto text = parts_.store.document_text(row.id);
      if (!text) return text.error();
      document = corpus_document(row, std::move(*text));
    } else {
      const auto hash = sha256_hex_of_file(row.path);
      if (!hash) return hash.error();
      if (*hash != row.content_hash) {
        return Error{Kind::bad_data, row.path, "it has changed since it was ingested",
                     "loam ingest " + row.root + ", then search again"};
      }
      auto read = parts_.reader->read(row.path, row.source);
      if (!read) return read.error();
      document = std::move(*read);
    }
    auto passages = passage::cut(
        document, [&](std::string_view text) { return embedder_.count_tokens(text); }, options);
    if (!passages) return passages.error();
    std::vector<float> vectors;
    for (std::size_t first = 0; first < passages->size(); first += kBatch) {
      if (stop.stop_requested()) return stopped();
      std::vector<std::string> texts;
      for (std::size_t p = first; p < std::min(passages->size(), first + kBatch); ++p)
        texts.push_back((*passages)[p].indexed_text());
      auto some = embedder_.embed(texts);
      if (!some) return some.error();
      vectors.insert(vectors.end(), some->begin(), some->end());
    }
    row.recipe = recipe;
    row.ingested_at = system_clock().unix_seconds();
    if (auto put = to.put_document(collection, row, document, *passages, vectors); !put) return put.error();
  }
  if (&to == &parts_.store) return done();
  // What the collection lost since an interrupted search must not be found here either.
  std::vector<DocumentId> gone;
  auto visited = to.for_each_document(collection, [&](const store::DocumentRow& row) {
    if (!sources.contains(row.source)) gone.push_back(row.id);
  });
  if (!visited) return visited;
  for (const DocumentId id : gone) {
    if (auto removed = to.remove_document(id); !removed) return removed;
  }
  return done();
}

void Recuts::clear() {
  others_.clear();
  std::error_code ignored;
  std::filesystem::remove_all(parts_.folder, ignored);
}

}  // namespace loam::tasks
