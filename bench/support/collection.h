// A data set as a collection of a kept store, made through the path that users take: files, reader, cutter,
// embedder, store.
#pragma once

#include <memory>
#include <string>

#include "engine/engine.h"
#include "store/store.h"
#include "support/data.h"
#include "support/report.h"

namespace loam::bench {

struct Ingested {
  std::unique_ptr<store::Store> store;
  CollectionId collection{};
  store::CollectionCounts counts;
  double ingest_ms = 0;
};

/// Keeps <work>/<data.name>/: the files and store.db. A second run finds everything unchanged.
Ingested ingest_data_set(const Settings& settings, const DataSet& data, engine::Embedder& embedder);

}  // namespace loam::bench
