// Three steps of an attack with the installed library: consumer MODEL_FOLDER IMAGE OUT.png
#include <iostream>

#include "attacks/attack.h"
#include "attacks/objectives/behavior_matching.h"
#include "models/load_model.h"
#include "src/base/error.h"
#include "src/base/image.h"

int main(int argc, char** argv) try {
  if (argc != 4) throw hijack::Error("usage: consumer MODEL_FOLDER IMAGE OUT.png");
  const auto model = hijack::load_model(argv[1]);
  const std::shared_ptr<const hijack::Behavior> behavior = hijack::make_behavior({"string", "the cat"});
  const std::vector<hijack::Context> contexts{{.prompt = "What is it?"}, {.prompt = "Who?"}};
  hijack::BehaviorMatching objective(model, behavior, contexts, /*batch=*/0, /*seed=*/0);

  const hijack::Constraint constraint = hijack::LinfBall{8.0 / 255};
  const auto origin = model->to_input_space(hijack::load_image(argv[2]));
  const auto optimizer = hijack::make_optimizer({.steps = 3}, constraint);
  auto state = hijack::start_attack(constraint, origin, /*random_start=*/false, /*seed=*/0);
  hijack::run_attack(state, objective, *optimizer, constraint, origin, {.steps = 3});
  hijack::save_png(state.best_image, argv[3]);

  const auto saved = hijack::load_image(argv[3]);
  const auto budget = hijack::measure_budget(constraint, saved, origin);
  const auto replies = model->generate(model->preprocess(saved), contexts, {.max_new_tokens = 4});
  std::cout << "largest difference " << budget.max_difference_255 << "/255, reply: " << replies.at(0).text
            << "\n";
  return budget.respected && budget.max_difference_255 > 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 2;
}
