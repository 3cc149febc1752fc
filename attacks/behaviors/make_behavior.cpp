#include "attacks/behavior.h"

#include "attacks/behaviors/corpus.h"
#include "attacks/behaviors/disinformation.h"
#include "attacks/behaviors/text.h"
#include "attacks/behaviors/untargeted.h"
#include "attacks/behaviors/verbose.h"
#include "src/base/error.h"
#include "src/base/registry.h"

namespace hijack {
namespace {

constexpr const char* kContext = "{context}";

/// The model says one fixed string whatever it is asked (Bailey et al. 2023, "specific string").
class StringBehavior : public Behavior {
 public:
  explicit StringBehavior(std::string target) : target_(std::move(target)) {}
  std::string name() const override { return "string"; }
  std::string target_for(const Context&) const override { return target_; }
  bool succeeded(const Context&, const Generated& reply) const override {
    return !reply.cut && strip(reply.text) == strip(target_);
  }
  bool matches_substring(const Context&, const Generated& reply) const override {
    return contains_words(reply.text, strip(target_));
  }

 private:
  std::string target_;
};

/// The model repeats the user's own words inside a reply of the attacker's making, such as a call to a tool
/// (Bailey et al. 2023, "leak context").
class LeakBehavior : public Behavior {
 public:
  explicit LeakBehavior(std::string pattern) : pattern_(std::move(pattern)) {
    if (pattern_.find(kContext) == std::string::npos)
      throw Error(
          "the target of behavior leak has no {context}: write the reply with {context} where the user's "
          "prompt must appear, like 'send({context})'.");
  }
  std::string name() const override { return "leak"; }
  std::string target_for(const Context& context) const override {
    return filled_pattern(pattern_, {{kContext, context.prompt}});
  }
  bool succeeded(const Context& context, const Generated& reply) const override {
    return !reply.cut && strip(reply.text) == strip(target_for(context));
  }
  bool matches_substring(const Context& context, const Generated& reply) const override {
    return contains_words(reply.text, strip(target_for(context)));
  }

 private:
  std::string pattern_;
};

/// The model begins with consent instead of a refusal (the affirmative prefix of Zou et al. 2023, which
/// Bailey et al. 2023 use for "jailbreak"). What follows the prefix is the model's own: a reply that is the
/// prefix and nothing else consents to nothing, and is no success (their rule, too).
class RefusalBehavior : public Behavior {
 public:
  explicit RefusalBehavior(std::string prefix) : prefix_(std::move(prefix)) {}
  std::string name() const override { return "refusal"; }
  std::string target_for(const Context&) const override { return prefix_; }
  bool succeeded(const Context&, const Generated& reply) const override {
    return begins_with_words(simplified(said(reply)), simplified(prefix_));
  }
  bool matches_substring(const Context&, const Generated& reply) const override {
    return contains_words_among_others(simplified(said(reply)), simplified(prefix_));
  }
  using Behavior::ends_reply;
  bool ends_reply() const override { return false; }

 private:
  std::string prefix_;
};

/// Image encoders take the image for something else; nobody says anything.
class ResembleBehavior : public Behavior {
 public:
  std::string name() const override { return "resemble"; }
  std::string target_for(const Context&) const override { return {}; }
  bool succeeded(const Context&, const Generated&) const override { return false; }
  bool matches_substring(const Context&, const Generated&) const override { return false; }
  std::string default_objective() const override { return "embedding"; }
};

template <class One>
std::unique_ptr<Behavior> with_target(const BehaviorConfig& config) {
  if (strip(config.target).empty())
    throw Error("the target of behavior " + config.name + " is empty: give what the model has to say.");
  return std::make_unique<One>(config.target);
}

template <class One>
std::unique_ptr<Behavior> without_target(const BehaviorConfig& config) {
  if (!config.target.empty())
    throw Error("behavior " + config.name +
                " has no target: what the model says to the clean image decides.");
  return std::make_unique<One>();
}

std::unique_ptr<Behavior> asking_nobody(const BehaviorConfig& config) {
  if (!config.target.empty())
    throw Error(
        "behavior resemble has no target in words: name what to resemble with --feature-image or "
        "--feature-text.");
  return std::make_unique<ResembleBehavior>();
}

std::unique_ptr<Behavior> with_corpus(const BehaviorConfig& config) {
  if (!config.target.empty())
    throw Error("behavior corpus takes its targets from a file: give --targets FILE and no --target.");
  if (config.targets.empty())
    throw Error("behavior corpus needs the sentences to force: name their file with --targets FILE.");
  return std::make_unique<CorpusBehavior>(read_targets(config.targets));
}

struct BehaviorKind {
  const char* name;
  std::unique_ptr<Behavior> (*make)(const BehaviorConfig&);
};
const Registry<BehaviorKind> kBehaviors("behavior", {{"string", with_target<StringBehavior>},
                                                     {"leak", with_target<LeakBehavior>},
                                                     {"refusal", with_target<RefusalBehavior>},
                                                     {"disinformation", with_target<DisinformationBehavior>},
                                                     {"untargeted", without_target<UntargetedBehavior>},
                                                     {"verbose", without_target<VerboseBehavior>},
                                                     {"resemble", asking_nobody},
                                                     {"corpus", with_corpus}});

}  // namespace

ReplyNeed Behavior::needed(const VisionLanguageModel& model, std::span<const Context> contexts) const {
  int64_t longest = 0;
  for (const Context& context : contexts)
    for (const std::string& target : targets_for(context))
      longest = std::max(longest, static_cast<int64_t>(model.target_ids(target).size()));
  return {longest + 1, "its longest target has " + std::to_string(longest) + " tokens, and one more shows " +
                           (ends_reply() ? "that the reply ends there" : "that the reply goes on")};
}

std::unique_ptr<Behavior> make_behavior(const BehaviorConfig& config) {
  const BehaviorKind& kind = kBehaviors.at(config.name);
  if (!config.targets.empty() && config.name != "corpus")
    throw Error("a file of targets is for behavior corpus, not for " + config.name + ".");
  return kind.make(config);
}

std::vector<std::string> behavior_names() {
  return kBehaviors.names();
}

}  // namespace hijack
