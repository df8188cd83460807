#include "fault_vfs.h"

#include <cstring>
#include <fstream>
#include <new>
#include <random>

namespace loam::fault {

namespace {

sqlite3_vfs* real_vfs = nullptr;

/// SQLite allocates this much, and the real file behind it.
struct FaultFile {
  sqlite3_file base;
  sqlite3_file* real;
  std::string* path;
};

FaultFile* mine(sqlite3_file* file) { return reinterpret_cast<FaultFile*>(file); }
sqlite3_file* real_of(sqlite3_file* file) { return mine(file)->real; }
const sqlite3_io_methods* methods_of(sqlite3_file* file) { return real_of(file)->pMethods; }

int close_file(sqlite3_file* file) {
  const int code = real_of(file)->pMethods != nullptr ? methods_of(file)->xClose(real_of(file)) : SQLITE_OK;
  delete mine(file)->path;
  mine(file)->path = nullptr;
  return code;
}
int read_file(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
  return methods_of(file)->xRead(real_of(file), to, size, at);
}
int write_file(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
  FaultDisk& disk = FaultDisk::instance();
  Failure how{};
  if (const int code = disk.next_operation(SQLITE_IOERR_WRITE, &how); code != SQLITE_OK) {
    if (how == Failure::short_write && size > 1) {
      methods_of(file)->xWrite(real_of(file), from, size / 2, at);
      disk.note_write(*mine(file)->path, at, from, size / 2);
    }
    return code;
  }
  const int code = methods_of(file)->xWrite(real_of(file), from, size, at);
  if (code == SQLITE_OK) disk.note_write(*mine(file)->path, at, from, size);
  return code;
}
int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  FaultDisk& disk = FaultDisk::instance();
  if (const int code = disk.next_operation(SQLITE_IOERR_TRUNCATE, nullptr); code != SQLITE_OK) return code;
  disk.note_truncate(*mine(file)->path, size);
  return methods_of(file)->xTruncate(real_of(file), size);
}
int sync_file(sqlite3_file* file, int) {
  FaultDisk& disk = FaultDisk::instance();
  if (const int code = disk.next_operation(SQLITE_IOERR_FSYNC, nullptr); code != SQLITE_OK) return code;
  disk.note_flush(*mine(file)->path);
  return SQLITE_OK;
}
int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return methods_of(file)->xFileSize(real_of(file), size);
}
int lock_file(sqlite3_file* file, int level) { return methods_of(file)->xLock(real_of(file), level); }
int unlock_file(sqlite3_file* file, int level) { return methods_of(file)->xUnlock(real_of(file), level); }
int check_lock(sqlite3_file* file, int* held) {
  return methods_of(file)->xCheckReservedLock(real_of(file), held);
}
int control(sqlite3_file* file, int operation, void* argument) {
  return methods_of(file)->xFileControl(real_of(file), operation, argument);
}
int sector_size(sqlite3_file* file) { return methods_of(file)->xSectorSize(real_of(file)); }
// The most careless disk: no write is atomic, none safe against neighbours.
int characteristics(sqlite3_file*) { return 0; }
int shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  return methods_of(file)->xShmMap(real_of(file), page, size, extend, out);
}
int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  return methods_of(file)->xShmLock(real_of(file), offset, count, flags);
}
void shm_barrier(sqlite3_file* file) { methods_of(file)->xShmBarrier(real_of(file)); }
int shm_unmap(sqlite3_file* file, int remove) { return methods_of(file)->xShmUnmap(real_of(file), remove); }

const sqlite3_io_methods kMethods = {2,           close_file,  read_file,       write_file,  truncate_file,
                                     sync_file,   file_size,   lock_file,       unlock_file, check_lock,
                                     control,     sector_size, characteristics, shm_map,     shm_lock,
                                     shm_barrier, shm_unmap,   nullptr,         nullptr};

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* own = mine(file);
  own->base.pMethods = nullptr;
  own->real = reinterpret_cast<sqlite3_file*>(own + 1);
  own->real->pMethods = nullptr;
  own->path = nullptr;
  const int code = real_vfs->xOpen(real_vfs, name, own->real, flags, out_flags);
  if (own->real->pMethods != nullptr) {
    own->path = new std::string(name == nullptr ? "" : name);
    own->base.pMethods = &kMethods;
  }
  return code;
}

