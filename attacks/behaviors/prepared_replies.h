#pragma once
#include <functional>
#include <string>
#include <unordered_map>

#include "attacks/behavior.h"

namespace hijack {

/// The model's greedy replies to contexts over one image, kept by context: beginnings, where they were cut.
class PreparedReplies {
 public:
  /// asked: what is sent to the model for a context (the context itself, or an instructed one). A reply that
  /// is whole stays what it is; one that was cut is asked for again where it may now be longer.
  void ask(const VisionLanguageModel& model, const Tensor& image, std::span<const Context> contexts,
           int64_t max_new_tokens, const std::function<Context(const Context&)>& asked);
  /// The reply to a context that was asked before.
  const Generated& of(const Context& context) const;
  /// More tokens, where replies to these contexts were cut; 0 otherwise. which: how the message calls them.
  ReplyNeed needed_whole(std::span<const Context> contexts, const std::string& which) const;

 private:
  struct Asked {
    Generated reply;
    int64_t longest = 0;  ///< that was allowed
  };
  const Asked& asked_of(const Context& context) const;

  std::unordered_map<std::string, Asked> replies_;
};

}  // namespace hijack
