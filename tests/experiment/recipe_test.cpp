#include "src/experiment/plan/recipe.h"
#include "src/experiment/report/recipe_tables.h"

#include <gtest/gtest.h>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/experiment/plan/shipped.h"
#include "tests/support/sample_run.h"
#include "tests/support/temporary_folder.h"

namespace hijack::recipe_test {
namespace {

namespace fs = std::filesystem;
using support::error_of;

const fs::path kRecipes = fs::path(HIJACK_SOURCE_DIR) / "samples/recipes";
const fs::path kReports = fs::path(HIJACK_SOURCE_DIR) / "samples/reports";

TEST(Recipes, EveryShippedOneCanBegin) {
  const auto names = recipe_names(kRecipes);
  EXPECT_GE(names.size(), 3u);
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const Recipe recipe = describe_recipe(name, kRecipes);
    EXPECT_NE(recipe.plans.empty(), recipe.missing.empty()) << recipe.missing;
    EXPECT_FALSE(recipe.paper.empty());
    EXPECT_FALSE(recipe.departs.empty());
    for (const TrialPlan& plan : recipe.plans)
      for (const std::string& image : plan.config.images) EXPECT_TRUE(fs::exists(image));
    EXPECT_EQ(error_of([&] { check(recipe.evaluate.value_or(EvaluateConfig{}).defense); }), "");
  }
}

TEST(Recipes, TakeAnotherModel) {
  ModelChoice choice;
  choice.model = HIJACK_SOURCE_DIR "/tests/golden/llava/clip_gqa";
  choice.threads = 2;
  const Recipe recipe = read_recipe("baseline-defenses", kRecipes, choice);
  EXPECT_EQ(recipe.plans.at(0).config.model, choice.model);
  EXPECT_EQ(recipe.plans.at(0).config.threads, 2);
}

TEST(Recipes, PutOurFiguresBesideThePublishedOnes) {
  const support::TemporaryFolder folder;
  const RunRecord run = support::small_run(folder.path() / "run");
  Recipe recipe;
  recipe.title = "T";
  recipe.published = {{"string, linf 8/255", "99 %"}, {"elsewhere", "5 %"}};
  const auto table = recipe_tables(recipe, run).at(0);
  ASSERT_EQ(table.size(), 3u);
  EXPECT_EQ(table[1].front(), "string, linf 8/255");
  EXPECT_EQ(table[1].back(), "99 %");
  EXPECT_NE(table[1][1].find('%'), std::string::npos);
  EXPECT_EQ(table[2].front(), "elsewhere");
  EXPECT_EQ(table[2][1], "–");
  recipe.evaluate = EvaluateConfig{};
  EXPECT_EQ(recipe_tables(recipe, run).back()[1].front(), "none");
  EXPECT_NE(recipe_markdown(recipe, run).find("| none |"), std::string::npos);
}

TEST(Recipes, ATableMayHaveAColumnForEachBehavior) {
  const support::TemporaryFolder folder;
  RunRecord run = support::small_run(folder.path() / "run");
  Recipe recipe;
  recipe.behavior_columns = true;
  recipe.plans.resize(2);
  recipe.plans[0].config.behavior.name = run.trials.at(0).behavior;
  recipe.plans[1].config.behavior.name = "verbose";
  TrialRow other = run.trials.at(0);
  for (const char* constraint : {"l2 12.2 (model input space)", "l2 3.04 (model input space)"}) {
    other.constraint = constraint;
    other.constraint_name = "l2";
    other.optimizer = "square";
    other.behavior = "verbose";
    support::give_identity(other, {{"l2_radius", constraint}});
    run.trials.push_back(other);
  }
  const auto table = recipe_tables(recipe, run).at(0);
  EXPECT_EQ(table.at(0),
            (std::vector<std::string>{"constraint", run.trials[0].behavior, "verbose", "s/step"}));
  for (const auto& row : table) EXPECT_EQ(row.size(), 4u);
  ASSERT_EQ(table.size(), 5u);
  EXPECT_EQ(table[1][0], "linf 8/255");
  EXPECT_NE(table[1][1].find('%'), std::string::npos);
  EXPECT_EQ(table[1][2], "–");
  EXPECT_EQ(table[2][0], "l2 3.04, square");  // 3.04 before 12.2
  EXPECT_EQ(table[3][0], "l2 12.2, square");
  EXPECT_NE(table[3][2].find('%'), std::string::npos);
  EXPECT_EQ(table[3][2].find("noise"), std::string::npos);
  EXPECT_EQ(table[4][0], "clean image");
  for (TrialRow& trial : run.trials) trial.controls["noise"] = {.n = 4, .exact = 1, .substring = 1};
  EXPECT_NE(recipe_tables(recipe, run).at(0)[3][2].find(", noise 25%"), std::string::npos);
}

TEST(Recipes, BadOnesAreRefused) {
  const support::TemporaryFolder folder;
  const auto refused = [&](const std::string& text) {
    write_file(folder.path() / "one.toml", text);
    return error_of([&] { read_recipe("one", folder.path()); });
  };
  EXPECT_NE(refused("title = \"T\"\n").find("`paper`"), std::string::npos);
  EXPECT_NE(refused("tittle = \"T\"\n").find("did you mean 'title'"), std::string::npos);
  EXPECT_NE(refused("title = \"T\"\npaper = \"P\"\ndeparts = \"D\"\npublished = 3\n").find("[[published]]"),
            std::string::npos);
  const std::string named = "title = \"T\"\npaper = \"P\"\ndeparts = \"D\"\n";
  EXPECT_NE(refused(named + "[[published]]\nrow = \"a\"\n").find("`value`"), std::string::npos);
  EXPECT_NE(refused(named + "columns = \"behaviour\"\n").find("did you mean 'behavior'"), std::string::npos);
  EXPECT_NE(refused(named + "columns = \"behavior\"\n[[published]]\nrow = \"a\"\nvalue = \"b\"\n")
                .find("none for published"),
            std::string::npos);
  EXPECT_NE(error_of([&] { read_recipe("onee", folder.path()); }).find("did you mean 'one'"),
            std::string::npos);
}

/// The committed tables are what the committed rows say, and the documents show them.
TEST(Recipes, TheTablesOfTheDocumentsFollowFromTheCommittedRows) {
  const std::string shown = read_file(kReports / "README.md");
  size_t reports = 0;
  for (const auto& entry : fs::directory_iterator(kReports)) {
    if (!entry.is_directory() || entry.path().filename() == "bench") continue;  // bench: no recipe
    const std::string name = entry.path().filename().string();
    SCOPED_TRACE(name);
    ++reports;
    EXPECT_EQ(recipe_markdown(describe_recipe(name, kRecipes), read_run(entry.path())),
              read_file(entry.path() / "table.md"));
    EXPECT_NE(shown.find("<!-- table: " + name + " -->\n|"), std::string::npos)
        << "not in samples/reports/README.md";
  }
  EXPECT_GE(reports, 1u);
  const fs::path script = kReports / "readme_tables.sh";
  std::string command = "bash '";
  command.append(script.string()).append("' --check >/dev/null");
  EXPECT_EQ(std::system(command.c_str()), 0) << "run: samples/reports/readme_tables.sh";
  const std::string front = read_file(fs::path(HIJACK_SOURCE_DIR) / "README.md");
  for (const char* table : {"behaviors-by-budget", "chat-defenses"})
    EXPECT_NE(front.find("<!-- table: " + std::string(table) + " -->\n|"), std::string::npos) << table;
  EXPECT_NE(shown.find("<!-- table: all-defenses -->\n|"), std::string::npos);
}

}  // namespace
}  // namespace hijack::recipe_test
