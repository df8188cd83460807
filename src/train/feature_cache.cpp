#include "train/feature_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "train/durable_file.h"

namespace loam::train {

struct FeatureCache::State {
  std::size_t row_bytes = 0;
  std::vector<std::uint64_t> starts;  ///< in rows; one more than there are items
  std::vector<std::uint8_t> there;
  Buffer memory;
  int file = -1;
  std::filesystem::path folder;
  std::vector<char> packed;  ///< the rows of one item without gaps, on their way to or from the file

  ~State() {
    if (file >= 0) ::close(file);
  }
  std::uint64_t offset(std::size_t item) const { return starts[item] * row_bytes; }
  std::size_t length(std::size_t item) const {
    return static_cast<std::size_t>(starts[item + 1] - starts[item]);
  }
};

namespace {

std::size_t element_bytes(Precision precision) { return precision == Precision::f32 ? 4 : 2; }

/// 0, or the code of the failed call.
template <typename Call>
int whole(char* data, std::size_t bytes, std::uint64_t offset, Call&& call) {
  while (bytes > 0) {
    const ssize_t done = call(data, bytes, static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return done == 0 ? EIO : errno;
    data += done;
    offset += static_cast<std::uint64_t>(done);
    bytes -= static_cast<std::size_t>(done);
  }
  return 0;
}

}  // namespace

FeatureCache::FeatureCache(std::unique_ptr<State> state) : state_(std::move(state)) {}
FeatureCache::~FeatureCache() = default;

std::uint64_t FeatureCache::bytes(Precision precision, std::size_t width,
                                  std::span<const std::size_t> lengths) {
  std::uint64_t rows = 0;
  for (const std::size_t length : lengths) rows += length;
  return rows * width * element_bytes(precision);
}

std::unique_ptr<FeatureCache> FeatureCache::in_memory(Precision precision, std::size_t width,
                                                      std::span<const std::size_t> lengths) {
  auto state = std::make_unique<State>();
  state->row_bytes = width * element_bytes(precision);
  state->starts.assign(1, 0);
  for (const std::size_t length : lengths) state->starts.push_back(state->starts.back() + length);
  state->there.assign(lengths.size(), 0);
  state->memory.reserve(static_cast<std::size_t>(bytes(precision, width, lengths)));
  return std::unique_ptr<FeatureCache>(new FeatureCache(std::move(state)));
}

Result<std::unique_ptr<FeatureCache>> FeatureCache::on_disk(const std::filesystem::path& folder,
                                                            Precision precision, std::size_t width,
                                                            std::span<const std::size_t> lengths) {
  auto state = std::make_unique<State>();
  state->row_bytes = width * element_bytes(precision);
  state->starts.assign(1, 0);
  for (const std::size_t length : lengths) state->starts.push_back(state->starts.back() + length);
  state->there.assign(lengths.size(), 0);
  state->folder = folder;
  std::string name = (folder / "loam-features-XXXXXX").string();
  state->file = ::mkostemp(name.data(), O_CLOEXEC);
  if (state->file < 0) return file_error(folder, errno);
  ::unlink(name.c_str());
  const std::uint64_t size = bytes(precision, width, lengths);
  if (const int code = size == 0 ? 0 : ::posix_fallocate(state->file, 0, static_cast<off_t>(size))) {
    Error error = file_error(folder, code);
    error.message += " (the features of the data take " + std::to_string(size / 1000000 + 1) + " MB)";
    error.next_step = "make room on the disk, or compute them again each time: --features off";
    return error;
  }
  return std::unique_ptr<FeatureCache>(new FeatureCache(std::move(state)));
}

bool FeatureCache::has(std::size_t item) const { return state_->there[item] != 0; }

Result<void> FeatureCache::put(std::size_t item, const Operand& states, std::size_t first_row) {
  State& own = *state_;
  const std::size_t count = own.length(item);
  const bool on_file = own.file >= 0;
  if (on_file) own.packed.resize(count * own.row_bytes);
  char* packed = on_file ? own.packed.data() : static_cast<char*>(own.memory.get()) + own.offset(item);
  const Factor view = states.view();
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(packed + i * own.row_bytes, view.at(first_row + i), own.row_bytes);
  }
  if (on_file) {
    const int code =
        whole(packed, count * own.row_bytes, own.offset(item),
              [&](char* data, std::size_t size, off_t at) { return ::pwrite(own.file, data, size, at); });
    if (code != 0) return file_error(own.folder, code);
  }
  own.there[item] = 1;
  return done();
}

Result<void> FeatureCache::get(std::size_t item, Operand& states, std::size_t first_row) {
  State& own = *state_;
  const std::size_t count = own.length(item);
  const bool on_file = own.file >= 0;
  if (on_file) own.packed.resize(count * own.row_bytes);
  char* packed = on_file ? own.packed.data() : static_cast<char*>(own.memory.get()) + own.offset(item);
  if (on_file) {
    const int code =
        whole(packed, count * own.row_bytes, own.offset(item),
              [&](char* data, std::size_t size, off_t at) { return ::pread(own.file, data, size, at); });
    if (code != 0) return file_error(own.folder, code);
  }
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(states.at(first_row + i), packed + i * own.row_bytes, own.row_bytes);
  }
  return done();
}

}  // namespace loam::train