int delete_file(sqlite3_vfs*, const char* name, int sync_folder) {
  FaultDisk& disk = FaultDisk::instance();
  if (const int code = disk.next_operation(SQLITE_IOERR_DELETE, nullptr); code != SQLITE_OK) return code;
  disk.note_delete(name);
  return real_vfs->xDelete(real_vfs, name, sync_folder);
}

}  // namespace

FaultDisk& FaultDisk::instance() {
  static FaultDisk disk;
  static sqlite3_vfs vfs = [] {
    real_vfs = sqlite3_vfs_find("unix");
    sqlite3_vfs made = *real_vfs;
    made.zName = "loam-fault";
    made.szOsFile = static_cast<int>(sizeof(FaultFile)) + real_vfs->szOsFile;
    made.xOpen = open_file;
    made.xDelete = delete_file;
    return made;
  }();
  static const int registered = sqlite3_vfs_register(&vfs, 1);
  (void)registered;
  return disk;
}

void FaultDisk::plan(std::int64_t nth, Failure failure, Lasting lasting) {
  operations_ = 0;
  failing_ = nth;
  failure_ = failure;
  lasting_ = lasting;
  failed_ = false;
}

void FaultDisk::clear() { plan(0, Failure::io_error, Lasting::once); }

void FaultDisk::forget() { images_.clear(); }

int FaultDisk::next_operation(int error_code, Failure* how) {
  ++operations_;
  const bool fails =
      failing_ > 0 && (operations_ == failing_ || (lasting_ == Lasting::from_now && operations_ > failing_));
  if (!fails) return SQLITE_OK;
  failed_ = true;
  if (how != nullptr) *how = failure_;
  // A full disk refuses writes; flushing and truncating still work there, so they fail as a broken disk does.
  return failure_ == Failure::disk_full && error_code == SQLITE_IOERR_WRITE ? SQLITE_FULL : error_code;
}

void FaultDisk::apply(std::string& content, const Change& change) {
  const auto offset = static_cast<std::size_t>(change.offset);
  if (!change.bytes) {
    content.resize(offset);
    return;
  }
  if (content.size() < offset + change.bytes->size()) content.resize(offset + change.bytes->size());
  std::memcpy(content.data() + offset, change.bytes->data(), change.bytes->size());
}

void FaultDisk::note_write(const std::string& path, std::int64_t offset, const void* bytes, int size) {
  images_[path].pending.push_back(
      {offset, std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(size))});
}

void FaultDisk::note_truncate(const std::string& path, std::int64_t size) {
  images_[path].pending.push_back({size, {}});
}

void FaultDisk::note_flush(const std::string& path) {
  Image& image = images_[path];
  if (!image.flushed) image.flushed.emplace();
  for (const Change& change : image.pending) apply(*image.flushed, change);
  image.pending.clear();
}

void FaultDisk::note_delete(const std::string& path) { images_.erase(path); }

void FaultDisk::lose_power(const std::filesystem::path& from, const std::filesystem::path& folder,
                           std::uint32_t seed) const {
  std::minstd_rand random(seed + 1);
  for (const auto& [path, image] : images_) {
    const std::filesystem::path file(path);
    if (file.parent_path() != from) continue;
    std::string content = image.flushed.value_or("");
    bool there = image.flushed.has_value();
    for (const Change& change : image.pending) {
      if (random() % 2 == 0) continue;
      apply(content, change);
      there = true;
    }
    if (!there) continue;
    std::ofstream stream(folder / file.filename(), std::ios::binary | std::ios::trunc);
    stream.write(content.data(), static_cast<std::streamsize>(content.size()));
  }
}

}  // namespace loam::fault
