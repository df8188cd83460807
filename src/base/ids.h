// Strong ids: a PassageId can never be passed where a DocumentId is meant.
#pragma once

#include <cstdint>

namespace loam {

enum class CollectionId : std::uint64_t {};
enum class DocumentId : std::uint64_t {};
enum class PassageId : std::uint64_t {};
enum class RunId : std::uint64_t {};

/// The plain number of an id, for storage and printing.
template <typename Id>
constexpr std::uint64_t number_of(Id id) {
  return static_cast<std::uint64_t>(id);
}

}  // namespace loam
