#include "train/rows.h"

#include <algorithm>
#include <cstring>

#include "train/narrow.h"

namespace loam::train {

void gather_rows(Team& team, const float* from, std::size_t stride, std::size_t width,
                 std::span<const std::uint32_t> rows, float* to) {
  run_ranges(team, rows.size(), 32, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      std::memcpy(to + i * width, from + rows[i] * stride, width * sizeof(float));
    }
  });
}

void gather_rows(Team& team, const Factor& from, std::span<const std::uint32_t> rows, Operand& to) {
  to.shape(from.precision, rows.size(), from.columns);
  with_type(from.precision, [&](auto type) {
    using T = decltype(type);
    run_ranges(team, rows.size(), 32, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        std::memcpy(to.row<T>(i), from.at(rows[i]), from.columns * sizeof(T));
      }
    });
  });
}

void scatter_rows(Team& team, const float* from, std::size_t width, std::span<const std::uint32_t> rows,
                  float* to, std::size_t stride) {
  run_ranges(team, rows.size(), 32, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      std::memcpy(to + rows[i] * stride, from + i * width, width * sizeof(float));
    }
  });
}

void scatter_rows_among_zeros(Team& team, const float* from, std::span<const std::uint32_t> rows,
                              Operand& to) {
  with_type(to.precision(), [&](auto type) {
    using T = decltype(type);
    run_ranges(team, to.rows(), 64, [&](std::size_t begin, std::size_t end) {
      for (std::size_t row = begin; row < end; ++row) std::fill_n(to.row<T>(row), to.columns(), T{});
    });
    run_ranges(team, rows.size(), 32, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        narrow_row(from + i * to.columns(), to.columns(), to.row<T>(rows[i]));
      }
    });
  });
}

void add_rows(Team& team, const float* from, std::size_t width, std::span<const std::uint32_t> rows,
              float* to) {
  run_ranges(team, rows.size(), 32, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      float* row = to + rows[i] * width;
      for (std::size_t c = 0; c < width; ++c) row[c] += from[i * width + c];
    }
  });
}

}  // namespace loam::train
