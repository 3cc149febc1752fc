#pragma once
#include <cstdint>
#include <string>

namespace hijack {

/// How replies are drawn where success is measured. Searching never draws: losses are of given targets.
struct SamplingConfig {
  double temperature = 0;
  double top_p = 1;
  int64_t top_k = 0;
  int64_t samples = 1;
  int64_t num_beams = 1;

  template <class Visitor>
  void visit(Visitor&& field) {
    field("temperature", temperature,
          "of replies; 0 = greedy, the likeliest token each time; evaluate: -1 = as the run has it");
    field("top_p", top_p, "temperature: draw from the likeliest tokens that have this probability together");
    field("top_k", top_k, "temperature: draw from this many likeliest tokens; 0 = all");
    field("samples", samples,
          "temperature: replies drawn to each held-out question and control; success is a rate over draws");
    field("num_beams", num_beams, "1: beam search is not what hijack does, and is refused");
  }

  bool greedy() const { return temperature <= 0; }
  /// "temperature=0.7,top_p=0.9": how one reply is drawn; "" = greedy.
  std::string text() const;
  /// These settings for an evaluation that was given `wanted`: all of it, or, where its temperature is below
  /// 0, what differs from the defaults.
  SamplingConfig or_given(const SamplingConfig& wanted) const;
};

/// Throws Error for numbers out of range, several beams, settings that greedy replies have no use for, and
/// draws of a behavior that is judged by whether replies change.
void check(const SamplingConfig& config, const std::string& behavior);

}  // namespace hijack
