#include "eval/estimate_json.h"

#include "base/json.h"

namespace loam::eval {

Json estimate_json(const Estimate& estimate) {
  return {{"value", estimate.value}, {"low", estimate.low}, {"high", estimate.high}, {"n", estimate.n}};
}

}  // namespace loam::eval
