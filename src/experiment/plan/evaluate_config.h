#pragma once
#include "attacks/text/gcg.h"
#include "src/experiment/plan/defense_config.h"
#include "src/experiment/plan/sampling_config.h"

namespace hijack {

/// What `hijack evaluate` does with a finished run.
struct EvaluateConfig {
  DefenseConfig defense;
  bool stack = false;
  bool survival = false;
  int64_t utility = 60;
  std::string utility_set = {};  ///< "" = what suits the model (utility_set.h)
  GcgConfig suffix = {};
  SamplingConfig sampling = {.temperature = -1};

  template <class Visitor>
  void visit(Visitor&& field) {
    field.group("Defenses");
    defense.visit(field);
    field("stack", stack, "evaluate all of them together as well, the first outermost");
    field(
        "survival", survival,
        "what the saved images survive before the bare model: JPEG 95 to 50, WebP, half and double size and "
        "back, a screenshot, BMP and a palette; needs no defense");
    field("utility", utility, "benign questions with known answers that measure what a defense costs");
    field("utility_set", utility_set,
          "which ones: scenes (about drawn scenes), everyday (ordinary questions) or a JSONL file of "
          "questions with answers; empty = everyday, and scenes for a model like the shipped one");
    field.group("Replies");
    sampling.visit(field);
    field.group("Suffix");
    suffix.visit(field);
  }
};

}  // namespace hijack
