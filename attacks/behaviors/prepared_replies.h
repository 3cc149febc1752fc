#pragma once
#include <functional>
#include <string>
#include <unordered_map>

#include "attacks/behavior.h"

namespace hijack {

/// Equal for equal contexts only.
std::string key_of(const Context& context);

/// The model's greedy replies to contexts over one image, kept by context.
class PreparedReplies {
 public:
  /// asked: what is sent to the model for a context (the context itself, or an instructed one).
  void ask(const VisionLanguageModel& model, const Tensor& image, std::span<const Context> contexts,
           int64_t max_new_tokens, const std::function<Context(const Context&)>& asked);
  /// The reply to a context that was asked before.
  const std::string& of(const Context& context) const;

 private:
  std::unordered_map<std::string, std::string> replies_;
};

}  // namespace hijack
