// Format: docs/formats/training-checkpoint.md.
#include "train/checkpoint.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "train/durable_file.h"

namespace loam::train {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::size_t kSlots = 3;
constexpr std::size_t kLargestRun = 1U << 20U;
constexpr std::array<char, 8> kMagic = {'L', 'O', 'A', 'M', 'T', 'R', 'N', '1'};

struct Head {
  std::array<char, 8> magic = kMagic;
  std::uint64_t run_bytes = 0;
  std::uint64_t numbers = 0;
  std::uint64_t sum = 0;  ///< of the run's text
};

struct SlotHead {
  std::uint64_t sum = 0;       ///< of all that follows in the slot
  std::uint64_t sequence = 0;  ///< 0: never written
  Progressed progress;
};

std::uint64_t round_up(std::uint64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

/// 64 bits over memory, four words at a time. Guards against torn writes, not against forgery.
class Sum {
 public:
  void add(const void* data, std::size_t bytes) {
    const auto* at = static_cast<const char*>(data);
    for (; bytes >= 32; at += 32, bytes -= 32) {
      std::array<std::uint64_t, 4> words;
      std::memcpy(words.data(), at, 32);
      for (std::size_t i = 0; i < 4; ++i) mix(lanes_[i], words[i]);
    }
    for (; bytes > 0; at += 1, --bytes) mix(lanes_[0], static_cast<unsigned char>(*at));
  }
  std::uint64_t value() const {
    std::uint64_t all = 0x9E3779B97F4A7C15ULL;
    for (const std::uint64_t lane : lanes_) mix(all, lane);
    return all;
  }

 private:
  static void mix(std::uint64_t& lane, std::uint64_t word) {
    lane = (lane ^ word) * 0xFF51AFD7ED558CCDULL;
    lane ^= lane >> 32U;
  }
  std::array<std::uint64_t, 4> lanes_ = {1, 2, 3, 4};
};

class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

int write_at(int file, const void* data, std::size_t bytes, std::uint64_t offset) {
  const auto* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::pwrite(file, at, bytes, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written == 0 ? ENOSPC : errno;
    at += written;
    offset += static_cast<std::uint64_t>(written);
    bytes -= static_cast<std::size_t>(written);
  }
  return 0;
}

bool read_at(int file, void* data, std::size_t bytes, std::uint64_t offset) {
  auto* at = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t got = ::pread(file, at, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    offset += static_cast<std::uint64_t>(got);
    bytes -= static_cast<std::size_t>(got);
  }
  return true;
}

Error in_use(const std::filesystem::path& path) {
  return {Kind::unavailable, path.string(), "another run is writing this checkpoint",
          "wait for it, or stop it"};
}

std::uint64_t slot_bytes(std::size_t numbers) {
  return round_up(sizeof(SlotHead)) + round_up(3 * sizeof(float) * numbers);
}

std::array<std::span<float>, 3> parts_of(const TrainingState& state) {
  return {state.values, state.first_moments, state.second_moments};
}

}  // namespace

struct Checkpoint::State {
  File file;
  std::filesystem::path path;        ///< where the file lies now
  std::filesystem::path final_path;  ///< where it goes with the first save
  std::string run;
  std::size_t numbers = 0;
  std::uint64_t sequence = 0;
  std::size_t newest = kSlots, synced = kSlots;  ///< kSlots: none yet

  State(int descriptor, std::filesystem::path at, std::filesystem::path finally, std::string text,
        std::size_t count)
      : file(descriptor),
        path(std::move(at)),
        final_path(std::move(finally)),
        run(std::move(text)),
        numbers(count) {}

  std::uint64_t slot_offset(std::size_t slot) const {
    return round_up(sizeof(Head) + run.size()) + slot * slot_bytes(numbers);
  }
  Error damaged(const std::string& why) const {
    return {Kind::bad_data, path.string(), why, "start again without --resume"};
  }
  std::uint64_t sum_of(const SlotHead& head, const TrainingState& state) const {
    Sum sum;
    sum.add(&head.sequence, sizeof(head.sequence));
    sum.add(&head.progress, sizeof(head.progress));
    for (const auto part : parts_of(state)) sum.add(part.data(), part.size_bytes());
    return sum.value();
  }
};

Checkpoint::Checkpoint(std::unique_ptr<State> state) : state_(std::move(state)) {}

Checkpoint::~Checkpoint() {
  // A file that was never saved to is no checkpoint.
  if (state_->path != state_->final_path) ::unlink(state_->path.c_str());
}

std::uint64_t Checkpoint::file_bytes(const std::string& run, std::size_t numbers) {
  return round_up(sizeof(Head) + run.size()) + kSlots * slot_bytes(numbers);
}

Result<std::unique_ptr<Checkpoint>> Checkpoint::create(const std::filesystem::path& path,
                                                       const std::string& run, std::size_t numbers) {
  const std::filesystem::path beside = path.string() + ".part";
  const int descriptor = ::open(beside.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) return file_error(beside, errno);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0 || ::ftruncate(descriptor, 0) != 0) {
    ::close(descriptor);
    return in_use(path);
  }
  auto state = std::make_unique<State>(descriptor, beside, path, run, numbers);
  const std::uint64_t bytes = file_bytes(run, numbers);
  int code = ::posix_fallocate(descriptor, 0, static_cast<off_t>(bytes));
  Head head;
  head.run_bytes = run.size();
  head.numbers = numbers;
  Sum sum;
  sum.add(run.data(), run.size());
  head.sum = sum.value();
  if (code == 0) code = write_at(descriptor, &head, sizeof(head), 0);
  if (code == 0) code = write_at(descriptor, run.data(), run.size(), sizeof(head));
  if (code != 0) {
    ::unlink(beside.c_str());
    Error error = file_error(path, code);
    error.message += " (a checkpoint takes " + std::to_string(bytes / 1000000 + 1) + " MB)";
    return error;
  }
  return std::unique_ptr<Checkpoint>(new Checkpoint(std::move(state)));
}

