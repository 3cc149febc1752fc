#include "src/experiment/plan/sampling_config.h"

#include "src/base/error.h"
#include "src/base/fields.h"

namespace hijack {

std::string SamplingConfig::text() const {
  if (greedy()) return "";
  SamplingConfig now = *this, defaults;
  const Fields fields = fields_of(now), usual = fields_of(defaults);
  std::string text;
  for (size_t i = 0; i < fields.size(); ++i)
    if (fields[i].name != "samples" && value_text(fields[i]) != value_text(usual[i]))
      text += (text.empty() ? "" : ",") + fields[i].name + "=" + value_text(fields[i]);
  return text;
}

SamplingConfig SamplingConfig::or_given(const SamplingConfig& wanted) const {
  if (wanted.temperature >= 0) return wanted;
  SamplingConfig all = *this;
  if (wanted.samples != 1) all.samples = wanted.samples;
  if (wanted.top_p != 1) all.top_p = wanted.top_p;
  if (wanted.top_k != 0) all.top_k = wanted.top_k;
  all.num_beams = wanted.num_beams;
  return all;
}

void check(const SamplingConfig& config, const std::string& behavior) {
  if (config.num_beams != 1)
    throw Error("--num-beams " + std::to_string(config.num_beams) +
                ": beam search is not supported; replies are greedy, or drawn with --temperature and "
                "--samples.");
  if (!(config.temperature >= 0 && config.temperature <= 10))
    throw Error("--temperature must be from 0 (greedy) to 10.");
  if (!(config.top_p > 0 && config.top_p <= 1)) throw Error("--top-p must be above 0 and at most 1.");
  if (config.top_k < 0 || config.top_k > 1'000'000)
    throw Error("--top-k must be from 1 to 1000000, or 0 for all.");
  if (config.samples < 1 || config.samples > 1000) throw Error("--samples must be from 1 to 1000.");
  if (!config.greedy() && behavior == "untargeted")
    throw Error(
        "behavior untargeted asks whether the reply is another one than without the attack, and drawn "
        "replies are that anyway: leave --temperature out, or use another behavior.");
  if (!config.greedy()) return;
  for (const auto& [flag, given] : {std::pair("--top-p", config.top_p < 1),
                                    {"--top-k", config.top_k > 0},
                                    {"--samples", config.samples > 1}})
    if (given)
      throw Error(std::string(flag) +
                  " has no effect on greedy replies, which are all the same: give --temperature, as 0.7.");
}

}  // namespace hijack
