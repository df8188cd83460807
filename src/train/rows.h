// Some rows of a matrix: what the last layer computes for the tokens that are learnt and for no others.
#pragma once

#include <cstdint>
#include <span>

#include "base/team.h"
#include "train/operand.h"

namespace loam::train {

/// to (rows.size(), width) = those rows of from, which lie `stride` apart.
void gather_rows(Team& team, const float* from, std::size_t stride, std::size_t width,
                 std::span<const std::uint32_t> rows, float* to);
void gather_rows(Team& team, const Factor& from, std::span<const std::uint32_t> rows, Operand& to);
/// The way back: row i of `from` goes to row rows[i] of `to`. Other rows are left alone.
void scatter_rows(Team& team, const float* from, std::size_t width, std::span<const std::uint32_t> rows,
                  float* to, std::size_t stride);
/// The same, rounded into an Operand that has its shape already; all other rows become zero.
void scatter_rows_among_zeros(Team& team, const float* from, std::span<const std::uint32_t> rows,
                              Operand& to);
/// Adds row i of `from` to row rows[i] of `to`.
void add_rows(Team& team, const float* from, std::size_t width, std::span<const std::uint32_t> rows,
              float* to);

}  // namespace loam::train
