#include "models/hook.h"

#include "src/base/error.h"
#include "src/base/registry.h"

namespace hijack {
namespace {

struct NamedPoint {
  const char* name;
  HookPoint point;
};

const Registry<NamedPoint>& hook_points() {
  static const Registry<NamedPoint> table(
      "hook",
      {{"residual", HookPoint::kResidual}, {"mlp", HookPoint::kMlp}, {"attention", HookPoint::kAttention}});
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
  return hook_points().name_of(&NamedPoint::point, point);
}

bool is_chosen(TokenKind kind, TokenChoice choice) {
  switch (choice) {
    case TokenChoice::kImage:
      return kind == TokenKind::kImage;
    case TokenChoice::kPrompt:
      return kind == TokenKind::kText || kind == TokenKind::kLast;
    case TokenChoice::kLast:
      return kind == TokenKind::kLast;
    case TokenChoice::kReply:
      return kind == TokenKind::kReply;
    case TokenChoice::kAll:
      return true;
  }
  return false;
}

void check_hook(const Hook& hook, int64_t layers) {
  const int64_t first = hook.point == HookPoint::kResidual ? 0 : 1;
  if (hook.layer >= first && hook.layer <= layers) return;
  throw Error("there is no layer " + std::to_string(hook.layer) + " for the hook '" +
              hook_point_name(hook.point) + "': the decoder has " + std::to_string(first) + " to " +
              std::to_string(layers) + " there.");
}

}  // namespace hijack
