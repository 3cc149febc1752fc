#include "src/experiment/plan/methods.h"

#include "attacks/text/typographic.h"
#include "src/base/error.h"
#include "src/base/registry.h"

namespace hijack {
namespace {

std::string image_label(const AttackConfig& config) {
  return constraint_label(config.constraint);
}
std::string text_label(const AttackConfig& config) {
  const TypographicConfig& text = config.typographic;
  return "text-" + text.style + (text.style == "low_contrast" ? "-" + std::to_string(text.contrast) : "");
}
std::string suffix_label(const AttackConfig& config) {
  return "suffix-" + std::to_string(config.suffix.tokens);
}
std::string joint_label(const AttackConfig& config) {
  return image_label(config) + "-" + suffix_label(config);
}

std::string scaling_label(const AttackConfig& config) {
  const ScalingConfig& scaling = config.scaling;
  return scaling.target_size.empty() ? "scaling" : "scaling-" + scaling.filter + "-" + scaling.target_size;
}

int64_t image_steps(const AttackConfig& config) {
  return config.optimizer.steps * (config.restarts + 1);
}
int64_t tries_of_text(const AttackConfig& config) {
  return config.typographic.tries;
}
int64_t suffix_steps(const AttackConfig& config) {
  return config.suffix.steps;
}
int64_t joint_steps(const AttackConfig& config) {
  return config.optimizer.steps;
}

int64_t scaling_steps(const AttackConfig& config) {
  return config.scaling.steps;
}

void check_nothing(const AttackConfig&, const Behavior&) {}
void check_text(const AttackConfig& config, const Behavior& behavior) {
  check_typographic(config.typographic);
  // a target that differs between contexts would have to be drawn anew for each
  text_to_draw(config.typographic, behavior, {.prompt = "your question"});
}
/// Behaviors that lead away from a reply have no target that a text could force.
void check_suffix(const AttackConfig&, const Behavior& behavior) {
  const std::string objective = behavior.default_objective();
  if (objective != "behavior" && objective != "prompt")
    throw Error("behavior " + behavior.name() +
                " has no target that a suffix could force: use string, leak, refusal or disinformation.");
}
void check_joint(const AttackConfig& config, const Behavior& behavior) {
  check_suffix(config, behavior);
  if (config.joint_rounds < 1 || config.joint_rounds > std::max<int64_t>(1, config.optimizer.steps))
    throw Error("joint_rounds must be from 1 to the number of steps.");
}

void check_resized(const AttackConfig& config, const Behavior& behavior) {
  check_scaling(config.scaling);
  if (config.scaling.target_size.empty() && config.space != "photo")
    throw Error(
        "method scaling needs a photo that is resized: give --space photo (the model's own resizing), or "
        "--target-size and --filter of the pipeline in front of it.");
  if (config.scaling.picture.empty()) text_to_draw(config.typographic, behavior, {.prompt = "your question"});
}

struct MethodKind {
  const char* name;
  Method method;
  bool on_one_photo;  ///< and cannot be universal
  std::string (*label)(const AttackConfig&);
  int64_t (*steps)(const AttackConfig&);
  void (*check)(const AttackConfig&, const Behavior&);
};
const Registry<MethodKind> kMethods(
    "method", {{"image", Method::kImage, false, image_label, image_steps, check_nothing},
               {"typographic", Method::kTypographic, true, text_label, tries_of_text, check_text},
               {"gcg", Method::kGcg, true, suffix_label, suffix_steps, check_suffix},
               {"scaling", Method::kScaling, true, scaling_label, scaling_steps, check_resized},
               {"joint", Method::kJoint, true, joint_label, joint_steps, check_joint}});

/// One change for many photos needs a target that does not depend on the photo.
void check_universal(const AttackConfig& config, const Behavior& behavior) {
  if (!config.universal) {
    if (!config.held_out_images.empty())
      throw Error(
          "held-out photos judge a universal image: give --universal, or leave --held-out-image out.");
    return;
  }
  if (kMethods.at(config.method).on_one_photo)
    throw Error("method " + config.method + " works on one photo: use method image with --universal.");
  if (behavior.default_objective() != "behavior" && !asks_nobody(config))
    throw Error("behavior " + behavior.name() +
                " depends on what the model says to one photo: use string, leak, refusal or corpus with "
                "--universal.");
  if (config.constraint.name == "moving_patch")
    throw Error("a universal image takes no moving_patch: use constraint patch, or one photo.");
  if (config.photo_batch < 0) throw Error("--photo-batch must be 0 or more.");
}

}  // namespace

Method method_of(const AttackConfig& config) {
  return kMethods.at(config.method).method;
}

std::vector<std::string> method_names() {
  return kMethods.names();
}

int64_t planned_steps(const AttackConfig& config) {
  return kMethods.at(config.method).steps(config);
}

std::string method_label(const AttackConfig& config) {
  return kMethods.at(config.method).label(config);
}

void check_method(const AttackConfig& config, const Behavior& behavior) {
  kMethods.at(config.method).check(config, behavior);
  check_universal(config, behavior);
  if (config.defense.adaptive && config.method != "image")
    throw Error("--adaptive works with method image, not " + config.method +
                ": use --suffix-perplexity for a suffix, or hijack evaluate --adaptive.");
  if (config.space != "input" && config.space != "photo")
    throw Error("space is '" + config.space.substr(0, 40) +
                "', but must be input (the model's input size) or photo (the original photo's pixels).");
}

}  // namespace hijack
