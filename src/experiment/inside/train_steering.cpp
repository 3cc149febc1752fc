#include "src/experiment/inside/train_steering.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "defenses/decoding/steering.h"
#include "models/log_likelihood.h"
#include "models/state_hooks.h"
#include "src/base/error.h"
#include "src/experiment/inside/lasso.h"
#include "src/experiment/report/values/statistics.h"

namespace hijack {
namespace {

constexpr double kDepth = 0.44;             // 14 of 32
constexpr size_t kHonestReplies = 100;      // that the reference is made of
constexpr int64_t kFewestHonestTokens = 8;  // fewer are no mean

void check_steering(const SteeringTrainConfig& config) {
  const auto need = [](const char* flag, double value, double low, double high) {
    if (value >= low && value <= high) return;
    std::ostringstream text;
    text << flag << " must be from " << low << " to " << high << ".";
    throw Error(text.str());
  };
  if (config.out.empty()) throw Error("--out needs the name of a file.");
  need("--layer", static_cast<double>(config.layer), 0, 100000);
  need("--ablations", static_cast<double>(config.ablations), 8, 100000);
  need("--patches", static_cast<double>(config.patches), 1, 100000);
  need("--patch-side", static_cast<double>(config.patch_side), 1, 4096);
  need("--lasso", config.lasso, 0, 1e6);
  need("--prompts", static_cast<double>(config.prompts), 1, 10000);
}

struct Grid {
  int64_t rows, columns, side;
  Grid(const Tensor& image, int64_t patch_side)
      : rows((image.size(2) + patch_side - 1) / patch_side),
        columns((image.size(3) + patch_side - 1) / patch_side),
        side(patch_side) {}
  int64_t size() const { return rows * columns; }
};

/// Conversations that one image forced.
struct ForcedReplies {
  Tensor image;  // [1,3,h,w] as the model works at
  std::vector<Query> queries;
  std::vector<TokenIds> replies;
};

std::vector<ForcedReplies> forced_replies(const DetectorExamples& examples, int64_t most) {
  std::vector<ForcedReplies> all;
  std::vector<Tensor> submitted;
  for (const DetectorExample* one : examples.with({"hijack"})) {
    const Tensor& image = one->submission.image;
    const TokenIds reply = examples.model->target_ids(one->reply);
    if (reply.empty()) continue;
    size_t i = 0;
    while (i < all.size() && !same_image(submitted[i], image)) ++i;
    if (i == all.size()) {
      submitted.push_back(image);
      all.push_back({examples.model->to_input_space(image.to(examples.model->device())), {}, {}});
    }
    if (static_cast<int64_t>(all[i].queries.size()) >= most) continue;
    all[i].queries.push_back(one->submission.query);
    all[i].replies.push_back(reply);
  }
  if (all.empty())
    throw Error(
        "no image of the runs forced a reply on held-out prompts: there is nothing to steer away from.");
  return all;
}

class Directions {
 public:
  Directions(const DetectorExamples& examples, const SteeringTrainConfig& config)
      : model_(*examples.model), hooks_(state_hooks_of(model_)), config_(config) {
    for (int64_t layer = 1; layer <= hooks_.layers(); ++layer) at_.push_back({HookPoint::kResidual, layer});
  }

  /// Log-likelihood of the forced replies, a mean over the prompts.
  double likelihood(const ForcedReplies& forced, const Tensor& image) const {
    return mean(log_likelihoods(model_, model_.preprocess(image), forced.queries, forced.replies));
  }

  /// [K,D] of the last prompt token, a mean over the prompts.
  Tensor states(const ForcedReplies& forced, const Tensor& image) const {
    const auto found =
        hooks_.states_at(model_.preprocess(image), forced.queries, {}, at_, TokenChoice::kLast);
    return mean_of(found);
  }

  /// Undefined where no patch matters.
  Tensor direction(const ForcedReplies& forced, uint64_t number, SteeredImage& told) const {
    Random random = Random(config_.seed).fork("ablations", number);
    const auto measure = [&](const Tensor& image) { return likelihood(forced, image); };
    const auto patches = strongest_patches(measure, forced.image, config_, random);
    if (patches.empty()) return {};
    const Tensor ablated = without_patches(forced.image, patches, config_.patch_side);
    std::vector<int64_t> any(static_cast<size_t>(Grid(forced.image, config_.patch_side).size()));
    std::iota(any.begin(), any.end(), int64_t{0});
    random.shuffle(any);
    any.resize(patches.size());
    told = {static_cast<int64_t>(forced.queries.size()), static_cast<int64_t>(patches.size()),
            measure(forced.image), measure(ablated),
            measure(without_patches(forced.image, any, config_.patch_side))};
    return states(forced, forced.image) - states(forced, ablated);
  }

  /// [K,D], and of how many tokens.
  std::pair<Tensor, int64_t> reference(const DetectorExamples& examples) const {
    std::vector<TokenStates> found;
    for (const DetectorExample* one : examples.with({"clean"})) {
      const TokenIds reply = model_.target_ids(one->reply);
      if (reply.empty()) continue;
      const Pixels pixels = model_.preprocess(one->submission.image.to(model_.device()));
      found.push_back(
          hooks_.states_at(pixels, {&one->submission.query, 1}, {&reply, 1}, at_, TokenChoice::kReply)
              .front());
      if (found.size() == kHonestReplies) break;
    }
    int64_t tokens = 0;
    for (const TokenStates& one : found) tokens += static_cast<int64_t>(one.positions.size());
    if (tokens < kFewestHonestTokens)
      throw Error("the runs have " + std::to_string(tokens) +
                  " tokens of honest replies to the clean photos; a reference is the mean of at least " +
                  std::to_string(kFewestHonestTokens) + ".");
    return {mean_of(found), tokens};
  }

