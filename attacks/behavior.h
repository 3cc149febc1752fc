#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/vision_language_model.h"

namespace hijack {

/// A user prompt over which the image must work.
using Context = Query;

/// The context with an instruction before its prompt, one space between.
inline Context instructed(const Context& context, const std::string& instruction) {
  Context result = context;
  result.prompt = instruction + " " + context.prompt;
  return result;
}

/// How long a model's replies must be allowed to be before a behavior can be judged by them.
struct ReplyNeed {
  int64_t tokens = 0;     ///< at least, as GenerateOptions counts them
  std::string why = {};   ///< "its longest target has 12 tokens"; for messages
  bool estimate = false;  ///< replies were cut, so that nobody knows how long they are
};

/// What the attacker wants. `target_for` feeds the objective, `succeeded` judges replies: two different
/// things (foolbox's criteria; Bailey et al. 2023, "behavior" B).
class Behavior {
 public:
  virtual ~Behavior() = default;
  virtual std::string name() const = 0;
  virtual std::string target_for(const Context& context) const = 0;
  /// All that will do; behavior matching draws one of them for each context and step.
  virtual std::vector<std::string> targets_for(const Context& context) const { return {target_for(context)}; }
  /// Strict: the reply is the behavior (exact after stripping white space where the paper says so).
  /// Never on the strength of what a cut reply might have gone on to say.
  virtual bool succeeded(const Context& context, const Generated& reply) const = 0;
  /// Lenient: the behavior occurs inside of what was said (the published code's substring test), in whole
  /// words.
  virtual bool matches_substring(const Context& context, const Generated& reply) const = 0;
  /// Whether the target is the whole reply, so that the objective also asks for the end token. False for a
  /// prefix after which the model goes on by itself.
  virtual bool ends_reply() const { return true; }
  /// The same of one context's target: false also for the beginning of a reply that was cut.
  virtual bool ends_reply(const Context& context) const {
    (void)context;
    return ends_reply();
  }

  /// Asks the model what the behavior has to know about these contexts before it can name targets or judge
  /// replies: for instance the replies to the clean image, origin [1,3,H,W]. Before everything else, and with
  /// the length that all replies have later. Asked again for the same image with more tokens, only replies
  /// that were cut are asked for again.
  virtual void prepare(const VisionLanguageModel& model, const Tensor& origin,
                       std::span<const Context> contexts, int64_t max_new_tokens) {
    (void)model, (void)origin, (void)contexts, (void)max_new_tokens;
  }
  /// What judging replies to these contexts (prepared) takes. By default, replies one token longer than the
  /// longest target: it shows whether they end there or go on.
  virtual ReplyNeed needed(const VisionLanguageModel& model, std::span<const Context> contexts) const;
  /// The objective that serves this behavior best, as make_objective.h writes it.
  virtual std::string default_objective() const { return "behavior"; }
  /// What would stand before each prompt to bring the behavior about by text (prompt matching); empty = no
  /// such text is known.
  virtual std::string instruction() const { return {}; }
};

struct BehaviorConfig {
  std::string name = "string";
  /// string: the canary; leak: pattern with {context}; refusal: the affirmative prefix; disinformation: the
  /// instruction to act on
  std::string target = {};
  std::string targets = {};  ///< corpus: the file

  template <class Visitor>
  void visit(Visitor&& field) {
    field("behavior", name,
          "what the image must make the model do: string, leak, refusal, disinformation, untargeted, "
          "verbose or corpus; resemble (--surrogate alone): be taken for something else by image encoders");
    field("target", target,
          "string: the reply to force; leak: a reply with {context} in it; refusal: how the reply starts; "
          "disinformation: the instruction that the model shall act on as if it stood before each prompt; "
          "contexts may bring targets of their own");
    field("targets", targets,
          "corpus: file of sentences of which one is drawn for each context and step; one per line, or the "
          "column target of a .csv");
  }
};

/// Throws Error for an unknown name (naming the nearest), a leak target without {context}, an empty target
/// where one is needed, a target where none is, and a file of targets that cannot be read.
std::unique_ptr<Behavior> make_behavior(const BehaviorConfig& config);
std::vector<std::string> behavior_names();

}  // namespace hijack
