// --json and --quiet: what a script finds on standard output, and nothing else there.
#include <signal.h>

#include <nlohmann/json.hpp>

#include "src/experiment/record/results.h"
#include "tests/support/program.h"

namespace hijack::output_test {
namespace {

namespace fs = std::filesystem;
using namespace support;
using nlohmann::json;

/// Every line parsed; a line that is none fails the test.
std::vector<json> rows_of(const std::string& text) {
  std::vector<json> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    rows.push_back(json::parse(line, nullptr, false));
    EXPECT_TRUE(rows.back().is_object()) << line;
  }
  return rows;
}

std::vector<json> of_kind(const std::vector<json>& rows, const std::string& kind) {
  std::vector<json> found;
  for (const json& row : rows)
    if (row.value("kind", "") == kind) found.push_back(row);
  return found;
}

TEST_F(Program, JsonOfAnAttackIsItsRows) {
  const std::string command = attack("--steps 2 --seed 0 1 --json --out " + at("run"));
  const Outcome outcome = run(command);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto rows = rows_of(outcome.out);
  ASSERT_EQ(rows.size(), 2u);
  const RunRecord record = read_run(at("run"));
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].at("kind"), "trial");
    EXPECT_EQ(rows[i].at("run"), at("run"));
    const json stored = to_json(record.trials[i]);
    for (const auto& [key, value] : stored.items()) EXPECT_EQ(rows[i].at(key), value) << key;
    EXPECT_TRUE(fs::exists(fs::path(at("run")) / rows[i].at("image_file").get<std::string>()));
  }
  const Outcome again = run(command + " --resume");
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(again.out, outcome.out) << "the same rows, also where nothing was left to do";
  expect_refused(attack("--json=many --out " + at("none")), "--json takes no value");
}

TEST_F(Program, JsonOfRunEvaluateAndReproduce) {
  write_file(at("grid.toml"), "[attack]\nimage = \"" + kPhoto + "\"\ncontexts = \"contexts.jsonl\"\n" +
                                  "target = \"abc\"\nmax_new_tokens = 6\nthreads = 1\nsteps = 1\n[[grid]]\n" +
                                  "epsilon = [\"4/255\", \"8/255\"]\n");
  const Outcome grid = run("run " + at("grid.toml") + " --json --out " + at("run"));
  ASSERT_EQ(grid.code, 0) << grid.err;
  EXPECT_EQ(of_kind(rows_of(grid.out), "trial").size(), 2u);

  const Outcome evaluated =
      run("evaluate " + at("run") + " --json --defense bit_depth --utility 1 --suffix-steps 0");
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  for (const char* progress : {"evaluated 1 of 2 trials, ", "evaluated 2 of 2 trials, 0:00 left in all"})
    EXPECT_NE(evaluated.err.find(progress), std::string::npos) << evaluated.err;
  const auto defenses = of_kind(rows_of(evaluated.out), "defense");
  ASSERT_FALSE(defenses.empty());
  EXPECT_EQ(defenses.size(), rows_of(evaluated.out).size());
  EXPECT_TRUE(std::any_of(defenses.begin(), defenses.end(),
                          [](const json& row) { return row.at("defense") == "bit_depth:bits=4"; }));
  EXPECT_TRUE(defenses[0].at("attack").contains("n"));
  EXPECT_EQ(defenses[0].at("run"), at("run"));

  write_file(at("recipe.toml"),
             "title = \"t\"\npaper = \"p\"\ndeparts = \"d\"\n[attack]\nimage = \"" + kPhoto +
                 "\"\ncontexts = \"contexts.jsonl\"\ntarget = \"abc\"\nmax_new_tokens = 6\n" + "steps = 1\n");
  const Outcome reproduced =
      run("reproduce " + at("recipe.toml") + " --threads 1 --json --out " + at("again"));
  ASSERT_EQ(reproduced.code, 0) << reproduced.err;
  EXPECT_EQ(of_kind(rows_of(reproduced.out), "trial").size(), 1u);
  const auto tables = of_kind(rows_of(reproduced.out), "table");
  ASSERT_EQ(tables.size(), 1u);
  EXPECT_TRUE(tables[0].at("cells").contains("published")) << tables[0];
}

