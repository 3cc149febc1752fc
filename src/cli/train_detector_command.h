#pragma once
#include "src/cli/commands.h"

namespace hijack::cli {

/// `hijack train detector`, below `command`.
void add_train_detector(CLI::App& command, Action& chosen);

}  // namespace hijack::cli
