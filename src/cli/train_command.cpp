#include <iostream>

#include "models/load_model.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/cli/commands.h"
#include "src/cli/field_options.h"
#include "src/cli/output_options.h"
#include "src/cli/run_training.h"
#include "src/cli/text.h"
#include "src/cli/train_detector_command.h"
#include "src/cli/train_robust_tower_command.h"
#include "src/cli/train_sae_command.h"
#include "src/cli/train_steering_command.h"
#include "src/training/chat_check.h"
#include "src/training/evaluation.h"
#include "src/training/eye_training.h"
#include "src/training/pocket_training.h"

namespace hijack::cli {
namespace {

constexpr uint64_t kEvaluationSeed = 99;
constexpr int64_t kChatPrompts = 48;

void put_tasks(const VisionLanguageModel& model, const std::vector<UtilityItem>& items,
               nlohmann::ordered_json& measured) {
  std::vector<std::vector<std::string>> rows = {{"task", "right on held-out scenes and wordings"}};
  for (const auto& [task, score] : score_tasks(model, items)) {
    rows.push_back({task, rate_text(score.right, score.n)});
    measured["tasks"][task] = {
        {"right", score.right}, {"n", score.n}, {"visual", score.visual}, {"wrong", score.wrong}};
  }
  std::cout << table_text(rows);
}

void put_gate(const VisionLanguageModel& model, uint64_t seed, nlohmann::ordered_json& measured) {
  const HijackGate gate = measure_gate(model, seed);
  measured["gate"] = {{"participation_ratio", gate.participation_ratio},
                      {"dimensions_90", gate.dimensions_90},
                      {"movement", gate.movement}};
  std::cout << "gate: participation ratio " << fixed(gate.participation_ratio, 2)
            << " (>= 30), dimensions for 90 % " << fixed(gate.dimensions_90, 2) << " (>= 40), movement "
            << fixed(gate.movement, 2) << " (.2-.3)\n";
}

void put_chat(const ChatCheck& check, nlohmann::ordered_json& measured) {
  measured["chat"] = {{"replies", check.replies},
                      {"equal_first", check.equal_first},
                      {"nll_without", check.nll_without},
                      {"nll_with", check.nll_with}};
  std::cout << "chat: first token as without an image " << rate_text(check.equal_first, check.replies)
            << ", negative log-likelihood of the decoder's own replies " << fixed(check.nll_without, 2)
            << " -> " << fixed(check.nll_with, 2) << " nats a token (+"
            << fixed(check.nll_with - check.nll_without, 2) << ", goal < .15)\n";
}

void keep(const std::string& out, const nlohmann::ordered_json& measured) {
  write_file(std::filesystem::path(out) / "evaluation.json", measured.dump(1) + "\n");
  std::cout << out << std::endl;
}

/// Prints and stores what the model can do, and whether hijacks are possible on it.
void evaluate(const PocketTrainConfig& config, int64_t questions) {
  const auto model = load_model(config.out, {.device = config.device, .dtype = "float32"});
  nlohmann::ordered_json measured;
  put_tasks(*model, utility_set(Texts::kAny, questions, kEvaluationSeed), measured);
  put_gate(*model, config.seed, measured);
  keep(config.out, measured);
}

void evaluate(const EyeTrainConfig& config, int64_t questions) {
  const auto file = std::filesystem::path(config.out) / "eye.safetensors";
  const TensorMap stored = read_eye(file);
  Parameters parameters(config.seed, at::Device(config.device));
  const EyeModel eye(config.decoder, config.out, parameters, at::Device(config.device));
  start_from(parameters, stored, file);
  nlohmann::ordered_json measured;
  put_tasks(*eye.model, visual_utility_set(questions, kEvaluationSeed), measured);
  put_gate(*eye.model, config.seed, measured);
  const auto photos = config.photos.empty() ? std::vector<Tensor>() : load_photos(config.photos);
  put_chat(check_chat(eye, photos, kChatPrompts, kEvaluationSeed), measured);
  keep(config.out, measured);
}

template <class Config>
struct TrainArguments {
  Config config;
  bool evaluate_only = false;
  int64_t questions = 0;
  OutputOptions output;
};

/// One subcommand: flags, training, closing evaluation.
template <class Config, class ModelTraining>
void add_training(CLI::App& command, const std::string& name, const std::string& help, int64_t questions,
                  const std::function<std::string(const Config&)>& again, Action& chosen) {
  CLI::App* sub = command.add_subcommand(name, help);
  auto arguments = std::make_shared<TrainArguments<Config>>();
  arguments->questions = questions;
  auto options = std::make_shared<FieldOptions>(*sub, fields_of(arguments->config));
  sub->add_flag("--evaluate-only", arguments->evaluate_only, "measure the model in --out again");
  sub->add_option("--questions", arguments->questions, "questions of the closing evaluation; 0: none")
      ->capture_default_str();
  arguments->output.add_to(*sub, "");
  sub->callback([&chosen, arguments, options, again] {
    chosen = [arguments, options, again] {
      arguments->output.apply();
      options->apply();
      const Config& config = arguments->config;
      if (!arguments->evaluate_only) {
        ModelTraining training(config);
        if (!run_training(config, training, again(config))) return 1;
      }
      if (arguments->questions > 0) evaluate(config, arguments->questions);
      return 0;
    };
  });
}

void add_assemble(CLI::App& command, Action& chosen) {
  CLI::App* sub = command.add_subcommand("assemble", "a trained eye and its decoder as one model folder");
  auto config = std::make_shared<EyeTrainConfig>();
  sub->add_option("--decoder", config->decoder, "folder of the text decoder")->required();
  sub->add_option("--eye", config->start, "eye.safetensors, as hijack train eye writes it")->required();
  sub->add_option("--out", config->out, "the folder to be written")->required();
  sub->add_option(
      "--image-token", config->image_token,
      "added token of the decoder's tokenizer that becomes <image>; empty: the first that nothing "
      "uses");
  sub->callback([&chosen, config] {
    chosen = [config] {
      assemble_eye(*config);
      std::cout << config->out << std::endl;
      return 0;
    };
  });
}

}  // namespace

void add_train(CLI::App& program, Action& chosen) {
  CLI::App* command = program.add_subcommand("train",
                                             "make a model from nothing, an eye for a text model, a robust "
                                             "tower, a detector of hijacks, a direction "
                                             "to steer away from or a dictionary of states");
  command->require_subcommand(1);
  add_training<PocketTrainConfig, PocketTraining>(
      *command, "pocket", "the shipped model, from generated data", 1200,
      [](const PocketTrainConfig&) { return std::string("hijack train pocket"); }, chosen);
  add_training<EyeTrainConfig, EyeTraining>(
      *command, "eye", "tower and projector in front of a frozen text decoder", 600,
      [](const EyeTrainConfig& config) { return "hijack train eye --decoder " + shell_word(config.decoder); },
      chosen);
  add_assemble(*command, chosen);
  add_train_detector(*command, chosen);
  add_train_sae(*command, chosen);
  add_train_robust_tower(*command, chosen);
  add_train_steering(*command, chosen);
}

}  // namespace hijack::cli
