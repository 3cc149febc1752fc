#include "src/cli/run_training.h"

#include "src/cli/interrupt.h"
#include "src/cli/log.h"
#include "src/cli/progress.h"
#include "src/cli/text.h"

namespace hijack::cli {

bool run_training(const TrainConfig& config, Training& training, const std::string& command) {
  const Interrupt interrupt;
  Progress progress;
  const bool finished = Trainer(config, training)
                            .run(
                                [&](const TrainProgress& now) {
                                  // the first stage of two has no answers
                                  const bool first =
                                      config.joint_steps > 0 && now.stage != stage_name(Stage::kJoint);
                                  progress.show({.name = now.stage,
                                                 .done = now.step,
                                                 .total = now.steps,
                                                 .loss = first ? now.reconstruction_loss : now.answer_loss});
                                },
                                interrupt.token());
  progress.clear();
  if (!finished) log_line("stopped; go on with: " + command + " --resume --out " + shell_word(config.out));
  return finished;
}

}  // namespace hijack::cli