TEST_F(Program, JsonOfListsChatAndReport) {
  const auto presets = rows_of(run("attack --list-presets --json").out);
  EXPECT_GT(of_kind(presets, "preset").size(), 3u);
  EXPECT_EQ(of_kind(presets, "preset").size(), presets.size());
  EXPECT_GT(of_kind(rows_of(run("reproduce --list --json").out), "recipe").size(), 3u);
  const std::string chat = "chat --image " + kPhoto + " --prompt 'who is it' --max-new-tokens 2";
  const Outcome said = run(chat + " --json --defense bit_depth");
  ASSERT_EQ(said.code, 0) << said.err;
  EXPECT_EQ(said.err, "");
  const auto replies = rows_of(said.out);
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].at("prompt"), "who is it");
  EXPECT_EQ(replies[0].at("cut"), true);
  EXPECT_EQ(replies[0].at("stages").at(0).at("defense"), "bit_depth:bits=4");
  EXPECT_EQ(rows_of(run(chat + " --json").out).at(0).at("reply").get<std::string>() + "\n", run(chat).out);

  ASSERT_EQ(run(attack("--steps 1 --out " + at("run"))).code, 0);
  EXPECT_EQ(run("report " + at("run") + " --json").out, run("report " + at("run") + " --format json").out);
  expect_refused("report " + at("run") + " --json --format csv", "contradict");
}

TEST_F(Program, CtrlCWithJsonKeepsStandardOutputForRows) {
  const std::string arguments = attack("--steps 100000 --validate-every 0 --json --out " + at("run"));
  EXPECT_EQ(interrupted(arguments), 1) << read_file(at("err"));
  EXPECT_EQ(read_file(at("out")), "");
  EXPECT_NE(read_file(at("err")).find("hijack attack --out " + at("run") + " --resume"), std::string::npos);
}

TEST_F(Program, QuietLeavesOnlyResultsAndErrors) {
  const std::string command = attack("--steps 3 --stop-loss 1000 --defense mask_vote:copies=2 --out ");
  const Outcome loud = run(command + at("loud"));
  EXPECT_NE(loud.err, "");
  const Outcome quiet = run(command + at("quiet") + " --quiet");
  ASSERT_EQ(quiet.code, 0);
  EXPECT_EQ(quiet.err, "");
  EXPECT_NE(quiet.out.find("report.html"), std::string::npos) << "the result stays";
  ASSERT_EQ(run(attack("--steps 1 --quiet --out " + at("plain"))).err, "");
  const Outcome evaluated =
      run("evaluate " + at("plain") + " --quiet --json --defense bit_depth --utility 1 --suffix-steps 0");
  EXPECT_EQ(evaluated.code, 0);
  EXPECT_EQ(evaluated.err, "");
  const Outcome cut = run("chat --quiet --image " + kPhoto + " --prompt x --max-new-tokens 2");
  EXPECT_EQ(cut.err, "");
  expect_refused(attack("--quiet --epsilon 8 --out " + at("none")), "8/255");
  expect_refused("run " + at("none.toml") + " --quiet", "none.toml");
  expect_refused("reproduce nothing --quiet", "there is no recipe 'nothing'");
  expect_refused("attack --quiet=very", "--quiet takes no value");
}

