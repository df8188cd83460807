// Files that are there whole or not at all, also after a power cut.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"

namespace loam::train {

/// Writes beside `path`, syncs, and renames over it. out_of_room when the disk is full; nothing is left
/// behind then, and what was at `path` stays.
Result<void> write_durably(const std::filesystem::path& path, std::string_view bytes);

/// The refusal for a failed system call on `path`: a full disk is out_of_room, all else unavailable.
Error file_error(const std::filesystem::path& path, int code);

}  // namespace loam::train
