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
  if (!written) return 2;
  const auto runs = (*store)->runs("qa", 1);
  if (!runs || runs->empty()) return 2;
  const std::string scope = scope_of(collection->id);
  const bool adopted =
      (*store)->adopt(scope, "{\"ask.passages\":\"6\"}", runs->front().id, 1700000002).ok() &&
      (*store)
          ->adopt(scope, "{\"ask.passages\":\"6\",\"search.legs\":\"dense\"}", runs->front().id, 1700000003)
          .ok() &&
      (*store)->take_back(scope, 1700000004).ok();
  return adopted ? 0 : 2;
}
