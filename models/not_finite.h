#pragma once
#include <filesystem>
#include <span>

#include "models/load_model.h"
#include "src/base/error.h"

namespace hijack {

/// Looks for the reason why models of these folders, loaded with these options, compute what is not finite. A
/// stored tensor with NaN or infinite numbers, or with numbers that the dtype cannot hold, is wrong input:
/// throws Error that names it. Otherwise throws Failure: an overflow in 16 bit, or what is left in float32.
[[noreturn]] void explain(const NotFinite& found, std::span<const std::filesystem::path> folders,
                          const LoadOptions& options);

}  // namespace hijack