TEST_F(Program, EveryRadiusIsATrial) {
  const auto ids_of = [&](const std::string& name) {
    std::vector<std::string> ids;
    for (const TrialRow& trial : read_run(at(name)).trials) ids.push_back(trial.id);
    return ids;
  };
  const std::string seeds = "--steps 1 --seed 0 1 --out ";
  ASSERT_EQ(run(attack("--epsilon 4/255,8/255 " + seeds + at("commas"))).code, 0) << read_file(at("err"));
  const std::vector<std::string> expected = {"string-linf-4-chelsea-s0", "string-linf-4-chelsea-s1",
                                             "string-linf-8-chelsea-s0", "string-linf-8-chelsea-s1"};
  EXPECT_EQ(ids_of("commas"), expected);
  EXPECT_EQ(read_run(at("commas")).trials[2].epsilon_255, 8);
  ASSERT_EQ(run(attack("--epsilon 4/255 --epsilon 8/255 " + seeds + at("flags"))).code, 0);
  EXPECT_EQ(ids_of("flags"), expected);
  ASSERT_EQ(run(attack("--resume --epsilon 4/255 8/255 " + seeds + at("flags"))).code, 0)
      << read_file(at("err"));
  write_file(at("list.toml"), "epsilon = [\"4/255\", \"8/255\"]\n");
  ASSERT_EQ(run(attack("--config " + at("list.toml") + " " + seeds + at("file"))).code, 0);
  EXPECT_EQ(ids_of("file"), expected);
  EXPECT_EQ(read_run(at("file")).trials[0].trial_digest, read_run(at("flags")).trials[0].trial_digest);
  write_file(at("grid.toml"), "[attack]\nimage = \"" + kPhoto + "\"\ncontexts = \"contexts.jsonl\"\n" +
                                  "target = \"abc\"\nmax_new_tokens = 6\nthreads = 1\nsteps = 1\n" +
                                  "seed = [0, 1]\nepsilon = [\"4/255\", \"8/255\"]\n");
  ASSERT_EQ(run("run " + at("grid.toml") + " --out " + at("grid")).code, 0) << read_file(at("err"));
  EXPECT_EQ(ids_of("grid"), expected);

  const std::string out = " --out " + at("none");
  expect_refused(attack("--epsilon 8/255,8.0/255" + out), "is given twice");
  expect_refused(attack("--epsilon 8/255,," + out), "epsilon '' is not a radius");
  expect_refused(attack("--epsilon 4/255,8" + out), "write 8/255");
  expect_refused(attack("--epsilon 4/255,8/255 --constraint l2" + out), "need constraint linf");
  expect_refused(attack("--epsilon 4/255,8/255 --method gcg" + out), "with method gcg: give one");
  write_file(at("bad.toml"), "epsilon = [8]\n");
  expect_refused(attack("--config " + at("bad.toml") + out), "must be a text or a list of texts");
  EXPECT_FALSE(fs::exists(at("none")));
}

TEST_F(Program, FilesForAnotherCommandNameIt) {
  write_file(at("flat.toml"), "image = \"cat.png\"\nsteps = 3\n");
  expect_refused("run " + at("flat.toml") + " --out " + at("none"),
                 "run it with hijack attack --config " + at("flat.toml"));
  write_file(at("grid.toml"), "[attack]\nsteps = 3\n[[grid]]\nseed = [0, 1]\n");
  expect_refused(attack("--config " + at("grid.toml") + " --out " + at("none")),
                 "run it with hijack run " + at("grid.toml"));
  write_file(at("recipe.toml"), "title = \"t\"\npaper = \"p\"\ndeparts = \"d\"\n[attack]\nsteps = 3\n");
  for (const std::string& command : {"run " + at("recipe.toml"), attack("--config " + at("recipe.toml"))})
    expect_refused(command + " --out " + at("none"), "run it with hijack reproduce " + at("recipe.toml"));
  write_file(at("preset.toml"), "paper = \"p\"\ndeparts = \"d\"\n[attack]\nsteps = 3\n");
  expect_refused(attack("--config " + at("preset.toml") + " --out " + at("none")), "is a preset");
  expect_refused("run " + at("preset.toml") + " --out " + at("none"), "--preset NAME");
  EXPECT_FALSE(fs::exists(at("none")));
}

}  // namespace
}  // namespace hijack::output_test
