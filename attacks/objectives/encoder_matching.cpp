#include "attacks/objectives/encoder_matching.h"

#include <ATen/ATen.h>

#include <numeric>

#include "attacks/objectives/token_transport.h"
#include "src/base/error.h"

namespace hijack {

namespace {

std::vector<EncodedImages> encoded_all(const ImageEncoder& encoder, const std::vector<Tensor>& images) {
  const at::NoGradGuard no_gradients;
  std::vector<EncodedImages> all;
  for (const Tensor& image : images) all.push_back(encoder.encode(image));
  return all;
}

}  // namespace

EncoderMatching::EncoderMatching(std::vector<std::shared_ptr<const ImageEncoder>> encoders, Terms terms,
                                 EncoderTarget target, std::vector<Tensor> photos,
                                 const SurrogateConfig& config, uint64_t seed)
    : terms_(std::move(terms)),
      target_(std::move(target)),
      config_(config),
      source_(parse_window(config.source_crop, "--source-crop")),
      target_window_(parse_window(config.target_crop, "--target-crop")),
      seed_(seed),
      photos_(photos.size()),
      choice_(config.choice, encoders.size(), seed),
      every_(encoders.size()) {
  std::iota(every_.begin(), every_.end(), size_t{0});
  const at::NoGradGuard no_gradients;
  for (auto& encoder : encoders) {
    Encoder one{std::move(encoder), {}, {}, {}};
    if (!target_.text.empty()) one.text = one.encoder->text_embedding(target_.text);
    if (has(EncoderTerm::kAway))
      for (const Tensor& photo : photos) one.clean.push_back(one.encoder->encode(photo).embedding);
    one.target = encoded_all(*one.encoder, target_views({}));
    encoders_.push_back(std::move(one));
  }
}

bool EncoderMatching::has(EncoderTerm term) const {
  return std::any_of(terms_.begin(), terms_.end(), [&](const auto& one) { return one.first == term; });
}

bool EncoderMatching::deterministic() const {
  return source_.whole() && target_stands() && config_.weights == "equal" && choice_.all();
}

bool EncoderMatching::images_apart() const {
  return config_.weights == "equal" && !(has(EncoderTerm::kAway) && photos_ > 1);
}

std::vector<Tensor> EncoderMatching::target_views(std::optional<int64_t> step) const {
  std::vector<Tensor> views;
  if (!target_.image.defined()) return views;
  views.push_back(target_.image);
  views.insert(views.end(), target_.auxiliary.begin(), target_.auxiliary.end());
  if (!step) return views;
  for (size_t i = 0; i < views.size(); ++i) {
    Random random = Random(seed_).fork("target view", static_cast<uint64_t>(*step)).fork("picture", i);
    views[i] = random_turn(random_window(views[i], target_window_, random), config_.target_rotation, random);
  }
  return views;
}

Tensor EncoderMatching::transport(const Tensor& patches, const Tensor& target, uint64_t number) const {
  const auto centers = [&](const Tensor& tokens, const char* of) {
    Random random = Random(seed_).fork(of, number);  // the same at every step
    return token_centers(tokens, config_.clusters, random);
  };
  const Tensor wanted = centers(target[0], "target centers");
  std::vector<Tensor> costs;
  for (int64_t n = 0; n < patches.size(0); ++n)
    costs.push_back(transport_cost(centers(patches[n], "source centers"), wanted));
  return at::stack(costs);
}

Tensor EncoderMatching::term_loss(EncoderTerm term, const Encoder& encoder, const EncodedImages& seen,
                                  const std::vector<EncodedImages>& target, uint64_t number) const {
  if (term == EncoderTerm::kAway) return 1 + embedding_cosine(seen.embedding, encoder.clean.at(photo_));
  if (term == EncoderTerm::kTransport) return transport(seen.patches, target.at(0).patches, number);
  if (encoder.text.defined()) return 1 - embedding_cosine(seen.embedding, encoder.text);
  const Tensor loss = 1 - embedding_cosine(seen.embedding, target.at(0).embedding);
  if (target.size() == 1) return loss;
  Tensor others;
  for (size_t i = 1; i < target.size(); ++i) {
    const Tensor one = 1 - embedding_cosine(seen.embedding, target[i].embedding);
    others = others.defined() ? others + one : one;
  }
  return loss + config_.auxiliary_weight / static_cast<double>(target.size() - 1) * others;
}

Tensor EncoderMatching::loss_of(const Encoder& encoder, const std::vector<Tensor>& views,
                                const std::vector<EncodedImages>& target, uint64_t number) const {
  const EncodedImages seen = encoder.encoder->encode(at::cat(views));
  Tensor sum;
  for (const auto& [term, weight] : terms_) {
    const Tensor one = weight * term_loss(term, encoder, seen, target, number);  // [K*N]
    sum = sum.defined() ? sum + one : one;
  }
  return sum.view({static_cast<int64_t>(views.size()), -1}).mean(0);
}

std::vector<Tensor> EncoderMatching::losses(const std::vector<Tensor>& views, std::optional<int64_t> step,
                                            const std::vector<size_t>& chosen) const {
  const bool as_it_is = !step || target_stands();
  const std::vector<Tensor> pictures = as_it_is ? std::vector<Tensor>{} : target_views(step);
  std::vector<Tensor> all;
  for (const size_t i : chosen) {
    const Encoder& one = encoders_[i];
    all.push_back(loss_of(one, views, as_it_is ? one.target : encoded_all(*one.encoder, pictures), i));
  }
  return all;
}

Tensor EncoderMatching::comparable_loss(const Tensor& image) {
  return at::stack(losses({image}, {}, every_)).mean(0);
}

/// Every term is 1 less or more a cosine, or a mean of such with weights that sum to 1 (transport).
double EncoderMatching::loss_at_no_cosine() const {
  double sum = 0;
  for (const auto& [term, weight] : terms_)
    sum += weight *
           (term == EncoderTerm::kEmbedding && !target_.auxiliary.empty() ? 1 + config_.auxiliary_weight : 1);
  return sum;
}

Tensor EncoderMatching::loss(const Tensor& image, int64_t step) {
  std::vector<Tensor> views;
  for (int64_t k = 0; k < config_.crops; ++k) {
    Random random = Random(seed_).fork("source view", static_cast<uint64_t>(step * config_.crops + k));
    views.push_back(random_window(image, source_, random));
  }
  const std::vector<size_t>& chosen = comparing_ ? every_ : choice_.current();
  const Tensor all = at::stack(losses(views, step, chosen));  // [n,N]
  for (size_t i = 0; i < chosen.size() && !comparing_; ++i)
    choice_.learn(chosen[i], all[static_cast<int64_t>(i)].detach() - loss_at_no_cosine());
  if (config_.weights == "equal") return all.mean(0);
  current_ = all.detach().mean(1);
  const Tensor ratio = previous_.defined() ? current_ / previous_.clamp_min(1e-8) : at::ones_like(current_);
  return (ratio.softmax(0).unsqueeze(1) * all).sum(0);
}

void EncoderMatching::after_step(const Tensor&, int64_t) {
  previous_ = current_;
  choice_.end_step();
}

ObjectiveState EncoderMatching::state() const {
  ObjectiveState state = choice_.state();
  if (previous_.defined()) state["surrogate_losses"] = previous_;
  return state;
}

void EncoderMatching::restore(const ObjectiveState& state) {
  const auto found = state.find("surrogate_losses");
  previous_ = found == state.end() ? Tensor() : found->second;
  choice_.restore(state);
}

void check(const SurrogateConfig& config) {
  parse_window(config.source_crop, "--source-crop");
  parse_window(config.target_crop, "--target-crop");
  if (config.weights != "equal" && config.weights != "ratio")
    throw Error("--surrogate-weights is '" + config.weights.substr(0, 40) + "', but must be equal or ratio.");
  check(config.choice);
  if (config.crops < 1 || config.crops > 64) throw Error("--crops must be from 1 to 64.");
  if (config.crops > 1 && config.source_crop.empty())
    throw Error("--crops are windows of the image: give their size, --source-crop 0.5-1.");
  if (config.clusters < 1 || config.clusters > 256) throw Error("--clusters must be from 1 to 256.");
  if (!(config.target_rotation >= 0 && config.target_rotation <= 180))
    throw Error("--target-rotation must lie in [0,180] (degrees).");
  if (!(config.auxiliary_weight >= 0 && config.auxiliary_weight <= 100))
    throw Error("--auxiliary-weight must lie in [0,100].");
}

}  // namespace hijack
