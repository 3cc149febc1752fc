#include "attacks/wrappers/cropa.h"

#include <charconv>

#include "models/embedding_access.h"
#include "src/base/error.h"
#include "src/base/nearest.h"
#include "src/base/tensor_math.h"

namespace hijack {
namespace {

constexpr double kTiny = 1e-30;
const std::vector<std::string> kNorms = {"linf", "l2"};

/// Each row [D] no longer than `longest`.
Tensor shortened(const Tensor& rows, double longest) {
  const Tensor lengths = rows.norm(2, {1}, /*keepdim=*/true).clamp_min(kTiny);
  return rows * (longest / lengths).clamp_max(1);
}

std::string name_of(size_t model, size_t context) {
  return "shift." + std::to_string(model) + "." + std::to_string(context);
}

}  // namespace

void check(const CropaConfig& config) {
  if (!(config.radius >= 0 && config.radius <= 1e6)) throw Error("--cropa-radius must be from 0 to 1000000.");
  if (!(config.step > 0 && config.step <= 1e6))
    throw Error("--cropa-step must be above 0 and at most 1000000.");
  if (config.every < 1 || config.every > 1'000'000) throw Error("--cropa-every must be from 1 to 1000000.");
  if (std::find(kNorms.begin(), kNorms.end(), config.norm) == kNorms.end())
    throw Error(unknown_name("norm of adversarial prompts", config.norm, kNorms));
}

ShiftedModel::ShiftedModel(std::shared_ptr<const VisionLanguageModel> inner,
                           const std::vector<Context>& contexts)
    : ModelDecorator(std::move(inner)) {
  for (const Context& context : contexts) numbers_.emplace(key_of(context), numbers_.size());
}

Tensor ShiftedModel::shift_for(const Pixels& pixels, const Query& query) const {
  const auto known = numbers_.find(key_of(query));
  if (known == numbers_.end()) return {};
  const auto drifted = shifts.find(known->second);
  if (!opened_) return drifted == shifts.end() ? Tensor() : drifted->second;
  if (const auto leaf = leaves_.find(known->second); leaf != leaves_.end()) return leaf->second.shift;
  const Tensor embeddings = prompt_embeddings_of(inner()).prompt_embeddings(pixels, query);
  if (!embeddings.defined())
    throw Error("the embeddings of the prompt '" + query.prompt.substr(0, 80) +
                "' cannot be told apart in a " + family() +
                " model: attack it without adversarial prompts (--cropa-radius 0).");
  const Tensor start = drifted == shifts.end() ? at::zeros_like(at_least_float(embeddings)) : drifted->second;
  Leaf leaf{start.detach().clone().requires_grad_(true), embeddings.detach()};
  return leaves_.emplace(known->second, std::move(leaf)).first->second.shift;
}

std::vector<Tensor> ShiftedModel::target_logits(const Pixels& pixels, std::span<const Query> queries,
                                                std::span<const TokenIds> targets) const {
  if (!enabled || (!opened_ && shifts.empty())) return inner().target_logits(pixels, queries, targets);
  std::vector<Tensor> wanted;
  for (const Query& query : queries) wanted.push_back(shift_for(pixels, query));
  return prompt_embeddings_of(inner()).shifted_target_logits(pixels, queries, targets, wanted);
}

std::map<size_t, ShiftedModel::Leaf> ShiftedModel::close() {
  opened_ = false;
  return std::exchange(leaves_, {});
}

Cropa::Cropa(std::unique_ptr<Objective> inner, std::vector<std::shared_ptr<ShiftedModel>> models,
             const CropaConfig& config)
    : inner_(std::move(inner)), models_(std::move(models)), config_(config) {
  check(config_);
}

Tensor Cropa::loss(const Tensor& image, int64_t step) {
  places_.clear();
  if (!prompts_move(step) || !at::GradMode::is_enabled()) return inner_->loss(image, step);
  for (const auto& model : models_) model->open();
  const Tensor loss = inner_->loss(image, step);
  for (const auto& model : models_)
    for (auto& [context, leaf] : model->close()) places_.push_back({model.get(), context, leaf, {}});
  TORCH_CHECK(!places_.empty(), "no prompt takes part in this objective");
  return loss;
}

std::vector<Tensor> Cropa::leaves() {
  std::vector<Tensor> shifts;
  for (const Place& place : places_) shifts.push_back(place.leaf.shift);
  return shifts;
}

void Cropa::take(std::span<const Tensor> gradients) {
  for (size_t i = 0; i < gradients.size(); ++i) places_[i].gradient = gradients[i];
}

Tensor Cropa::ascended(const Place& place) const {
  const at::NoGradGuard no_gradients;
  const auto& [shift, embeddings] = place.leaf;
  const double size = at_least_float(embeddings).square().mean().sqrt().item<double>();
  const double step = config_.step * size, radius = config_.radius * size;
  if (config_.norm == "linf") return (shift + step * place.gradient.sign()).clamp(-radius, radius);
  const double width = std::sqrt(static_cast<double>(shift.size(1)));  // of a token of that size
  const Tensor lengths = place.gradient.norm(2, {1}, /*keepdim=*/true).clamp_min(kTiny);
  return shortened(shift + step * width * place.gradient / lengths, radius * width);
}

void Cropa::after_step(const Tensor&, int64_t) {
  for (const Place& place : std::exchange(places_, {}))
    if (place.gradient.defined() && place.gradient.isfinite().all().item<bool>())
      place.model->shifts[place.context] = ascended(place).detach();
}

Tensor Cropa::comparable_loss(const Tensor& image) {
  places_.clear();
  for (const auto& model : models_) model->enabled = false;
  const Tensor loss = inner_->comparable_loss(image);
  for (const auto& model : models_) model->enabled = true;
  return loss;
}

ObjectiveState Cropa::state() const {
  ObjectiveState state;
  for (size_t m = 0; m < models_.size(); ++m)
    for (const auto& [context, shift] : models_[m]->shifts) state[name_of(m, context)] = shift;
  return state;
}

void Cropa::restore(const ObjectiveState& state) {
  for (const auto& model : models_) model->shifts.clear();
  for (const auto& [name, shift] : state) {
    const char* const end = name.data() + name.size();
    size_t model = 0, context = 0;
    const size_t dot = name.find('.', 6);
    if (dot != std::string::npos) {
      std::from_chars(name.data() + 6, end, model);
      std::from_chars(name.data() + dot + 1, end, context);
    }
    if (model >= models_.size() || name != name_of(model, context))
      throw Error("the saved objective has '" + name.substr(0, 40) +
                  "', which this attack does not know: resume with the settings that began the run.");
    models_[model]->shifts[context] = shift;
  }
}

}  // namespace hijack
