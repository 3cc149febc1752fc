#include "models/state_hooks.h"

#include "src/base/error.h"
#include "src/base/registry.h"

namespace hijack {
namespace {

struct NamedPoint {
  const char* name;
  HookPoint point;
};
struct NamedChoice {
  const char* name;
  TokenChoice choice;
};

const Registry<NamedPoint>& hook_points() {
  static const Registry<NamedPoint> table(
      "hook",
      {{"residual", HookPoint::kResidual}, {"mlp", HookPoint::kMlp}, {"attention", HookPoint::kAttention}});
  return table;
}

const Registry<NamedChoice>& token_choices() {
  static const Registry<NamedChoice> table("choice of tokens", {{"image", TokenChoice::kImage},
                                                                {"prompt", TokenChoice::kPrompt},
                                                                {"last", TokenChoice::kLast},
                                                                {"reply", TokenChoice::kReply}});
  return table;
}

}  // namespace

std::vector<std::string> hook_point_names() {
  return hook_points().names();
}

HookPoint hook_point_from_name(const std::string& name) {
  return hook_points().at(name).point;
}

std::string hook_point_name(HookPoint point) {
  for (const NamedPoint& row : hook_points())
    if (row.point == point) return row.name;
  return {};
}

std::vector<std::string> token_choice_names() {
  return token_choices().names();
}

TokenChoice token_choice_from_name(const std::string& name) {
  return token_choices().at(name).choice;
}

std::string token_choice_name(TokenChoice choice) {
  for (const NamedChoice& row : token_choices())
    if (row.choice == choice) return row.name;
  return {};
}

const StateHooks& state_hooks_of(const VisionLanguageModel& model) {
  if (const StateHooks* found = model.hooks()) return *found;
  throw Error("a " + model.family() +
              " model does not show its layers: take a folder whose network hijack runs itself.");
}

void check_hook(const Hook& hook, int64_t layers) {
  const int64_t first = hook.point == HookPoint::kResidual ? 0 : 1;
  if (hook.layer >= first && hook.layer <= layers) return;
  throw Error("there is no layer " + std::to_string(hook.layer) + " for the hook '" +
              hook_point_name(hook.point) + "': the decoder has " + std::to_string(first) + " to " +
              std::to_string(layers) + " there.");
}

}  // namespace hijack
