#include "defenses/text/safety_prompt.h"

#include "src/base/error.h"

namespace hijack {
namespace {

std::string joined(const std::string& first, const std::string& second, const char* between) {
  return first.empty() || second.empty() ? first + second : first + between + second;
}

}  // namespace

void SafetyPrompt::Parameters::check() const {
  check_choice("place", place, {"system", "before", "after"});
  if (text.empty()) throw Error("Defense parameter 'text' of 'safety_prompt' is empty.");
}

SafetyPrompt::SafetyPrompt(const Parameters& parameters) : parameters_(parameters) {
  parameters_.check();
}

std::vector<TextTransform::Rewritten> SafetyPrompt::rewrite(std::span<const Query> queries) const {
  std::vector<Rewritten> done;
  for (const Query& query : queries) {
    Rewritten result{.query = query, .note = "reminder: " + parameters_.place};
    if (parameters_.place == "system")
      result.query.system = joined(query.system, parameters_.text, "\n");
    else if (parameters_.place == "before")
      result.query.prompt = joined(parameters_.text, query.prompt, "\n");
    else
      result.query.prompt = joined(query.prompt, parameters_.text, "\n");
    done.push_back(std::move(result));
  }
  return done;
}

}  // namespace hijack
