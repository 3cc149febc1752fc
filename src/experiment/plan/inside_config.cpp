#include "src/experiment/plan/inside_config.h"

#include <algorithm>

#include "src/base/error.h"

namespace hijack {

void check(const InsideConfig& config) {
  if (config.detectors.empty()) throw Error("no detector was given; name one with --detector linear_probe.");
  for (const std::string& name : config.detectors)
    if (std::count(config.detectors.begin(), config.detectors.end(), name) > 1)
      throw Error("the detector '" + name + "' is named twice.");
  const bool reads =
      std::find(config.detectors.begin(), config.detectors.end(), "sae") != config.detectors.end();
  if (reads && config.sae.empty())
    throw Error("the detector sae reads the latents of an autoencoder: name its folder with --sae DIR.");
  if (!reads && !config.sae.empty()) throw Error("--sae is for the detector sae: add --detector sae.");
  if (config.layer < 0) throw Error("--layer must be 1 or more, or 0 for the middle one.");
  if (config.prompts < 2 || config.prompts > 1000) throw Error("--prompts must be from 2 to 1000.");
  if (config.tokens < 1 || config.tokens > 4096) throw Error("--tokens must be from 1 to 4096.");
}

}  // namespace hijack
