#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace hijack {

/// What `hijack inside` measures of a finished run.
struct InsideConfig {
  std::vector<std::string> detectors;
  std::string sae;
  int64_t layer = 0;
  int64_t prompts = 12;
  int64_t tokens = 64;

  template <class Visitor>
  void visit(Visitor&& field) {
    field("detector", detectors,
          "what is to tell hijacks apart, once for each: unrelated_questions, linear_probe, mahalanobis, sae "
          "(learned from other behaviors and photos than they are tested on), or a detector as 'hijack "
          "defenses' lists it");
    field("sae", sae, "folder of the sparse autoencoder whose latents the detector sae reads");
    field("layer", layer,
          "linear_probe, mahalanobis: layer of the residual stream; 0 = the middle one, whatever it finds");
    field("prompts", prompts, "of each image that are looked at, 2 to 1000");
    field("tokens", tokens, "unrelated_questions: of a reply that stay in the conversation, 1 to 4096");
  }
};
/// Throws Error for numbers out of range, no detectors, and a missing or needless autoencoder.
void check(const InsideConfig& config);

}  // namespace hijack
