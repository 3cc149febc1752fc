#pragma once
#include <string>

#include "src/training/trainer.h"

namespace hijack::cli {

/// Trains with a line of progress, until the end or Ctrl-C. Whether it came to the end; if not, has said how
/// to go on. command: what the user typed, without --resume and --out.
bool run_training(const TrainConfig& config, Training& training, const std::string& command);

}  // namespace hijack::cli
