#pragma once
#include "src/cli/commands.h"

namespace hijack::cli {

/// `hijack train robust-tower`, below `command`.
void add_train_robust_tower(CLI::App& command, Action& chosen);

}  // namespace hijack::cli
