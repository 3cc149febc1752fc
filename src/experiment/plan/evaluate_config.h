#pragma once
#include "attacks/text/gcg.h"
#include "src/experiment/plan/defense_config.h"
#include "src/experiment/plan/endpoint_config.h"
#include "src/experiment/plan/sampling_config.h"

namespace hijack {

/// What `hijack evaluate` does with a finished run.
struct EvaluateConfig {
  DefenseConfig defense;
  std::string victim = {};  ///< "" = the model of each trial
  AskingConfig asking = {};
  bool stack = false;
  bool survival = false;
  std::string images_of = {};  ///< a test set (test_sets.h); "" = none
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
    field(
        "images_of", images_of,
        "a test set with its own pictures as it lies on disk, with a choice of its cases "
        "(mm-safetybench:DIR,subset=01,limit=50; figstep, vlguard, harmbench, pope, mmbench, jailbreakv-28k, "
        "mm-vet, omnisafebench-mm): each case is asked about its own picture, behind each defense too");
    field("utility", utility, "benign questions with known answers that measure what a defense costs");
    field("utility_set", utility_set,
          "which ones: scenes (about drawn scenes), everyday (ordinary questions) or a JSONL file of "
          "questions with answers; empty = everyday, and scenes for a model like the shipped one");
    field.group("Victim");
    field("victim", victim,
          "ask a model behind an OpenAI-compatible API about the saved images, in place of the attacked one: "
          "http://127.0.0.1:8000/v1#MODEL (hijack serve, vLLM, llama.cpp's server, SGLang); a key stands in "
          "$HIJACK_API_KEY; with or without defenses in front, those that need its weights excepted");
    asking.visit(field);
    field.group("Replies");
    sampling.visit(field);
    field.group("Suffix");
    suffix.visit(field);
  }
};

}  // namespace hijack