Result<std::unique_ptr<Checkpoint>> Checkpoint::open(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) {
    const int code = errno;
    if (code != ENOENT) return file_error(path, code);
    return Error{Kind::unavailable, path.string(), "there is no checkpoint", "start without --resume"};
  }
  auto state = std::make_unique<State>(descriptor, path, path, "", 0);  // closes the file
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) return in_use(path);
  struct stat info {};
  Head head;
  if (::fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode) ||
      !read_at(descriptor, &head, sizeof(head), 0) || head.magic != kMagic || head.run_bytes > kLargestRun) {
    return state->damaged("it is not a checkpoint of a training run");
  }
  state->run.resize(static_cast<std::size_t>(head.run_bytes));
  const bool there = read_at(descriptor, state->run.data(), state->run.size(), sizeof(head));
  Sum sum;
  sum.add(state->run.data(), state->run.size());
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (!there || sum.value() != head.sum || head.numbers > size ||
      file_bytes(state->run, head.numbers) > size) {
    return state->damaged("the checkpoint is damaged");
  }
  state->numbers = static_cast<std::size_t>(head.numbers);
  return std::unique_ptr<Checkpoint>(new Checkpoint(std::move(state)));
}

const std::string& Checkpoint::run() const { return state_->run; }
std::size_t Checkpoint::numbers() const { return state_->numbers; }

Result<Progressed> Checkpoint::load(const TrainingState& state) {
  State& own = *state_;
  if (state.values.size() != own.numbers)
    return own.damaged("the checkpoint is of an adapter of another size");
  const std::vector<float> values(state.values.begin(), state.values.end());
  std::array<SlotHead, kSlots> heads;
  std::array<bool, kSlots> usable{};
  bool any_written = false;
  for (std::size_t slot = 0; slot < kSlots; ++slot) {
    usable[slot] = read_at(own.file.get(), &heads[slot], sizeof(SlotHead), own.slot_offset(slot)) &&
                   heads[slot].sequence > 0;
    any_written = any_written || usable[slot];
  }
  for (;;) {  // the newest first; a torn slot gives way to the one before
    std::size_t best = kSlots;
    for (std::size_t slot = 0; slot < kSlots; ++slot) {
      if (usable[slot] && (best == kSlots || heads[slot].sequence > heads[best].sequence)) best = slot;
    }
    if (best == kSlots) break;
    std::uint64_t offset = own.slot_offset(best) + round_up(sizeof(SlotHead));
    bool whole = true;
    for (const auto part : parts_of(state)) {
      whole = whole && read_at(own.file.get(), part.data(), part.size_bytes(), offset);
      offset += part.size_bytes();
    }
    if (whole && own.sum_of(heads[best], state) == heads[best].sum) {
      own.newest = own.synced = best;  // never overwritten before another slot is on the disk
      own.sequence = heads[best].sequence;
      return heads[best].progress;
    }
    usable[best] = false;
  }
  if (any_written) return own.damaged("no slot of the checkpoint is whole");
  std::copy(values.begin(), values.end(), state.values.begin());
  return Progressed{};
}

Result<void> Checkpoint::save(const Progressed& progress, const TrainingState& state, Sync sync) {
  State& own = *state_;
  std::size_t slot = 0;
  while (slot == own.newest || slot == own.synced) ++slot;
  SlotHead head;
  head.sequence = own.sequence + 1;
  head.progress = progress;
  head.sum = own.sum_of(head, state);
  std::uint64_t offset = own.slot_offset(slot);
  int code = write_at(own.file.get(), &head, sizeof(head), offset);
  offset += round_up(sizeof(SlotHead));
  for (const auto part : parts_of(state)) {
    if (code == 0) code = write_at(own.file.get(), part.data(), part.size_bytes(), offset);
    offset += part.size_bytes();
  }
  if (code == 0 && sync == Sync::yes && ::fsync(own.file.get()) != 0) code = errno;
  if (code == 0 && own.path != own.final_path) {
    if (::rename(own.path.c_str(), own.final_path.c_str()) != 0) {
      code = errno;
    } else {
      own.path = own.final_path;
    }
  }
  if (code != 0) return file_error(own.final_path, code);
  own.sequence = head.sequence;
  own.newest = slot;
  if (sync == Sync::yes) own.synced = slot;
  return done();
}

}  // namespace loam::train
