// Which model is this, whatever its quantisation? What all forms of one model share, as one hash, so that an
// adapter that was trained on the Q4_1 file is taken on the BF16 file of the same model and on no other.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "engine/gguf_metadata.h"

namespace loam::engine {

/// Keys of ours in an adapter's metadata: which model it was trained on, and what it learnt from.
inline constexpr char kBaseNameKey[] = "loam.base.name";
inline constexpr char kBaseFingerprintKey[] = "loam.base.fingerprint";  ///< of that very file
inline constexpr char kBaseIdentityKey[] = "loam.base.identity";        ///< base_identity()
inline constexpr char kTrainedFromKey[] = "loam.train.data";            ///< the data file's name

/// SHA-256 (64 hex digits) over the architecture, the hyper-parameters that its results depend on, the
/// tokenizer's tokens, names and shapes of all tensors, and the bytes of all vectors in F32 (norms and
/// biases, which no quantisation touches). What it cannot see: a model whose matrices alone were changed,
/// such as one with an adapter merged in. bad_data for a damaged file, unavailable for one that cannot be
/// read. Any thread; milliseconds: the matrices are not read.
Result<std::string> base_identity(const std::filesystem::path& gguf);

/// The same of bytes that were read already; `place` names them in errors.
Result<std::string> base_identity(GgufBytes& bytes, const GgufMetadata& metadata, std::string_view place);

}  // namespace loam::engine
