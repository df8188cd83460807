#include "support/collection.h"

#include "base/clock.h"
#include "index/ingest.h"
#include "reader/reader.h"

namespace loam::bench {

Ingested ingest_data_set(const Settings& settings, const DataSet& data, engine::Embedder& embedder) {
  const std::filesystem::path folder = settings.work / data.name;
  write_files(data, folder / "files");
  Ingested out;
  out.store = must(store::Store::open(folder / "store.db"));
  const store::Collection collection = must(out.store->ensure_collection(
      data.name, embedder.model_name(), embedder.fingerprint(), embedder.dimensions()));
  out.collection = collection.id;
  auto reader = must(reader::Reader::open({}));
  const Stopwatch watch;
  std::size_t done_files = 0;
  index::IngestOptions options;
  options.cut.max_tokens = embedder.max_tokens();
  const auto summary =
      must(index::ingest(*out.store, out.collection, *reader, embedder, {folder / "files"}, options,
                         [&](const index::FileVerdict& verdict) {
                           if (verdict.verdict == index::Verdict::failed) {
                             std::fprintf(stderr, "%s: %s\n", verdict.file.c_str(), verdict.reason.c_str());
                           }
                           if (++done_files % 500 == 0) {
                             std::fprintf(stderr, "%s: %zu of %zu files, %.0f s\n", data.name.c_str(),
                                          done_files, data.documents.size(), watch.milliseconds() / 1000);
                           }
                         }));
  out.ingest_ms = watch.milliseconds();
  out.counts = must(out.store->counts(out.collection));
  if (summary.failed > 0 || out.counts.documents != data.documents.size()) {
    fail(data.name + ": " + std::to_string(out.counts.documents) + " of " +
         std::to_string(data.documents.size()) +
         " documents are in the store; a figure over fewer would flatter");
  }
  return out;
}

}  // namespace loam::bench
