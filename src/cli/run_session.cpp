#include "src/cli/run_session.h"

#include <cstdio>
#include <iostream>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/cli/log.h"
#include "src/cli/text.h"
#include "src/experiment/record/manifest.h"
#include "src/experiment/record/recorded_images.h"
#include "src/experiment/report/aggregate/aggregate.h"
#include "src/experiment/report/aggregate/encoders.h"
#include "src/experiment/report/report.h"
#include "src/experiment/report/values/text.h"

namespace hijack::cli {
namespace {

constexpr size_t kExamples = 3;

/// Of a trial without a step there is no time of a step.
std::string seconds(double each) {
  return std::isfinite(each) ? fixed(each, 3) : "–";
}

Tally tally(const std::map<std::string, Tally>& tallies, const std::string& name) {
  const auto found = tallies.find(name);
  return found == tallies.end() ? Tally{} : found->second;
}

std::string rate(const Tally& tally) {
  return rate_text(tally.exact, tally.n, tally.draws) +
         (tally.substring == tally.exact
              ? ""
              : "; the reply contains it in " + rate_text(tally.substring, tally.n, tally.draws));
}

std::string examples(const RunRecord& run, const TrialRow& trial) {
  std::string text;
  size_t shown = 0;
  for (const ReplyRow& row : run.replies) {
    if (row.trial != trial.id || row.condition != attack_condition(trial) || row.split != "test" ||
        row.defense != trial.defense || row.sampling != trial.sampling || row.draw > 0 || !row.model.empty())
      continue;
    text += "    > " + printable(row.context.prompt) + "\n      " + printable(row.reply) + "\n";
    if (++shown == kExamples) break;
  }
  return text;
}

/// What image encoders see in the saved files.
std::string encoders_of(const RunRecord& run) {
  if (std::all_of(run.trials.begin(), run.trials.end(),
                  [](const TrialRow& trial) { return trial.encoders.empty(); }))
    return "";
  std::vector<std::vector<std::string>> rows = {{"optimized on", "constraint", "encoder", "role", "to target",
                                                 "clean", "noise", "nearer", "noise nearer", "to clean"}};
  const std::vector<RunRecord> runs = {run};  // settings refer to it
  const std::vector<report::Setting> all = report::settings(runs);
  const auto summaries = report::encoder_summaries(all);
  const bool chosen = report::some_were_chosen(summaries);
  if (chosen) rows[0].emplace_back("steps");
  for (const report::EncoderSummary& one : summaries) {
    rows.push_back({one.setting->model, report::setting_label(*one.setting), one.encoder,
                    report::role_of(one), report::decimal(one.attack), report::decimal(one.clean),
                    report::decimal(one.noise), report::shown(one.attack_nearer),
                    report::shown(one.noise_nearer), report::decimal(one.attack_to_clean)});
    if (chosen) rows.back().push_back(report::decimal(one.steps));
  }
  return "cosine of embeddings, on the saved files (to the target, and to the clean photo)\n" +
         table_text(rows, output_width());
}

std::string successes_of(const TrialRow& trial) {
  const Tally attack = tally(trial.success, "test");
  std::string text =
      "  success on " + std::to_string(attack.n / attack.draws) + " held-out contexts" +
      (attack.draws > 1 ? ", " + std::to_string(attack.draws) + " replies drawn to each" : "") +
      (trial.sampling.empty() ? "" : " (" + trial.sampling + ")") + "\n";
  text += "    attack  " + rate(attack) + "\n";
  text += "    clean   " + rate(tally(trial.controls, "clean")) + "\n";
  return text + "    noise   " + rate(tally(trial.controls, "noise")) + "\n";
}

std::string one_trial(const RunRecord& run, const TrialRow& trial) {
  const bool asked = !report::asked_nobody(trial);
  std::string text =
      "trial " + trial.id + " (" + trial.behavior + ", " + trial.constraint +
      (trial.defense == "none" ? "" : (trial.adaptive ? ", adaptive to " : ", behind ") + trial.defense) +
      ")\n";
  if (asked) text += successes_of(trial);
  if (!trial.suffix.empty()) text += "  suffix    " + printable(trial.suffix) + "\n";
  if (!without_images(trial))
    text += "  budget    " + fixed(trial.budget.max_difference_255, 0) +
            "/255 largest difference, measured on the saved file" +
            (trial.budget.respected ? "" : ": NOT ALLOWED, the trial counts as failed") + "\n";
  if (trial.read_back)
    text += "  read back " + printable(trial.read_back->reader) + ": " +
            fixed(trial.read_back->mean_error_255, 2) + "/255 mean and " +
            fixed(trial.read_back->max_error_255, 0) + "/255 largest error (clean photo " +
            fixed(trial.read_back->clean_error_255, 2) + "/255)\n";
  if (!std::isnan(trial.visibility.ssim))
    text += "  visible   SSIM " + fixed(trial.visibility.ssim, 4) + ", PSNR " +
            fixed(trial.visibility.psnr, 1) + " dB, l2 " + fixed(trial.budget.l2, 2) + "\n";
  text +=
      "  loss      " + fixed(trial.loss_clean, 3) + " clean, " + fixed(trial.loss_saved, 3) + " saved file\n";
  text += "  time      " + std::to_string(trial.steps) + " steps, " + seconds(trial.seconds_per_step) +
          " s each; " + (without_images(trial) ? "suffix" : "image") + " of step " +
          std::to_string(trial.best_step) + "\n";
  if (!trial.stopped.empty())
    text += "  stopped   at step " + std::to_string(trial.steps) + ": " + trial.stopped + "\n";
  if (asked) text += "  replies to held-out contexts\n" + examples(run, trial);
  if (!without_images(trial)) text += "  image     " + (run.folder / trial.image_file).string() + "\n";
  return text + encoders_of(run);
}

/// Trials pooled by setting, where a setting has several; named by what differs.
std::string by_setting(const RunRecord& run) {
  const std::vector<report::Setting> all = report::settings({run});
  if (all.size() == run.trials.size()) return "";
  std::vector<std::vector<std::string>> rows = {{"behavior", "constraint"}};
  for (const std::string& name : report::difference_names(all)) rows[0].push_back(name);
  for (const char* title : {"seeds", "attack", "clean", "noise"}) rows[0].emplace_back(title);
  for (const report::Setting& one : all) {
    std::vector<std::string> row = {one.behavior, report::defended_constraint(one)};
    for (const report::Difference& difference : one.differences) row.push_back(printable(difference.value));
    for (const std::string& cell :
         {std::to_string(one.seed_rates.size()), report::shown(one.success, "test"),
          report::shown(one.controls, "clean"), report::shown(one.controls, "noise")})
      row.push_back(cell);
    rows.push_back(std::move(row));
  }
  return "by setting, over seeds and photos\n" + table_text(rows, output_width());
}

std::string many_trials(const RunRecord& run) {
  if (std::all_of(run.trials.begin(), run.trials.end(), report::asked_nobody)) return encoders_of(run);
  std::vector<std::vector<std::string>> rows = {{"trial", "attack", "clean", "noise", "s/step"}};
  for (const TrialRow& trial : run.trials) {
    const auto cell = [](const Tally& one) { return rate_text(one.exact, one.n, one.draws); };
    rows.push_back({trial.id, cell(tally(trial.success, "test")), cell(tally(trial.controls, "clean")),
                    cell(tally(trial.controls, "noise")), seconds(trial.seconds_per_step)});
  }
  return "success on held-out contexts\n" + table_text(rows, output_width()) + by_setting(run) +
         encoders_of(run);
}

}  // namespace

RunHooks show_on(Progress& progress, std::stop_token stop, const Machine& machine) {
  RunHooks hooks;
  hooks.stop = std::move(stop);
  hooks.machine = machine;
  hooks.on_step = [&progress](const TrialProgress& now) {
    progress.show({.name = now.trial,
                   .done = now.step,
                   .total = now.steps,
                   .loss = now.loss,
                   .success = now.success,
                   .number = now.number,
                   .count = now.trials,
                   .later = now.steps_after});
  };
  hooks.on_note = [&progress](const std::string& text) {
    progress.clear();
    log_line(text);
  };
  hooks.on_evaluated = [&progress](int64_t done, int64_t all, double seconds_left) {
    progress.clear();
    if (all > 1)
      log_line("evaluated " + std::to_string(done) + " of " + std::to_string(all) + " trials, " +
               clock_text(seconds_left) + " left in all");
  };
  hooks.on_trial = [&progress](const TrialRow& row) {
    progress.clear();
    if (report::asked_nobody(row)) {
      for (const EncoderRow& one : row.encoders)
        log_line(row.id + ": " + one.encoder + (one.held_out ? " (held out)" : "") + " at cosine " +
                 report::decimal(one.attack) + " to the target, clean " + report::decimal(one.clean));
      return;
    }
    const Tally test = tally(row.success, "test");
    log_line(row.id + ": " + rate_text(test.exact, test.n, test.draws) + " on held-out contexts");
  };
  return hooks;
}

void print_defenses(const RunRecord& run) {
  const nlohmann::json report = json_report({run});
  for (nlohmann::json row : report.at("defenses")) {
    row["run"] = run.folder.string();
    print_row("defense", std::move(row));
  }
}

std::filesystem::path write_report(const std::filesystem::path& run) {
  const auto file = run / "report.html";
  write_file(file, html_report({read_verified_run(run)}));
  return file;
}

std::string summary(const RunRecord& run) {
  return run.trials.size() == 1 ? one_trial(run, run.trials[0]) : many_trials(run);
}

namespace {

void check_same_trials(const std::vector<TrialPlan>& begun, const std::vector<TrialPlan>& given,
                       const std::filesystem::path& folder) {
  if (given.empty()) return;
  const std::vector<TrialPlan> plans = identified(given);
  const auto same = [](const TrialPlan& a, const TrialPlan& b) {
    return a.id == b.id && a.identity.trial_digest == b.identity.trial_digest;
  };
  if (!std::equal(begun.begin(), begun.end(), plans.begin(), plans.end(), same))
    throw Error("The run in '" + folder.string() +
                "' was begun with other settings, weights or photos; give --resume without them, or choose "
                "another --out.");
}

}  // namespace

RunFolder resume_run(const std::filesystem::path& folder, const std::vector<TrialPlan>& plans,
                     const std::vector<std::string>& moved_models) {
  RunFolder run = RunFolder::open(folder);
  run.find_models(moved_models);
  check_same_trials(run.plans(), plans, folder);
  for (const std::string& sentence : run.repairs()) log_line(sentence);
  return run;
}

void show_rows(RunHooks& hooks, const std::filesystem::path& run, const OutputOptions& output) {
  if (!output.json) return;
  for (const TrialRow& trial : read_run(run).trials) print_trial(run, trial);
  hooks.on_trial = [run, note = hooks.on_trial](const TrialRow& trial) {
    note(trial);
    print_trial(run, trial);
  };
}

int finish_run(RunFolder& folder, const std::string& command, const Interrupt& interrupt,
               const ModelSource& models, const OutputOptions& output, const Machine& machine,
               const std::function<void()>& on_step) {
  bool done = false;
  {
    Progress progress;
    RunHooks hooks = show_on(progress, interrupt.token(), machine);
    show_rows(hooks, folder.path(), output);
    if (on_step)
      hooks.on_step = [show = hooks.on_step, on_step](const TrialProgress& now) {
        on_step();
        show(now);
      };
    done = run_trials(folder, hooks, models);
  }
  if (!done) {
    output.text() << "Stopped; everything so far is saved. Go on with:\n  hijack " << command << " --out "
                  << shell_word(folder.path().string()) << " --resume" << std::endl;
    return 1;
  }
  const RunRecord run = read_run(folder.path());
  const auto report = write_report(folder.path());
  if (!output.json) std::cout << summary(run) << "report      " << report.string() << std::endl;
  const bool allowed = std::all_of(run.trials.begin(), run.trials.end(),
                                   [](const TrialRow& trial) { return trial.budget.respected; });
  return allowed ? 0 : 1;
}

int show_asked(bool done, const std::string& run, const OutputOptions& output, const AskedRun& asked) {
  if (!done) {
    output.text() << "Stopped; " << asked.stopped << std::endl;
    return 1;
  }
  const RunRecord record = read_run(run);
  const std::string page = write_report(run).string();
  if (output.json) {
    nlohmann::json found = json_report({record}).at(asked.part);
    nlohmann::json row =
        found.is_object() ? std::move(found) : nlohmann::json{{asked.part, std::move(found)}};
    row["run"] = run;
    print_row(asked.part, std::move(row));
    return 0;
  }
  std::cout << asked.text(record) << "report  " << page << std::endl;
  return 0;
}

std::string cells_text(const std::vector<std::vector<std::string>>& cells) {
  std::vector<std::vector<std::string>> safe = cells;
  for (auto& row : safe)
    for (std::string& cell : row) cell = printable(cell);
  return table_text(safe, output_width());
}

}  // namespace hijack::cli
