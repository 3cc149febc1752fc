#include "src/experiment/report/sanity/checks.h"
#include "src/experiment/report/values/text.h"

namespace hijack::sanity {
namespace {

using namespace report;

std::string named(const DefenseSummary& one) {
  return defense_label(one) + (one.attack_label.empty() ? "" : " (" + one.attack_label + ")");
}

void check_adaptive(const DefenseSummary& one, const Rate& adaptive, const Rate& fixed, const char* attack,
                    Flags& flags) {
  if (!adaptive.n || !fixed.n || adaptive.interval().high >= fixed.interval().low) return;
  flags.push_back({"adaptive below static", Severity::warning, "",
                   named(one) + ": the " + attack + " that knows the defense succeeds in " +
                       percent(adaptive.value()) + ", the one that does not in " + percent(fixed.value()) +
                       ". The larger of the two bounds what the defense stops.",
                   "Give the adaptive attack more steps or draws (--adaptive-draws), or a lower "
                   "--detector-weight."});
}

}  // namespace

void check_defenses(const std::vector<DefenseSummary>& all, Flags& flags) {
  for (const DefenseSummary& one : all) {
    check_adaptive(one, one.adaptive, one.attack, "image", flags);
    check_adaptive(one, one.text_adaptive, one.text_suffix, "suffix", flags);
    if (one.benign_rejected.n == 0 || one.benign_rejected.successes < one.benign_rejected.n) continue;
    flags.push_back({"refuses everybody", Severity::failure, "",
                     named(one) + " rejects all " + std::to_string(one.benign_rejected.n) +
                         " harmless submissions: that it stops the attack says nothing.",
                     "Raise its threshold, or let it be fitted on prompts like these."});
  }
}

}  // namespace hijack::sanity
