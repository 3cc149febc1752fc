#include "src/experiment/plan/config.h"

#include <gtest/gtest.h>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/experiment/plan/plan.h"
#include "src/experiment/run/runner.h"
#include "tests/support/temporary_folder.h"

namespace hijack::config_test {
namespace {

using nlohmann::json;
using support::error_of;
using support::TemporaryFolder;

const std::string kRoot = HIJACK_SOURCE_DIR;

TEST(Fields, EveryFieldIsDeclaredOnceWithHelp) {
  AttackConfig config;
  std::set<std::string> names;
  for (const Field& field : fields_of(config)) {
    EXPECT_TRUE(names.insert(field.name).second) << field.name << " is declared twice";
    EXPECT_FALSE(field.help.empty()) << field.name;
    EXPECT_EQ(field.name.find('-'), std::string::npos) << field.name;
  }
  for (const char* name : {"image", "behavior", "target", "epsilon", "optimizer", "steps", "seed", "batch"})
    EXPECT_TRUE(names.contains(name)) << name;
}

TEST(Fields, JsonRoundTripKeepsEveryValue) {
  AttackConfig config;
  config.images = {"a.png", "b,c.png"};
  config.seeds = {0, UINT64_MAX};
  config.optimizer.step_size = 0.1;
  config.random_start = true;
  config.constraint.epsilon = "16/255";
  const json stored = fields_to_json(fields_of(config));
  AttackConfig again;
  set_fields(fields_of(again), stored, "test");
  EXPECT_EQ(fields_to_json(fields_of(again)), stored);
  EXPECT_EQ(again.images[1], "b,c.png");
  EXPECT_EQ(again.seeds[1], UINT64_MAX);
}

TEST(Fields, WrongTypesAreNamed) {
  AttackConfig config;
  const auto set = [&](const json& object) {
    return error_of([&] { set_fields(fields_of(config), object, "x.toml"); });
  };
  EXPECT_EQ(set({{"steps", "many"}}), R"(x.toml: 'steps' must be a whole number, not "many".)");
  EXPECT_NE(set({{"steps", 1.5}}), "");
  EXPECT_NE(set({{"seed", -1}}), "");
  EXPECT_NE(set({{"seed", json::array({0, -1})}}), "");
  EXPECT_NE(set({{"random_start", 1}}), "");
  EXPECT_NE(set({{"epsilon", 8}}), "");
  EXPECT_NE(set({{"epsilonn", "8/255"}}).find("did you mean 'epsilon'"), std::string::npos);
  EXPECT_EQ(set({{"seed", 3}}), "");
  EXPECT_EQ(config.seeds, std::vector<uint64_t>{3});
}

TEST(Fields, ATextThatListsSeveralIsOneText) {
  EXPECT_EQ(comma_parts("4/255, 8/255 ,16/255"), (std::vector<std::string>{"4/255", "8/255", "16/255"}));
  EXPECT_EQ(comma_parts(""), std::vector<std::string>{""});
  EXPECT_EQ(comma_parts(",a b,"), (std::vector<std::string>{"", "a b", ""}));
  AttackConfig config;
  set_fields(fields_of(config), {{"epsilon", {"4/255", "8/255"}}}, "x.toml");
  EXPECT_EQ(config.constraint.epsilon, "4/255,8/255");
  EXPECT_NE(error_of([&] { set_fields(fields_of(config), {{"epsilon", json::array()}}, "x.toml"); }), "");
  EXPECT_NE(error_of([&] {
              set_fields(fields_of(config), {{"target", {"a", "b"}}}, "x.toml");
            }),
            "")
      << "only where each makes a trial";
}

TEST(Fields, EveryFieldOfAnAttackStandsUnderAHeading) {
  AttackConfig config;
  std::set<std::string> headings;
  for (const Field& field : fields_of(config)) {
    EXPECT_NE(field.group, "") << field.name;
    headings.insert(field.group);
  }
  for (const char* name : {"What", "Budget", "Search", "Contexts", "Defenses", "Machine", "Run"})
    EXPECT_TRUE(headings.contains(name)) << name;
}

TEST(Fields, FlagsAreParsedWhole) {
  OptimizerConfig config;
  const Fields fields = fields_of(config);
  const Field& steps = fields[1];
  ASSERT_EQ(steps.name, "steps");
  const auto set = [&](const std::string& text) {
    const std::vector<std::string> texts = {text};
    return error_of([&] { set_field(steps, texts); });
  };
  EXPECT_EQ(set("12"), "");
  EXPECT_EQ(config.steps, 12);
  for (const char* wrong : {"", "12x", "1e3", "99999999999999999999", " 3"})
    EXPECT_NE(set(wrong), "") << wrong;
  const Field& size = fields[2];
  for (const char* wrong : {"nan", "inf", "0.1.2"}) {
    const std::vector<std::string> texts = {wrong};
    EXPECT_NE(error_of([&] { set_field(size, texts); }), "") << wrong;
  }
  EXPECT_EQ(flag_name("validate_every"), "--validate-every");
}

class ConfigFile : public ::testing::Test {
 protected:
  std::string read(const std::string& toml) {
    write_file(folder_.path() / "c.toml", toml);
    return error_of([&] { given_ = read_config(folder_.path() / "c.toml", config_); });
  }
  TemporaryFolder folder_;
  AttackConfig config_;
  std::set<std::string> given_;
};

TEST_F(ConfigFile, SetsWhatItNames) {
  EXPECT_EQ(read("behavior = \"leak\"\nsteps = 7\nstep_size = 1\nimage = \"a.png\"\nseed = [1, 2]\n"), "");
  EXPECT_EQ(config_.behavior.name, "leak");
  EXPECT_EQ(config_.optimizer.steps, 7);
  EXPECT_EQ(config_.optimizer.step_size, 1);
  EXPECT_EQ(config_.images, std::vector<std::string>{"a.png"});
  EXPECT_EQ(config_.seeds, (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(given_.size(), 5u);
}

TEST_F(ConfigFile, ErrorsNameThePlace) {
  EXPECT_NE(read("steps = \n").find("c.toml:1:"), std::string::npos);
  EXPECT_NE(read("batchh = 3").find("did you mean 'batch'"), std::string::npos);
  EXPECT_NE(read("steps = 2024-01-01").find("dates"), std::string::npos);
  EXPECT_NE(read("steps = \"3\"").find("whole number"), std::string::npos);
  EXPECT_NE(read("[attack]\nsteps = 3"), "");
  EXPECT_NE(read(std::string(100'000, '[')), "");
  EXPECT_NE(read("steps = 1\nsteps = 2"), "");
}

/// A config whose files exist.
AttackConfig valid() {
  AttackConfig config;
  config.images = {kRoot + "/samples/images/chelsea.png"};
  config.model = kRoot + "/tests/golden/llava/clip_gqa";
  config.contexts = config.images[0];  // only its existence is checked here
  return config;
}

TEST(Resolve, FillsInTheCanaryOnlyWhereNoTargetIsGiven) {
  AttackConfig config = valid();
  resolve(config, {});
  EXPECT_NE(config.behavior.target, "");
  config = valid();
  config.behavior.target = "";
  EXPECT_NE(error_of([&] { resolve(config, {"target"}); }), "");
}

TEST(Resolve, RefusesWithoutLoadingAModel) {
  const auto refused = [](auto change) {
    AttackConfig config = valid();
    change(config);
    return error_of([&] { resolve(config, {}); });
  };
  EXPECT_EQ(refused([](AttackConfig&) {}), "");
  EXPECT_NE(refused([](AttackConfig& c) { c.constraint.epsilon = "8"; }).find("255"), std::string::npos);
  EXPECT_NE(refused([](AttackConfig& c) { c.images = {}; }).find("--image"), std::string::npos);
  EXPECT_NE(refused([](AttackConfig& c) { c.images = {"/no/such.png"}; }).find("/no/such.png"),
            std::string::npos);
  EXPECT_NE(refused([](AttackConfig& c) { c.model = "/no/model"; }).find("/no/model"), std::string::npos);
  EXPECT_NE(refused([](AttackConfig& c) { c.behavior.name = "strng"; }).find("'string'"), std::string::npos);
  EXPECT_NE(refused([](AttackConfig& c) { c.optimizer.steps = 0; }).find("--steps"), std::string::npos);
  EXPECT_NE(refused([](AttackConfig& c) { c.batch = -1; }), "");
  EXPECT_NE(refused([](AttackConfig& c) { c.constraint.name = "l3"; }), "");
  EXPECT_NE(refused([](AttackConfig& c) { c.seeds = {}; }), "");
}

class ExperimentFile : public ConfigFile {
 protected:
  std::vector<TrialPlan> plans(const std::string& grid) {
    const AttackConfig files = valid();
    write_file(folder_.path() / "e.toml", "[attack]\nimage = \"" + files.images[0] + "\"\nmodel = \"" +
                                              files.model + "\"\ncontexts = \"" + files.contexts + "\"\n" +
                                              grid);
    return read_experiment(folder_.path() / "e.toml");
  }
};

TEST_F(ExperimentFile, CombinesListsAndGivesEachTrialItsId) {
  const auto trials = plans(
      "[[grid]]\nbehavior = [\"string\", \"leak\"]\nepsilon = [\"4/255\", \"8/255\"]\nseed = [0, 1, 2]\n"
      "[[grid]]\nconstraint = \"patch\"\npatch_size = [24, 32]\n");
  ASSERT_EQ(trials.size(), 2u * 2 * 3 + 2);
  std::set<std::string> ids;
  for (const TrialPlan& plan : trials) {
    EXPECT_TRUE(ids.insert(plan.id).second) << plan.id;
    EXPECT_EQ(plan.config.images.size(), 1u);
    EXPECT_EQ(plan.config.seeds.size(), 1u);
    EXPECT_EQ(plan.config.behavior.target.find("{context}") != std::string::npos,
              plan.config.behavior.name == "leak");
  }
  EXPECT_TRUE(ids.contains("leak-linf-8-chelsea-s2"));
  EXPECT_TRUE(ids.contains("string-patch-32-chelsea-s0"));
}

TEST_F(ExperimentFile, IdsNameFoldersByTheirLastName) {
  const std::string model = valid().model;
  const std::string twin = (folder_.path() / std::filesystem::path(model).filename()).string();
  std::filesystem::create_directory_symlink(model, folder_.path() / "other");
  std::filesystem::create_directory_symlink(model, twin);
  const auto trials = plans("[[grid]]\nmodel = [\"" + model + "\", \"" + (folder_.path() / "other").string() +
                            "\", \"" + twin + "\"]\n");
  ASSERT_EQ(trials.size(), 3u);
  const std::string name = std::filesystem::path(model).filename().string();
  EXPECT_EQ(trials[0].id, "string-linf-8-chelsea-model=" + name + "-s0");
  EXPECT_EQ(trials[1].id, "string-linf-8-chelsea-model=other-s0");
  // two folders of one name are told apart
  EXPECT_TRUE(trials[2].id.starts_with("string-linf-8-chelsea-model=" + name + ".")) << trials[2].id;
}

TEST_F(ExperimentFile, ShardsPartTheTrials) {
  const auto trials = plans("[[grid]]\nseed = [0, 1, 2, 3, 4]\n");
  std::multiset<std::string> all, parts;
  for (const TrialPlan& plan : trials) all.insert(plan.id);
  for (const char* shard : {"1/3", "2/3", "3/3"})
    for (const TrialPlan& plan : take_shard(trials, shard)) parts.insert(plan.id);
  EXPECT_EQ(parts, all);
  EXPECT_EQ(take_shard(trials, "2/3").front().id, trials[1].id);
  for (const char* wrong :
       {"", "1", "/", "0/2", "3/2", "1/0", "-1/2", "1/2x", "a/b", "99999999999999999999999/2"})
    EXPECT_NE(error_of([&] { take_shard(trials, wrong); }).find("write 1/2"), std::string::npos) << wrong;
  EXPECT_NE(error_of([&] { take_shard(trials, "6/6"); }).find("only 5"), std::string::npos);
}

TEST_F(ExperimentFile, PlansSurviveTheManifest) {
  const auto trials = plans("[[grid]]\nsteps = [10, 20]\n");
  ASSERT_EQ(trials.size(), 2u);
  EXPECT_NE(trials[0].id, trials[1].id);
  const RunInputs inputs = RunInputs::of_plans(trials);
  const json stored = inputs.to_json(identified(trials));
  EXPECT_EQ(inputs.to_json(inputs.plans(stored, "test")), stored);
  json hostile = stored;
  hostile[0]["id"] = "../../etc/passwd";
  EXPECT_NE(error_of([&] { inputs.plans(hostile, "test"); }), "");
  hostile = stored;
  hostile[0]["config"]["steps"] = 30;
  EXPECT_NE(error_of([&] { inputs.plans(hostile, "test"); }).find("digest"), std::string::npos);
}

TEST_F(ExperimentFile, ErrorsNameTheKey) {
  const auto refused = [&](const std::string& grid) { return error_of([&] { plans(grid); }); };
  EXPECT_NE(refused("[[grid]]\nepsilom = [\"4/255\"]\n").find("did you mean 'epsilon'"), std::string::npos);
  EXPECT_NE(refused("[[gird]]\nseed = 1\n").find("did you mean 'grid'"), std::string::npos);
  EXPECT_NE(refused("[grid]\nseed = 1\n").find("[[grid]]"), std::string::npos);
  EXPECT_NE(refused("[[grid]]\nepsilon = [\"4/255\", \"8\"]\n"), "");
  std::string large = "[[grid]]\n";
  for (const char* key : {"steps", "batch", "validate_every", "checkpoint_every"}) {
    large += std::string(key) + " = [1";
    for (int i = 2; i <= 40; ++i) large += ", " + std::to_string(i);
    large += "]\n";
  }
  EXPECT_NE(refused(large).find("100000"), std::string::npos);
}

}  // namespace
}  // namespace hijack::config_test
