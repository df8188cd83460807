// Writes the frozen sample of the present store format: make_store_sample FILE.
// Run once per format version; a sample that has been committed is never written again.
#include <cstdio>

#include "store/testing/sample.h"

int main(int argument_count, char** arguments) {
  using namespace loam::store;
  if (argument_count != 2) return 2;
  auto store = Store::open(arguments[1]);
  if (!store) {
    std::fprintf(stderr, "%s\n", store.error().line().c_str());
    return 2;
  }
  const auto collection =
      (*store)->ensure_collection("handbook", "fake", "fingerprint", testing::kDimensions);
  if (!collection) return 2;
  const auto leave = testing::sample("leave.md", {"Parents get twelve weeks.", "Ask your manager first."});
  const auto parking = testing::sample("parking.md", {"Clause A-17: parking costs ten euros."});
  const std::vector<RunItem> items = {{"q1", "leave.md", "{\"f1\":1.0}", "twelve weeks"},
                                      {"q2", "parking.md", "{\"f1\":0.5}", "ten euros"}};
  const bool written =
      testing::put(**store, collection->id, leave).ok() &&
      testing::put(**store, collection->id, parking).ok() &&
      (*store)->add_run({loam::RunId{}, 1700000000, "ask", "{}", "{\"answered\":true}"}).ok() &&
      (*store)
          ->add_run({loam::RunId{}, 1700000001, "qa", "{\"name\":\"extractive\"}", "{\"metrics\":{}}"}, items)
          .ok();
  return written ? 0 : 2;
}
