#include "models/state_hooks.h"

#include "src/base/error.h"
#include "src/base/registry.h"

namespace hijack {
namespace {

struct NamedChoice {
  const char* name;
  TokenChoice choice;
};

const Registry<NamedChoice>& token_choices() {
  static const Registry<NamedChoice> table("choice of tokens", {{"image", TokenChoice::kImage},
                                                                {"prompt", TokenChoice::kPrompt},
                                                                {"last", TokenChoice::kLast},
                                                                {"reply", TokenChoice::kReply},
                                                                {"all", TokenChoice::kAll}});
  return table;
}

}  // namespace

std::vector<std::string> token_choice_names() {
  return token_choices().names();
}

TokenChoice token_choice_from_name(const std::string& name) {
  return token_choices().at(name).choice;
}

std::string token_choice_name(TokenChoice choice) {
  return token_choices().name_of(&NamedChoice::choice, choice);
}

const StateHooks& state_hooks_of(const VisionLanguageModel& model) {
  if (const StateHooks* found = model.hooks()) return *found;
  throw Error("a " + model.family() +
              " model does not show its layers: take a folder whose network hijack runs itself.");
}

}  // namespace hijack
