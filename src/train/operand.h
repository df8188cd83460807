// Matrices in the precision in which they are multiplied.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

#include "train/number.h"

namespace loam::train {

/// A view of a row-major matrix. `stride` counts elements between rows; it is even, and so is `columns`
/// unless the matrix is the left factor of nothing.
struct Factor {
  const void* data = nullptr;
  Precision precision = Precision::f32;
  std::size_t rows = 0, columns = 0, stride = 0;

  std::size_t element_bytes() const { return precision == Precision::f32 ? 4 : 2; }
  const void* at(std::size_t row, std::size_t column = 0) const {
    return static_cast<const char*>(data) + (row * stride + column) * element_bytes();
  }
  Factor part(std::size_t row, std::size_t row_count, std::size_t column, std::size_t column_count) const {
    return {at(row, column), precision, row_count, column_count, stride};
  }
};

/// Memory that is not touched until it is used, and grows only.
class Buffer {
 public:
  /// At least so many bytes; what was in it is lost when it has to grow. Throws std::bad_alloc.
  void* reserve(std::size_t bytes) {
    if (bytes > bytes_) {
      memory_.reset();
      bytes_ = 0;
      const std::size_t rounded = (bytes + 63) / 64 * 64;
      memory_.reset(std::aligned_alloc(64, rounded));
      if (!memory_) throw std::bad_alloc();
      bytes_ = rounded;
    }
    return memory_.get();
  }
  float* floats(std::size_t count) { return static_cast<float*>(reserve(count * sizeof(float))); }
  void* get() const { return memory_.get(); }
  std::size_t bytes() const { return bytes_; }
  void release() {
    memory_.reset();
    bytes_ = 0;
  }

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::unique_ptr<void, Free> memory_;
  std::size_t bytes_ = 0;
};

/// A matrix that owns its memory, not initialised. Rows are spaced so that they do not all fall on the same
/// lines of the first-level cache.
class Operand {
 public:
  void shape(Precision precision, std::size_t rows, std::size_t columns) {
    precision_ = precision;
    rows_ = rows;
    columns_ = columns;
    const std::size_t bytes = precision == Precision::f32 ? 4 : 2;
    stride_ = (columns + 1) / 2 * 2;
    if (stride_ * bytes % 4096 == 0) stride_ += 64 / bytes;
    memory_.reserve(rows * stride_ * bytes);
  }
  Factor view() const { return {memory_.get(), precision_, rows_, columns_, stride_}; }
  Factor columns(std::size_t first, std::size_t count) const { return view().part(0, rows_, first, count); }
  template <typename T>
  T* row(std::size_t index) {
    return static_cast<T*>(memory_.get()) + index * stride_;
  }
  template <typename T>
  const T* row(std::size_t index) const {
    return static_cast<const T*>(memory_.get()) + index * stride_;
  }
  /// A row of either precision, for copies.
  void* at(std::size_t row) {
    return static_cast<char*>(memory_.get()) + row * stride_ * (precision_ == Precision::f32 ? 4 : 2);
  }
  Precision precision() const { return precision_; }
  std::size_t rows() const { return rows_; }
  std::size_t columns() const { return columns_; }
  std::size_t stride() const { return stride_; }
  std::size_t bytes() const { return memory_.bytes(); }
  void release() { memory_.release(); }

 private:
  Buffer memory_;
  Precision precision_ = Precision::f32;
  std::size_t rows_ = 0, columns_ = 0, stride_ = 0;
};

}  // namespace loam::train
