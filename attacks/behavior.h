#pragma once
#include <memory>
#include <string>
#include <vector>

#include "models/query.h"

namespace hijack {

/// A user prompt over which the image must work.
using Context = Query;

/// What the attacker wants. `target_for` feeds the objective, `succeeded` judges replies: two different
/// things (foolbox's criteria; Bailey et al. 2023, "behavior" B).
class Behavior {
 public:
  virtual ~Behavior() = default;
  virtual std::string name() const = 0;
  virtual std::string target_for(const Context& context) const = 0;
  /// Strict: the reply is the behavior (exact after stripping white space where the paper says so).
  virtual bool succeeded(const Context& context, const std::string& reply) const = 0;
  /// Lenient: the behavior occurs inside the reply (the published code's substring test).
  virtual bool contained(const Context& context, const std::string& reply) const = 0;
  /// Whether the target is the whole reply, so that the objective also asks for the end token. False for a
  /// prefix after which the model goes on by itself.
  virtual bool ends_reply() const { return true; }
};

struct BehaviorConfig {
  std::string name = "string";
  std::string target;  ///< string: the canary; leak: pattern with {context}; refusal: the affirmative prefix

  template <class Visitor>
  void visit(Visitor&& field) {
    field("behavior", name, "what the image must make the model do: string, leak or refusal");
    field("target", target,
          "string: the reply to force; leak: a reply with {context} in it; refusal: how the reply starts");
  }
};

/// Throws Error for an unknown name (naming the nearest), an empty target, or a leak target without
/// {context}.
std::unique_ptr<Behavior> make_behavior(const BehaviorConfig& config);
std::vector<std::string> behavior_names();

}  // namespace hijack
