#include "src/training/trainer.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "src/base/error.h"
#include "src/base/file.h"

namespace hijack {
namespace {

constexpr int64_t kWarmup = 100;
constexpr double kDecayShare = 0.3;
constexpr double kClip = 1.0;
constexpr int64_t kTellEvery = 20;

std::filesystem::path checkpoint_file(const TrainConfig& config) {
  return std::filesystem::path(config.out) / "checkpoint.safetensors";
}

}  // namespace

const TrainConfig& checked(const TrainConfig& config) {
  const auto need = [](bool good, const std::string& sentence) {
    if (!good) throw Error(sentence);
  };
  need(config.vision_steps >= 0, "--vision-steps must be 0 or more");
  need(config.joint_steps >= 0, "--joint-steps must be 0 or more");
  need(config.batch > 0 && config.batch <= 4096, "--batch must be from 1 to 4096");
  need(config.checkpoint_every > 0, "--checkpoint-every must be 1 or more");
  for (const double rate : {config.vision_rate, config.joint_rate})
    need(rate > 0 && rate < 1, "learning rates must be above 0 and below 1");
  need(config.tower_share >= 0 && config.tower_share <= 1, "--tower-share must be from 0 to 1");
  need(config.weight_decay >= 0 && config.weight_decay < 1, "--weight-decay must be from 0 to 1");
  need(config.resume || !std::filesystem::exists(checkpoint_file(config)),
       config.out + " holds a training already; go on with it (--resume) or name another --out");
  return config;
}

std::string stage_name(Stage stage) {
  return stage == Stage::kJoint ? "joint" : "vision";
}

Trainer::Trainer(const TrainConfig& config, Training& training) : config_(config), training_(training) {
  if (config_.resume) load_checkpoint();
}

int64_t Trainer::steps_of(Stage stage) const {
  return stage == Stage::kJoint ? config_.joint_steps : config_.vision_steps;
}

double Trainer::rate_at(Stage stage, int64_t step, const std::string& name) const {
  const bool joint = stage == Stage::kJoint;
  const int64_t steps = steps_of(stage);
  const double warm = std::min(1.0, static_cast<double>(step + 1) / kWarmup);
  // constant, then linear to zero: a run can be made longer from any checkpoint before the decay
  const double left = static_cast<double>(steps - step) / static_cast<double>(std::max<int64_t>(steps, 1));
  double rate = (joint ? config_.joint_rate : config_.vision_rate) * warm * std::min(1.0, left / kDecayShare);
  if (joint && name.starts_with("vision_tower")) rate *= config_.tower_share;
  return rate;
}

bool Trainer::run_stage(Stage stage, const std::function<void(const TrainProgress&)>& tell,
                        std::stop_token stop) {
  const int64_t steps = steps_of(stage), first = step_;
  int64_t step = first;
  training_.begin(stage, step);
  const auto start = std::chrono::steady_clock::now();
  for (; step < steps && !stop.stop_requested(); ++step) {
    const StepLosses now = training_.gradients(stage, step);
    training_.parameters().clip_gradients(kClip);
    training_.parameters().step([&](const std::string& name) { return rate_at(stage, step, name); },
                                config_.weight_decay);
    if ((step + 1) % config_.checkpoint_every == 0) save_checkpoint(stage, step + 1);
    if (step % kTellEvery != 0 && step + 1 != steps) continue;
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const TrainProgress progress{stage_name(stage),
                                 step + 1,
                                 steps,
                                 now.answer.item<double>(),
                                 now.label.item<double>(),
                                 now.reconstruction.item<double>(),
                                 rate_at(stage, step, "decoder"),
                                 static_cast<double>((step + 1 - first) * config_.batch) / seconds,
                                 seconds};
    if (!std::isfinite(progress.answer_loss + progress.label_loss + progress.reconstruction_loss))
      throw Failure("training diverged at step " + std::to_string(step) + ": the loss is not finite");
    log(progress);
    tell(progress);
  }
  save_checkpoint(stage, step);
  return step >= steps;
}

bool Trainer::run(const std::function<void(const TrainProgress&)>& tell, std::stop_token stop) {
  if (stage_ == Stage::kVision) {
    if (!run_stage(Stage::kVision, tell, stop)) return false;
    training_.parameters().reset_moments();
    stage_ = Stage::kJoint;
    step_ = 0;
  }
  if (!run_stage(Stage::kJoint, tell, stop)) return false;
  training_.finish();
  return true;
}

void Trainer::log(const TrainProgress& p) const {
  std::ofstream file(std::filesystem::path(config_.out) / "training_log.jsonl", std::ios::app);
  const auto round = [](double x) { return std::round(x * 1e5) / 1e5; };
  const auto names = training_.loss_names();
  file << nlohmann::json{{"stage", p.stage},
                         {"step", p.step},
                         {names[0], round(p.answer_loss)},
                         {names[1], round(p.label_loss)},
                         {names[2], round(p.reconstruction_loss)},
                         {"rate", p.rate},
                         {"sequences_per_second", round(p.sequences_per_second)},
                         {"seconds", std::round(p.seconds * 10) / 10}}
              .dump()
       << "\n";
}

// The place in the schedule travels as a tensor beside the parameters: [stage, step, seed].
void Trainer::save_checkpoint(Stage stage, int64_t step) const {
  TensorMap state = training_.parameters().state();
  state["progress"] =
      at::tensor({int64_t{stage == Stage::kJoint}, step, static_cast<int64_t>(config_.seed)}, at::kLong);
  save_safetensors(state, checkpoint_file(config_));
}

void Trainer::load_checkpoint() {
  const auto file = checkpoint_file(config_);
  if (!std::filesystem::exists(file))
    throw Error("--resume: " + file.string() + " does not exist; start without --resume");
  const TensorMap state = load_safetensors(file);
  const auto progress = state.find("progress");
  if (progress == state.end() || progress->second.numel() != 3 || progress->second.scalar_type() != at::kLong)
    throw Error(file.string() + " is not a training checkpoint; start without --resume");
  const auto* values = progress->second.const_data_ptr<int64_t>();
  if (values[2] != static_cast<int64_t>(config_.seed))
    throw Error(file.string() + " was made with seed " + std::to_string(values[2]) + "; pass that seed");
  training_.parameters().restore(state, file.string());
  stage_ = values[0] == 1 ? Stage::kJoint : Stage::kVision;
  step_ = values[1];
}

}  // namespace hijack
