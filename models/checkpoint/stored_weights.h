#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace hijack {

/// What the headers of a folder's weights say.
struct StoredWeights {
  int64_t parameters = 0;
  int64_t files = 0;                      ///< 0: the folder has no weights
  std::map<std::string, int64_t> dtypes;  ///< parameters of each ("float32", "bfloat16")
  /// Whether most parameters are of this dtype.
  bool mostly(const std::string& dtype) const;
};

/// Reads the headers of all files of weights. Throws Error for files that are none.
StoredWeights stored_weights(const std::filesystem::path& folder);

/// Whether most parameters of a folder are stored in float32; false where that cannot be told: no weights, or
/// weights in another form (TorchScript, open_clip).
bool stored_in_float32(const std::filesystem::path& folder);

}  // namespace hijack
