#pragma once
#include <string>

#include "models/query.h"

namespace hijack {

/// Equal for equal prompts, with their system prompt and earlier turns. The manifest's calibrations list
/// those of the prompts that a threshold was fitted on ("prompts"), so that a report can look for them among
/// the evaluated ones.
std::string prompt_digest(const Query& query);

}  // namespace hijack
