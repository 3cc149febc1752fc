#include "src/training/robust_tower.h"

#include <torch/csrc/autograd/autograd.h>

#include "attacks/optimizer.h"
#include "models/checkpoint/parameter_source.h"
#include "src/base/error.h"
#include "src/base/fields.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "src/base/json.h"
#include "src/base/registry.h"
#include "src/training/own_replies.h"
#include "src/training/packed_batch.h"
#include "src/training/pocket_model.h"

namespace hijack {
namespace {

constexpr int64_t kQuestionsAsked = 3;  // about a scene
constexpr uint64_t kHeldOutBatches = 4;

enum class Method { kFare, kSimClip, kTecoa };
struct NamedMethod {
  const char* name;
  Method method;
};
const Registry<NamedMethod>& methods() {
  static const Registry<NamedMethod> table(
      "method", {{"fare", Method::kFare}, {"simclip", Method::kSimClip}, {"tecoa", Method::kTecoa}});
  return table;
}

Method method_of(const RobustTowerConfig& config) {
  return methods().at(config.method).method;
}

/// Before anything is read.
const RobustTowerConfig& checked_robust(const RobustTowerConfig& config) {
  const Method method = method_of(config);
  if (config.vision_steps < 1) throw Error("--steps must be 1 or more");
  if (config.inner_steps < 1 || config.inner_steps > 1000)
    throw Error("--inner-steps must be from 1 to 1000");
  if (!(config.vision_rate > 0 && config.vision_rate < 1)) throw Error("--rate must be above 0 and below 1");
  if (!(config.clean_weight >= 0 && config.clean_weight <= 1))
    throw Error("--clean-weight must be from 0 to 1");
  if (config.out.empty()) throw Error("--out needs the name of a folder");
  if (method == Method::kTecoa && !config.images.empty())
    throw Error("--method tecoa needs labels, which photos do not have: leave out --images, or take fare");
  checked(config);
  return config;
}

/// a, b [N,T,D] -> [N]
Tensor negative_cosine(const Tensor& a, const Tensor& b) {
  return -at::cosine_similarity(a, b, -1).mean(-1);
}

Tensor squared_distance(const Tensor& a, const Tensor& b) {
  return (a - b).square().sum(-1).mean(-1);
}

double share_of(const Tensor& moved, const Tensor& wanted) {
  return ((moved - wanted).square().sum() / wanted.square().sum()).sqrt().item<double>();
}

}  // namespace

std::vector<std::string> robust_methods() {
  return methods().names();
}

RobustTowerTraining::RobustTowerTraining(const RobustTowerConfig& config)
    : config_(checked_robust(config)),
      device_(config.device),
      epsilon_(parse_epsilon(config.epsilon)),
      inner_step_(parse_epsilon(config.inner_step)),
      source_(TowerToTrain::read(config.model)),
      photos_(config.images.empty() ? std::vector<Tensor>() : load_photos(config.images)),
      parameters_(config.seed, device_) {
  const bool answers = method_of(config_) == Method::kTecoa;
  if (answers && !source_.model)
    throw Error("--method tecoa needs a text side: '" + config_.model +
                "' holds a tower alone; give the folder of a llava model, or take fare");
  Weights stored(source_.tensors, config_.model);
  original_.emplace(source_.build(frozen_source(stored, device_, at::kFloat)));
  tower_.emplace(source_.build(parameters_.source(source_.config.layers)));
  source_.copy_into(parameters_);
  if (answers) model_ = model_around(source_, parameters_, device_);
  keep_settings();
}

// A training that goes on with another method or another radius would be neither.
void RobustTowerTraining::keep_settings() const {
  RobustTowerConfig plain = config_;
  plain.out.clear(), plain.device.clear(), plain.resume = false, plain.checkpoint_every = 1;
  const nlohmann::json settings = fields_to_json(fields_of(plain));
  const auto file = std::filesystem::path(config_.out) / "training.json";
  if (config_.resume) {  // where there is nothing to go on with, the trainer says so
    const nlohmann::json before = std::filesystem::exists(file) ? read_json(file) : settings;
    for (const auto& [name, value] : settings.items())
      if (before.value(name, nlohmann::json()) != value)
        throw Error("--resume: " + config_.out + " holds a training with another " + flag_name(name) +
                    "; give what it was started with");
    return;
  }
  create_model_folder(config_.out);
  write_json(file, settings);
}

Tensor RobustTowerTraining::original(const Tensor& images) const {
  const at::NoGradGuard no_gradients;
  return source_.features(*original_, images);
}

Tensor RobustTowerTraining::drawn_images(Random& random) const {
  const int64_t side = source_.config.image_size;
  if (photos_.empty()) {
    const Tensor images = from_bytes(make_vision_batch(config_.batch, random.bits(), 0).images);
    return side == kSceneSide ? images : at::upsample_bilinear2d(images, {side, side}, false);
  }
  std::vector<Tensor> images;
  for (int64_t n = 0; n < config_.batch; ++n)
    images.push_back(random_square(random.pick(photos_), side, random));
  return at::cat(images);
}

void RobustTowerTraining::draw_questions(Batch& batch, Random& random) const {
  const int64_t side = source_.config.image_size;
  const TokenIds end = model_->end_of_reply();
  std::vector<Tensor> images;
  while (static_cast<int64_t>(images.size()) < config_.batch) {
    const Scene scene = random_scene(random);
    const Tensor image = from_bytes(render(scene, random).unsqueeze(0));
    std::vector<Query> queries;
    std::vector<TokenIds> targets;
    for (int64_t n = 0; n < kQuestionsAsked; ++n) {
      const auto question = random_question(scene, random);
      if (!question) continue;
      queries.push_back({.prompt = question->prompt});
      targets.push_back(model_->target_ids(question->answer));
      targets.back().insert(targets.back().end(), end.begin(), end.end());
    }
    if (queries.empty()) continue;
    images.push_back(side == kSceneSide ? image : at::upsample_bilinear2d(image, {side, side}, false));
    batch.queries.push_back(std::move(queries));
    batch.targets.push_back(std::move(targets));
  }
  batch.images = at::cat(images).to(device_);
}

RobustTowerTraining::Batch RobustTowerTraining::draw(const char* purpose, uint64_t index) const {
  Random random = Random(config_.seed).fork(purpose, index);
  Batch batch;
  if (model_)
    draw_questions(batch, random);
  else
    batch.images = drawn_images(random).to(device_);
  batch.wanted = original(batch.images);
  return batch;
}

/// Mean negative log-likelihood of the right answers, per image.
Tensor RobustTowerTraining::answer_losses(const Batch& batch, const Tensor& images) const {
  const int64_t side = source_.config.image_size;
  const Tensor pixels = source_.processor.normalize(images);
  std::vector<ImageQueries> asked;
  for (int64_t n = 0; n < images.size(0); ++n) {
    const auto i = static_cast<size_t>(n);
    asked.push_back({{pixels.narrow(0, n, 1), side, side}, batch.queries[i], batch.targets[i]});
  }
  const auto logits = model_->logits_of_images(asked);
  std::vector<Tensor> losses;
  for (size_t i = 0; i < logits.size(); ++i) {
    std::vector<Tensor> each;
    for (size_t q = 0; q < logits[i].size(); ++q)
      each.push_back(
          at::cross_entropy_loss(logits[i][q], at::tensor(batch.targets[i][q], at::kLong).to(device_)));
    losses.push_back(at::stack(each).mean());
  }
  return at::stack(losses);
}

Tensor RobustTowerTraining::harm(const Tensor& images, const Tensor& wanted) const {
  return squared_distance(source_.features(*tower_, images), wanted);
}

Tensor RobustTowerTraining::harm(const Batch& batch, const Tensor& images) const {
  return model_ ? answer_losses(batch, images) : harm(images, batch.wanted);
}

Tensor RobustTowerTraining::search(const std::function<Tensor(const Tensor&)>& harm, const Tensor& images,
                                   int64_t steps, Random& random) const {
  const Constraint ball = LinfBall{epsilon_};
  const auto optimizer =
      make_optimizer({.name = "pgd", .steps = steps, .step_size = inner_step_, .final_step = 1}, ball);
  const Tensor origin = images.cpu();
  Tensor image = random_point(ball, origin, random).to(device_);
  for (int64_t step = 0; step < steps; ++step) {
    const Tensor leaf = image.detach().requires_grad_(true);
    const Tensor loss = -harm(leaf);
    const Tensor gradient = torch::autograd::grad({loss.sum()}, {leaf})[0];
    image = optimizer->next({leaf.detach(), loss.detach(), gradient}, ball, images, step);
  }
  return image.detach();
}

Tensor RobustTowerTraining::attacked(const VisionTower& tower, const Tensor& images, const Tensor& wanted,
                                     int64_t steps, Random& random) const {
  return search([&](const Tensor& image) { return squared_distance(source_.features(tower, image), wanted); },
                images, steps, random);
}

Tensor RobustTowerTraining::loss(const Batch& batch, const Tensor& attacked) const {
  const double share = config_.clean_weight;
  Tensor hard, easy;
  if (method_of(config_) == Method::kSimClip) {
    const Tensor moved = source_.features(*tower_, attacked), still = source_.features(*tower_, batch.images);
    hard = (negative_cosine(moved, still.detach()) + negative_cosine(still, moved.detach())) / 2;
    if (share > 0) easy = negative_cosine(still, batch.wanted);
  } else {
    hard = harm(batch, attacked);
    if (share > 0) easy = harm(batch, batch.images);
  }
  return share > 0 ? ((1 - share) * hard + share * easy).mean() : hard.mean();
}

StepLosses RobustTowerTraining::gradients(Stage, int64_t step) {
  const Batch batch = draw("robust tower", static_cast<uint64_t>(step));
  Random starts = Random(config_.seed).fork("inner attack", static_cast<uint64_t>(step));
  const Tensor attacked = search([&](const Tensor& image) { return harm(batch, image); }, batch.images,
                                 config_.inner_steps, starts);
  const Tensor total = loss(batch, attacked);
  std::vector<Tensor> leaves;
  for (const auto& [name, value] : parameters_.values()) leaves.push_back(value);
  parameters_.set_gradients(torch::autograd::grad({total}, leaves, {}, /*retain_graph=*/{},
                                                  /*create_graph=*/false, /*allow_unused=*/true));
  const at::NoGradGuard no_gradients;
  return {total.detach(), harm(batch, attacked).mean(), harm(batch, batch.images).mean()};
}

std::pair<TowerMovement, TowerMovement> RobustTowerTraining::measure() const {
  std::array<TowerMovement, 2> moved;
  for (uint64_t b = 0; b < kHeldOutBatches; ++b) {
    const Batch batch = draw("held-out images", b);
    for (size_t t = 0; t < moved.size(); ++t) {
      const VisionTower& tower = t == 0 ? *original_ : *tower_;
      Random starts = Random(config_.seed).fork("attack on held-out images", b);
      const Tensor hard = attacked(tower, batch.images, batch.wanted, 2 * config_.inner_steps, starts);
      const at::NoGradGuard no_gradients;
      moved[t].clean += share_of(source_.features(tower, batch.images), batch.wanted) / kHeldOutBatches;
      moved[t].attacked += share_of(source_.features(tower, hard), batch.wanted) / kHeldOutBatches;
    }
  }
  return {moved[0], moved[1]};
}

void RobustTowerTraining::finish() {
  source_.write(parameters_.model_values(), config_.out);
}

}  // namespace hijack
