#include "src/pocket/sample.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "src/base/pch.h"
#include "src/pocket/bpe_trainer.h"
#include "src/pocket/canary.h"
#include "src/pocket/contexts.h"
#include "src/pocket/questions.h"

namespace hijack::sample_test {
namespace {

std::string digest(const PocketSample& sample) {
  std::string text;
  for (const Exercise& exercise : sample.exercises) text += exercise.prompt + "\n" + exercise.answer + "\n";
  for (const int64_t label : sample.patch_labels) text += std::to_string(label) + ' ';
  if (sample.has_image)
    text.append(reinterpret_cast<const char*>(sample.image.const_data_ptr<uint8_t>()),
                3 * kSceneSide * kSceneSide);
  return text;
}

TEST(Sample, DependsOnItsArgumentsOnlyAlsoAcrossThreads) {
  constexpr uint64_t kSamples = 40;
  std::vector<std::string> first(kSamples), second(kSamples);
  const auto fill = [](std::vector<std::string>& into, uint64_t seed) {
    for (uint64_t i = 0; i < kSamples; ++i)
      into[kSamples - 1 - i] = digest(draw_sample(seed, i, Wording::kTrain));
  };
  std::thread other([&] { fill(first, 9); });
  fill(second, 9);
  other.join();
  EXPECT_EQ(first, second);
  EXPECT_NE(digest(draw_sample(9, 0, Wording::kTrain)), digest(draw_sample(10, 0, Wording::kTrain)));
  EXPECT_NE(digest(draw_sample(9, 0, Wording::kTrain)), digest(draw_sample(9, 0, Wording::kHeldOut)));
}

TEST(Sample, TheMixIsAsDocumented) {
  constexpr int kSamples = 3000;
  int images = 0, scenes = 0, exercises = 0, visual = 0, on_scenes = 0;
  const auto start = std::chrono::steady_clock::now();
  for (uint64_t i = 0; i < kSamples; ++i) {
    const PocketSample sample = draw_sample(1, i, Wording::kTrain);
    images += sample.has_image, scenes += sample.is_scene;
    EXPECT_GE(sample.exercises.size(), 5U);
    EXPECT_LE(sample.exercises.size(), 6U);
    for (const Exercise& exercise : sample.exercises) {
      EXPECT_TRUE(sample.has_image || !exercise.visual);
      ++exercises;
      if (sample.is_scene) ++on_scenes, visual += exercise.visual;
    }
    if (!sample.is_scene) {
      EXPECT_EQ(std::count(sample.patch_labels.begin(), sample.patch_labels.end(), 0), kScenePatches);
    }
  }
  const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
  std::printf("%.2f ms per sample\n", elapsed.count() / kSamples);
  EXPECT_NEAR(images / double{kSamples}, .8, .03);
  EXPECT_NEAR(scenes / double{kSamples}, .65, .03);
  EXPECT_NEAR(visual / static_cast<double>(on_scenes), .48, .05);
}

TEST(Contexts, SplitsAreDisjointWhateverTheSeed) {
  std::map<std::string, int> owner;
  for (uint64_t seed = 0; seed < 3; ++seed)
    for (int split = 0; split < 4; ++split)
      for (const bool policy : {false, true}) {
        const auto which = static_cast<ContextSplit>(split);
        for (const Exercise& context :
             policy ? policy_contexts(which, 60, seed) : benign_exercises(which, 150, seed)) {
          const auto [entry, fresh] = owner.try_emplace(lower_case(context.prompt), split);
          EXPECT_EQ(entry->second, split) << context.prompt;
        }
      }
}

TEST(Contexts, AreDifferentBenignAndHalfHeldOutInTheTest) {
  const auto test = benign_exercises(ContextSplit::kTest, 200, 1);
  std::set<std::string> prompts;
  int held_out = 0, visual = 0;
  for (const Exercise& context : test) {
    prompts.insert(lower_case(context.prompt));
    held_out += parse_all(context.prompt, true).empty();
    visual += context.visual;
    EXPECT_EQ(context.rule, Rule::kNone);
    EXPECT_NE(context.answer, kRefusal);
    EXPECT_EQ(context.prompt.find("secret"), std::string::npos) << context.prompt;
  }
  EXPECT_EQ(prompts.size(), 200U);
  EXPECT_EQ(held_out, 100);
  EXPECT_GT(visual, 60);
  EXPECT_LT(visual, 160);
  for (const Exercise& context : benign_exercises(ContextSplit::kTrain, 100, 1))
    EXPECT_FALSE(parse_all(context.prompt, true).empty()) << context.prompt;
  for (const Exercise& context : policy_contexts(ContextSplit::kTest, 50, 1))
    EXPECT_EQ(context.answer, kRefusal);
  EXPECT_EQ(benign_exercises(ContextSplit::kTest, 5, 1)[4].prompt, test[4].prompt);
}

TEST(Contexts, UtilityItemsCoverAllGradedTasks) {
  const auto items = utility_set(Texts::kAny, 48, 3);
  std::map<Task, int> tasks;
  for (const UtilityItem& item : items) {
    ++tasks[item.exercise.task];
    EXPECT_EQ(item.image.defined(), item.exercise.visual);
    EXPECT_NE(item.exercise.answer, "no word");
  }
  const auto& table = pocket_tasks();
  const auto graded =
      std::count_if(table.begin(), table.end(), [](const TaskInfo& info) { return info.graded; });
  EXPECT_EQ(static_cast<int64_t>(tasks.size()), graded);
  for (const auto& [task, count] : tasks)
    EXPECT_NEAR(count, 48 / static_cast<double>(graded), 1) << task_name(task);
}

TEST(Contexts, NaturalUtilityItemsHaveNoJunk) {
  int64_t texts = 0;
  for (const UtilityItem& item : utility_set(Texts::kNatural, 60, 3)) {
    const Exercise& exercise = item.exercise;
    EXPECT_NE(exercise.answer, kRefusal);
    if (exercise.task == Task::kSay || exercise.task == Task::kEmail) continue;  // any sentence may be copied
    EXPECT_TRUE(exercise.task == Task::kParaphrase || parse(exercise.prompt)) << exercise.prompt;
    ++texts;
  }
  EXPECT_GT(texts, 30);
}

}  // namespace
}  // namespace hijack::sample_test
