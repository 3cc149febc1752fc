#pragma once
#include "src/cli/commands.h"

namespace hijack::cli {

/// `hijack train sae`, below `command`.
void add_train_sae(CLI::App& command, Action& chosen);

}  // namespace hijack::cli
