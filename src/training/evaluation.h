#pragma once
#include <map>
#include <string>
#include <vector>

#include "models/vision_language_model.h"
#include "src/pocket/contexts.h"

namespace hijack {

/// Right answers per task on held-out scenes in held-out wordings.
struct TaskScore {
  int64_t n = 0;
  int64_t right = 0;
  bool visual = false;
  std::vector<std::string> wrong;  ///< up to five "prompt -> reply (answer)"
};
std::map<std::string, TaskScore> score_tasks(const VisionLanguageModel& model,
                                             const std::vector<UtilityItem>& items);

/// What must hold before a sweep is worth its time: does the tower pass enough free dimensions on?
struct HijackGate {
  double participation_ratio = 0;  ///< median over tokens, of the projector's change under random +-4/255
  double dimensions_90 = 0;        ///< median number of directions that hold 90 % of the energy
  double movement = 0;             ///< relative change of the projector's output under random +-8/255
};
HijackGate measure_gate(const VisionLanguageModel& model, uint64_t seed);

}  // namespace hijack
