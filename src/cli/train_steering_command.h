#pragma once
#include "src/cli/commands.h"

namespace hijack::cli {

/// `hijack train steering`, below `command`.
void add_train_steering(CLI::App& command, Action& chosen);

}  // namespace hijack::cli
