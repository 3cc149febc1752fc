#pragma once
#include <filesystem>

#include "attacks/attack.h"

namespace hijack {

/// Writes a checkpoint (safetensors; through a temporary name, so that a kill leaves the previous one).
void save_attack_state(const AttackState& state, const std::filesystem::path& file);

/// Reads it onto a device. Throws Error when the file is missing, damaged or not such a checkpoint.
AttackState load_attack_state(const std::filesystem::path& file, at::Device device = at::kCPU);

}  // namespace hijack
