#include "src/experiment/run/question.h"

#include "defenses/make_defense.h"
#include "src/base/image.h"
#include "src/base/sha256.h"
#include "src/experiment/plan/dataset.h"
#include "src/experiment/plan/identity.h"
#include "src/experiment/plan/machine.h"
#include "src/experiment/plan/prompt_digest.h"
#include "src/experiment/run/victim.h"

namespace hijack {

using nlohmann::json;

namespace {

std::string hash_of_values(const Tensor& image) {
  const Tensor bytes = to_bytes(image).contiguous().cpu();
  return sha256(
      {reinterpret_cast<const char*>(bytes.const_data_ptr<uint8_t>()), static_cast<size_t>(bytes.numel())});
}

}  // namespace

IdentifiedStack make_stack(DefenseMaker& maker, const std::vector<std::string>& specs,
                           const DefenseMaker::Situation& situation) {
  IdentifiedStack stack{.defenses = maker.make(specs, situation)};
  if (stack.defenses.empty()) return stack;
  stack.record = {{"defense", stack.name()}};
  json fitted_on = json::array();
  for (const Calibration& calibration : stack_calibrations(stack.defenses))
    if (calibration.n > 0) fitted_on.push_back(calibration.fitted_on);
  if (!fitted_on.empty()) {
    stack.record["false_positive_rate"] = situation.false_positive_rate;
    stack.record["calibrated_on"] = digest_of(fitted_on);
    stack.prompts = json::array();
    for (const Context& context : situation.calibration) stack.prompts.push_back(prompt_digest(context));
    stack.record["calibration_prompts"] = digest_of(stack.prompts);
    const std::string victim = victim_name(*situation.model);
    if (!victim.empty()) stack.record["victim"] = victim;
    const std::string sampling = situation.config.sampling.text();
    if (!sampling.empty()) stack.record["sampling"] = sampling;  // thresholds of replies depend on it
  }
  json content = stack.record;  // the name of a model's folder is nobody's identity
  content["defense"] = json::array();
  for (size_t i = 0; i < specs.size(); ++i) {
    std::string hash;
    with_own_model(specs[i], [&](const std::string& folder) {
      hash = model_hash(folder);
      stack.models.push_back(folder);
      stack.record["own_model_sha256"].push_back(hash);
    });
    content["defense"].push_back(
        with_own_model(stack.defenses[i]->name(), [&](std::string& model) { model = hash; }));
  }
  stack.digest = digest_of(stack.models.empty() ? stack.record : content);
  return stack;
}

json calibration_entries(const IdentifiedStack& stack) {
  json entries = json::array();
  for (const Calibration& calibration : stack_calibrations(stack.defenses)) {
    entries.push_back(calibration_entry(calibration));
    entries.back()["stack"] = stack.digest;
    if (calibration.n > 0) entries.back()["prompts"] = stack.prompts;
  }
  return entries;
}

QuestionKeys::QuestionKeys(const std::string& model, const AttackConfig& config, const ReplySettings& replies,
                           const std::string& victim)
    : model_({{"model", model_hash(model)},
              {"dtype", config.dtype},
              {"views", config.views},
              {"max_pixels", config.max_pixels},
              {"reply_tokens", replies.max_new_tokens}}) {
  const LoadOptions options = load_options(config, model);
  if (!options.vision_tower.empty()) model_["vision_tower"] = model_hash(options.vision_tower);
  if (!options.adapter.empty()) model_["adapter"] = model_hash(options.adapter);
  if (!victim.empty()) model_["victim"] = victim;
  if (replies.sampling.greedy()) return;
  model_["sampling"] = replies.sampling.text();
  model_["seed"] = replies.seed;
}

std::string QuestionKeys::hash_of(const Tensor& image) {
  if (!image.defined()) return "none";
  if (last_image_.defined() && last_image_.is_same(image)) return last_hash_;
  last_image_ = image;
  return last_hash_ = hash_of_values(image);
}

std::string QuestionKeys::of(const Submission& submission, const IdentifiedStack& stack) {
  const Tensor& image = submission.image;
  json asked = {{"model", model_},
                {"stack", stack.digest},
                {"image", hash_of(image)},
                {"size", image.defined() ? json(image.sizes().vec()) : json()},
                {"context", context_to_json(submission.query)}};
  if (submission.draw > 0) asked["draw"] = submission.draw;
  return digest_of(asked);
}

}  // namespace hijack