  int64_t layers() const { return hooks_.layers(); }

 private:
  /// Over all tokens.
  Tensor mean_of(const std::vector<TokenStates>& found) const {
    std::vector<Tensor> layers;
    for (size_t k = 0; k < at_.size(); ++k) {
      std::vector<Tensor> rows;
      for (const TokenStates& one : found) rows.push_back(one.states[k].to(at::kFloat));
      layers.push_back(at::cat(rows).mean(0));
    }
    return at::stack(layers).cpu();
  }

  const VisionLanguageModel& model_;
  const StateHooks& hooks_;
  const SteeringTrainConfig& config_;
  std::vector<Hook> at_;
};

int64_t chosen_layer(const SteeringTrainConfig& config, int64_t layers) {
  if (config.layer == 0) return std::max<int64_t>(1, std::llround(kDepth * static_cast<double>(layers)));
  check_hook({HookPoint::kResidual, config.layer}, layers);
  return config.layer;
}

}  // namespace

nlohmann::json to_json(const TrainedSteering& trained) {
  nlohmann::json images = nlohmann::json::array();
  for (const SteeredImage& one : trained.images)
    images.push_back({{"prompts", one.prompts},
                      {"patches", one.patches},
                      {"whole", one.whole},
                      {"without", one.without},
                      {"without_any", one.without_any}});
  return {{"layer", trained.layer}, {"honest_tokens", trained.honest}, {"images", images}};
}

Tensor without_patches(const Tensor& image, const std::vector<int64_t>& patches, int64_t side) {
  const Grid grid(image, side);
  const Tensor mean = image.mean({2, 3}, /*keepdim=*/true);
  Tensor ablated = image.clone();
  for (const int64_t patch : patches) {
    const int64_t top = patch / grid.columns * side, left = patch % grid.columns * side;
    const int64_t height = std::min(side, image.size(2) - top), width = std::min(side, image.size(3) - left);
    ablated.narrow(2, top, height).narrow(3, left, width).copy_(mean.expand({-1, -1, height, width}));
  }
  return ablated;
}

std::vector<int64_t> strongest_patches(const std::function<double(const Tensor& image)>& likelihood,
                                       const Tensor& image, const SteeringTrainConfig& config,
                                       Random& random) {
  const int64_t count = Grid(image, config.patch_side).size();
  std::vector<int64_t> all(static_cast<size_t>(count));
  std::iota(all.begin(), all.end(), int64_t{0});
  Tensor kept = at::ones({config.ablations, count}, at::kDouble),
         found = at::zeros({config.ablations}, at::kDouble);
  for (int64_t i = 0; i < config.ablations; ++i) {
    random.shuffle(all);
    const std::vector<int64_t> gone(all.begin(), all.begin() + count / 2);
    kept[i].index_fill_(0, at::tensor(gone, at::kLong), 0);
    found[i] = likelihood(without_patches(image, gone, config.patch_side));
  }
  const Tensor weights = lasso(kept, found, config.lasso);
  const Tensor order = weights.argsort(/*stable=*/true, 0, /*descending=*/true);
  std::vector<int64_t> strongest;
  for (int64_t i = 0; i < std::min(config.patches, count); ++i) {
    const int64_t patch = order[i].item<int64_t>();
    if (weights[patch].item<double>() > 0) strongest.push_back(patch);
  }
  return strongest;
}

TrainedSteering train_steering(const SteeringTrainConfig& config,
                               const std::function<void(const std::string&)>& note) {
  check_steering(config);
  const at::NoGradGuard no_gradients;
  const DetectorExamples examples = read_examples(config.runs, config.moved_models);
  const Directions directions(examples, config);
  TrainedSteering trained{.layer = chosen_layer(config, directions.layers())};
  const std::vector<ForcedReplies> forced = forced_replies(examples, config.prompts);
  std::vector<Tensor> found;
  for (size_t i = 0; i < forced.size(); ++i) {
    note("image " + std::to_string(i + 1) + " of " + std::to_string(forced.size()) + ": " +
         std::to_string(config.ablations) + " ablations");
    SteeredImage told;
    const Tensor direction = directions.direction(forced[i], i, told);
    if (!direction.defined()) continue;
    found.push_back(direction);
    trained.images.push_back(told);
  }
  if (found.empty())
    throw Error(
        "no patch of the images makes the forced replies more likely: smaller --lasso, or more "
        "--ablations.");
  const auto [reference, tokens] = directions.reference(examples);
  trained.honest = tokens;
  const SteeringVectors vectors{at::stack(found).mean(0).contiguous(), reference.contiguous()};
  save_trained(config.out, Steering::kName, vectors.tensors(),
               {{"model", examples.model_name},
                {"model_sha256", examples.model_sha256},
                {"layer", std::to_string(trained.layer)},
                {"measured", to_json(trained).dump()}});
  return trained;
}

}  // namespace hijack
