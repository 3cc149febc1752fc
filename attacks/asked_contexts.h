#pragma once
#include <c10/util/Exception.h>

#include <utility>
#include <vector>

#include "attacks/behavior.h"

namespace hijack {

/// Contexts, and what the model is asked in place of each: defenses may rewrite prompts before the model sees
/// them. Targets and success are always those of the context, which has the user's own words.
struct AskedContexts {
  AskedContexts() = default;
  /// Asked as they are.
  AskedContexts(std::vector<Context> contexts_in)  // NOLINT(google-explicit-constructor)
      : contexts(std::move(contexts_in)), asked(contexts) {}
  /// asked_in: one for each context, in order.
  AskedContexts(std::vector<Context> contexts_in, std::vector<Query> asked_in)
      : contexts(std::move(contexts_in)), asked(std::move(asked_in)) {
    TORCH_CHECK(contexts.size() == asked.size(), asked.size(), " rewritings of ", contexts.size(),
                " contexts");
  }

  size_t size() const { return contexts.size(); }

  std::vector<Context> contexts;
  std::vector<Query> asked;
};

}  // namespace hijack
