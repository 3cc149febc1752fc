#include "src/experiment/plan/pocket_contexts.h"

#include "src/pocket/contexts.h"

namespace hijack {
namespace {

constexpr uint64_t kSeed = 1;

struct DrawnSplit {
  const char* name;
  ContextSplit split;
  int64_t size;
};
constexpr DrawnSplit kDrawnSplits[] = {{"train", ContextSplit::kTrain, 80},
                                       {"validation", ContextSplit::kValidation, 30},
                                       {"test", ContextSplit::kTest, 50},
                                       {"calibration", ContextSplit::kCalibration, 200}};

template <class Draw>
std::string lines_of(Draw draw) {
  std::string lines;
  for (const DrawnSplit& split : kDrawnSplits) {
    for (const Exercise& exercise : draw(split)) {
      nlohmann::ordered_json row;
      row["split"] = split.name;
      row["prompt"] = exercise.prompt;
      lines += row.dump() + "\n";
    }
  }
  return lines;
}

using DrawnExercises = std::vector<Exercise> (*)(ContextSplit, int64_t, uint64_t);

/// Of one kind; ordinary prompts to calibrate on.
std::string special_contexts(DrawnExercises draw) {
  return lines_of([draw](const DrawnSplit& split) {
    const bool honest = split.split == ContextSplit::kCalibration;
    return (honest ? benign_exercises : draw)(split.split, split.size, kSeed);
  });
}

}  // namespace

std::string pocket_contexts() {
  return lines_of([](const DrawnSplit& split) { return benign_exercises(split.split, split.size, kSeed); });
}

std::string pocket_policy_contexts() {
  return special_contexts(policy_contexts);
}

std::string pocket_reading_contexts() {
  return special_contexts(reading_contexts);
}

}  // namespace hijack
