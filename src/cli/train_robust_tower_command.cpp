#include "src/cli/train_robust_tower_command.h"

#include <iostream>
#include <nlohmann/json.hpp>

#include "models/load_model.h"
#include "src/base/file.h"
#include "src/cli/field_options.h"
#include "src/cli/output_options.h"
#include "src/cli/run_training.h"
#include "src/cli/text.h"
#include "src/experiment/plan/shipped.h"
#include "src/training/evaluation.h"
#include "src/training/robust_tower.h"

namespace hijack::cli {
namespace {

constexpr uint64_t kQuestionSeed = 99;

struct RobustArguments {
  RobustTowerConfig config;
  int64_t questions = 0;
  OutputOptions output;
};

nlohmann::json put_movement(std::ostream& out, const RobustTowerTraining& training) {
  const auto [before, after] = training.measure();
  out << table_text({{"tower", "features moved, clean", "attacked"},
                     {"original", significant(before.clean, 3), significant(before.attacked, 3)},
                     {"robust", significant(after.clean, 3), significant(after.attacked, 3)}});
  return {{"original", {{"clean", before.clean}, {"attacked", before.attacked}}},
          {"robust", {{"clean", after.clean}, {"attacked", after.attacked}}}};
}

/// Right answers to questions about drawn scenes, with the tower of before and the new one.
nlohmann::json put_questions(std::ostream& out, const RobustTowerConfig& config, int64_t count) {
  const auto items = visual_utility_set(count, kQuestionSeed);
  LoadOptions options{.device = config.device, .dtype = "float32"};
  const auto before = score_tasks(*load_model(config.model, options), items);
  options.vision_tower = config.out;
  const auto after = score_tasks(*load_model(config.model, options), items);
  std::vector<std::vector<std::string>> rows = {{"task", "right with the original tower", "robust"}};
  nlohmann::json measured;
  for (const auto& [task, score] : before) {
    const TaskScore& now = after.at(task);
    rows.push_back({task, rate_text(score.right, score.n), rate_text(now.right, now.n)});
    measured[task] = {{"n", score.n}, {"original", score.right}, {"robust", now.right}};
  }
  out << table_text(rows);
  return measured;
}

int train_robust(RobustArguments& arguments) {
  arguments.output.apply();
  RobustTowerConfig& config = arguments.config;
  config.model = model_folder(config.model).string();
  RobustTowerTraining training(config);
  const std::string again = "hijack train robust-tower --method " + config.method + " --model " +
                            shell_word(config.model) + " (and the other flags)";
  if (!run_training(config, training, again)) return 1;
  std::ostream& out = arguments.output.text();
  nlohmann::json measured;
  measured["moved"] = put_movement(out, training);
  if (arguments.questions > 0 && training.of_model())
    measured["tasks"] = put_questions(out, config, arguments.questions);
  write_file(std::filesystem::path(config.out) / "evaluation.json", measured.dump(1) + "\n");
  out << config.out << std::endl;
  if (!arguments.output.json) return 0;
  measured["folder"] = config.out;
  print_row("robust_tower", measured);
  return 0;
}

}  // namespace

void add_train_robust_tower(CLI::App& command, Action& chosen) {
  CLI::App* sub = command.add_subcommand(
      "robust-tower",
      "a vision tower whose features an image's small changes move less (FARE, Sim-CLIP, TeCoA)");
  auto arguments = std::make_shared<RobustArguments>();
  arguments->questions = 300;
  auto options = std::make_shared<FieldOptions>(*sub, fields_of(arguments->config));
  sub->add_option("--questions", arguments->questions,
                  "questions about drawn scenes that the model is asked with the old tower and the new one, "
                  "where --model holds a model; 0: none")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000000));
  arguments->output.add_to(*sub, "how far features move, and right answers, before and after");
  sub->callback([&chosen, arguments, options] {
    chosen = [arguments, options] {
      options->apply();
      return train_robust(*arguments);
    };
  });
}

}  // namespace hijack::cli
