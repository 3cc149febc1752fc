#pragma once
#include <functional>

#include <CLI/CLI.hpp>

// One file per subcommand: it registers its options and, when chosen, what to do. An action returns the exit
// code.

namespace hijack::cli {

using Action = std::function<int()>;

void add_attack(CLI::App& program, Action& chosen);
void add_run(CLI::App& program, Action& chosen);
void add_evaluate(CLI::App& program, Action& chosen);
void add_judge(CLI::App& program, Action& chosen);
void add_inside(CLI::App& program, Action& chosen);
void add_probe(CLI::App& program, Action& chosen);
void add_report(CLI::App& program, Action& chosen);
void add_reproduce(CLI::App& program, Action& chosen);
void add_chat(CLI::App& program, Action& chosen);
void add_serve(CLI::App& program, Action& chosen);
void add_train(CLI::App& program, Action& chosen);
void add_trace(CLI::App& program, Action& chosen);
void add_activations(CLI::App& program, Action& chosen);
void add_features(CLI::App& program, Action& chosen);
void add_tokenize(CLI::App& program, Action& chosen);
void add_scenes(CLI::App& program, Action& chosen);
void add_models(CLI::App& program, Action& chosen);
void add_defenses(CLI::App& program, Action& chosen);
void add_completion(CLI::App& program, Action& chosen);
void add_help(CLI::App& program, Action& chosen);

}  // namespace hijack::cli
