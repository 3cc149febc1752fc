#include <iostream>
#include <nlohmann/json.hpp>

#include "src/cli/commands.h"
#include "src/cli/interrupt.h"
#include "src/cli/log.h"
#include "src/cli/model_options.h"
#include "src/cli/output_options.h"
#include "src/cli/run_session.h"
#include "src/cli/text.h"
#include "src/experiment/inside/features.h"
#include "src/experiment/report/values/text.h"

namespace hijack::cli {
namespace {

struct FeatureArguments {
  FeatureConfig config;
  std::string run, sae;
  MachineOptions machine;
  OutputOptions output;
};

std::string latent_rows(const TokenFeatures& features) {
  using report::decimal;
  std::vector<std::vector<std::string>> rows = {
      {"latent", "clean", "noise", "hijack", "AUROC", "95 %", "q", "where it is strongest"}};
  for (const LatentRow& one : features.latents) {
    std::string where;
    for (const LatentExample& example : one.examples)
      where += (where.empty() ? "" : ", ") + printable(example.token, 20) + " in \"" +
               printable(example.context, 40) + "\"";
    rows.push_back({std::to_string(one.latent), decimal(one.clean), decimal(one.noise), decimal(one.hijack),
                    decimal(one.auroc), decimal(one.low) + " to " + decimal(one.high), report::p_value(one.q),
                    where.empty() ? one.heat_map : where});
  }
  return table_text(rows, output_width());
}

std::string clamp_rows(const FeatureRow& row) {
  std::vector<std::vector<std::string>> rows = {
      {"held at their clean mean", "at tokens", "obeys", "contains it"}};
  for (const ClampRow& one : row.clamps) {
    const auto share = [&](int64_t count) {
      return std::to_string(count) + "/" + std::to_string(one.n) + " " +
             report::percent(static_cast<double>(count) / static_cast<double>(one.n));
    };
    std::string what = one.what == "random direction" ? "as much, in a random direction" : one.what;
    if (!one.latents.empty())
      what += " " + std::to_string(static_cast<int64_t>(one.latents.size()) / one.draws);
    if (one.draws > 1) what += ", " + std::to_string(one.draws) + " draws";
    rows.push_back({what, one.tokens, share(one.exact), share(one.substring)});
  }
  return table_text(rows, output_width());
}

void print(std::ostream& out, const FeatureRow& row) {
  using report::decimal;
  out << "loss recovered " << decimal(row.loss_recovered) << ", KL " << decimal(row.kl)
      << " nats a token, on " << row.reply_tokens << " tokens of replies\n";
  for (const TokenFeatures& one : row.tokens)
    out << "\n"
        << one.tokens << " tokens: " << one.found << " of " << one.tested
        << " active latents differ from clean and from noise (5 % false discoveries; " << one.clusters
        << " clusters, each a " << one.cluster << "); noise from clean: " << one.noise_found
        << "; shuffled labels: " << one.shuffled_found << "\nL0 " << decimal(one.l0)
        << ", explained variance " << decimal(one.variance_clean) << " clean, " << decimal(one.variance_noise)
        << " noise, " << decimal(one.variance_hijack) << " hijack\n"
        << latent_rows(one);
  out << "\nreplies to " << row.held_out << " held-out contexts under " << row.trials
      << (row.trials == 1 ? " image\n" : " images\n") << clamp_rows(row);
}

int features(FeatureArguments& arguments) {
  arguments.output.apply();
  const Interrupt interrupt;
  FeatureConfig& config = arguments.config;
  config.run = arguments.run, config.sae = arguments.sae;
  config.machine = arguments.machine.machine(), config.moved_models = arguments.machine.models;
  const FeatureRow row = find_features(
      config, [](const std::string& text) { log_line(text + "."); }, interrupt.token());
  const std::string page = write_report(arguments.run).string();
  if (arguments.output.json) {
    nlohmann::json json = to_json(row);
    json["run"] = arguments.run;
    print_row("features", std::move(json));
    return 0;
  }
  print(std::cout, row);
  std::cout << "report  " << page << std::endl;
  return 0;
}

}  // namespace

void add_features(CLI::App& program, Action& chosen) {
  CLI::App* command = program.add_subcommand(
      "features", "which latents of a sparse autoencoder a hijack changes, and whether it needs them");
  auto arguments = std::make_shared<FeatureArguments>();
  FeatureConfig& config = arguments->config;
  command->add_option("run", arguments->run, "finished run of hijack attack or hijack run")
      ->required()
      ->type_name("RUN");
  command
      ->add_option("--sae", arguments->sae,
                   "folder of a sparse autoencoder of the run's model: hijack train sae, or SAELens")
      ->required()
      ->type_name("DIR");
  command->add_option("--top", config.top, "latents that are shown and held at their clean mean")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000))
      ->type_name("N");
  command->add_option("--limit", config.limit, "first test contexts to take; 0 = all")
      ->capture_default_str()
      ->type_name("N");
  command->add_option("--seed", config.seed, "of tests, controls and intervals")->capture_default_str();
  arguments->machine.add_to(*command);
  arguments->output.add_to(*command, "what features.jsonl has of it");
  command->callback([&chosen, arguments] { chosen = [arguments] { return features(*arguments); }; });
}

}  // namespace hijack::cli
