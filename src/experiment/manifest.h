#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "src/experiment/plan.h"

namespace hijack {

/// What a run was made from, so that it can be made again:
///   hijack     version        command    attack or run      started   UTC
///   plans      [{id, config}] every trial with its resolved config
///   inputs     {path: {sha256, bytes}} of model files, images and contexts
///   libraries  {torch, compiler, build}     machine {system, processor, cores, threads, device}
///   calibrations  [] filled by evaluate
nlohmann::json make_manifest(const std::string& command, const std::vector<TrialPlan>& plans);

/// Throws Error that names the first input that is missing or differs from the manifest.
void check_inputs(const nlohmann::json& manifest);

/// "2026-11-22T15:42:00Z"
std::string utc_now();
std::string hijack_version();

}  // namespace hijack
