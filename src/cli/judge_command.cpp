#include <ATen/Parallel.h>

#include <iostream>

#include "models/dtype.h"
#include "src/base/error.h"
#include "src/cli/commands.h"
#include "src/cli/field_options.h"
#include "src/cli/interrupt.h"
#include "src/cli/model_options.h"
#include "src/cli/output_options.h"
#include "src/cli/run_session.h"
#include "src/cli/text.h"
#include "src/experiment/evaluate/judge_run.h"
#include "src/experiment/report/aggregate/judged.h"
#include "src/experiment/report/report.h"
#include "src/experiment/report/values/text.h"

namespace hijack::cli {
namespace {

std::string judge_rows(const report::Judged& judged) {
  std::vector<std::vector<std::string>> rows = {{"replies", "defense", "recorded"}};
  for (const std::string& judge : judged.judges) rows[0].push_back(printable(judge));
  rows[0].emplace_back("harmless refused");
  for (const report::JudgedReplies& one : judged.replies) {
    rows.push_back({one.what, one.defense, report::shown(one.recorded)});
    for (const std::string& judge : judged.judges) {
      const auto found = one.by_judge.find(judge);
      rows.back().push_back(report::shown(found == one.by_judge.end() ? report::Rate{} : found->second));
    }
    const auto refused = judged.harmless_refused.find(one.defense);
    rows.back().push_back(
        report::shown(refused == judged.harmless_refused.end() ? report::Rate{} : refused->second));
  }
  return table_text(rows, output_width());
}

std::string agreement_rows(const report::Judged& judged) {
  std::vector<std::vector<std::string>> rows = {{"judge", "and", "agree", "kappa"}};
  for (const report::JudgePair& one : judged.agreements) {
    const Agreement& found = one.agreement;
    rows.push_back({printable(one.first), printable(one.second), report::percent(found.share),
                    std::isnan(found.kappa)
                        ? "–"
                        : report::decimal(found.kappa) + " (" + report::decimal(found.interval.low) + " to " +
                              report::decimal(found.interval.high) + ")"});
  }
  return table_text(rows, output_width());
}

struct JudgeCommand {
  explicit JudgeCommand(CLI::App& command) {
    command.add_option("run", run, "run folder of hijack attack or hijack run")->required()->type_name("RUN");
    command
        .add_option(
            "--judge", config.judges,
            "who judges the stored replies, once for each: exact (the reply is the target), prefix (it "
            "begins with it), refusal-words (it refuses in none of the usual phrases), keywords:FILE "
            "(M-Attack's keywords.json: from a quarter, half and all of a picture's keywords on, kmr_a, "
            "kmr_b and kmr_c), model:DIR (a model is asked by the rubric) or "
            "endpoint:http://127.0.0.1:8000/v1#MODEL (one behind an OpenAI-compatible API; a key stands in "
            "$HIJACK_API_KEY)")
        ->allow_extra_args(false)
        ->type_name("NAME");
    command
        .add_option(
            "--rubric", config.rubric,
            "how a model is asked: harmbench, strongreject, llama-guard, similarity, shieldgemma (the "
            "probability of Yes as its first token), or a file with "
            "{reply} in it ({prompt}, {behavior}, {target}) that is answered with yes or no")
        ->capture_default_str()
        ->type_name("NAME");
    command
        .add_option("--behavior", config.behavior,
                    "what rubrics call the behavior, in a sentence; default: the trial's behavior and target")
        ->type_name("TEXT");
    command.add_option("--device", options.device, "cpu, cuda or cuda:1")->capture_default_str();
    command.add_option("--dtype", options.dtype, kDtypeHelp)->capture_default_str();
    command.add_option("--threads", threads, "CPU threads; 0 = all cores")->check(CLI::Range(0, 1024));
    asking = std::make_unique<FieldOptions>(command, fields_of(config.asking));
    output.add_to(command, "rates by judge and their agreement, as in hijack report --format json");
  }

  int act() {
    output.apply();
    const Interrupt interrupt;
    asking->apply();
    if (options.device == "meta") throw Error("a judge has to compute: take --device cpu or cuda.");
    if (threads > 0) at::set_num_threads(static_cast<int>(threads));
    bool done = false;
    {
      Progress progress;
      done = judge_run(run, config, options, show_on(progress, interrupt.token()));
    }
    return show_asked(
        done, run, output,
        {"judges", "what was judged is saved. The same command goes on.", [](const RunRecord& record) {
           const report::Judged judged = report::judged({record});
           return "success by judge, on the same replies to held-out contexts\n" + judge_rows(judged) +
                  "agreement\n" + agreement_rows(judged);
         }});
  }

  JudgeConfig config;
  std::unique_ptr<FieldOptions> asking;
  LoadOptions options;
  OutputOptions output;
  std::string run;
  int64_t threads = 0;
};

}  // namespace

void add_judge(CLI::App& program, Action& chosen) {
  CLI::App* command =
      program.add_subcommand("judge", "judge the stored replies of a run again, without asking the victim");
  auto judge = std::make_shared<JudgeCommand>(*command);
  command->callback([&chosen, judge] { chosen = [judge] { return judge->act(); }; });
}

}  // namespace hijack::cli
