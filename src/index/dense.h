// Exact nearest neighbours by scanning every vector. At 100,000 x 384 this takes about as long as reading the
// memory once, needs no index to build or keep in step, and misses nothing.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "store/store.h"

namespace loam::index {

/// Sum of products, the plain way. What the fast one is tested against.
float dot_plain(std::span<const float> a, std::span<const float> b);

/// The same sum in the widest form this processor has; differs from the plain one by rounding only.
/// REQUIRES: a.size() == b.size().
float dot(std::span<const float> a, std::span<const float> b);

/// The k rows of `vectors` ((ids.size(), query.size()), row-major) with the largest dot product, best first.
/// Equal scores go by the smaller id.
std::vector<store::Scored> nearest(std::span<const float> query, std::span<const float> vectors,
                                   std::span<const PassageId> ids, int k);

}  // namespace loam::index
