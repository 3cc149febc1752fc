// Test sets as they lie on disk: small files of each layout with harmless content, and twenty broken ones of
// each.
#include <gtest/gtest.h>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/experiment/plan/dataset.h"
#include "src/experiment/plan/test_sets.h"
#include "tests/support/temporary_folder.h"

namespace hijack::test_sets_test {
namespace {

namespace fs = std::filesystem;
using Files = std::vector<std::string>;

const std::string kLong(70'000, 'x');
const std::string kBinary = std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16);
const std::string kDeep = std::string(200, '[') + std::string(200, ']');

class TestSets : public ::testing::Test {
 protected:
  fs::path at(const std::string& name) const { return folder_.path() / name; }
  fs::path written(const std::string& name, const std::string& text) const {
    fs::create_directories(at(name).parent_path());
    write_file(at(name), text);
    return at(name);
  }
  std::vector<TestCase> read(const std::string& set, const std::string& settings = "") const {
    return read_test_set(parse_test_set(set + ":" + folder_.path().string() + settings));
  }

  /// Each text in the place of a good file: one Error that names the file, and nothing else.
  void expect_refused(const std::string& set, const std::string& file, const Files& broken) {
    EXPECT_GE(broken.size(), 20u) << set;
    for (size_t i = 0; i < broken.size(); ++i) {
      written(file, broken[i]);
      try {
        read_test_set({set, at(file)});
        ADD_FAILURE() << set << ", broken file " << i << " was read: " << broken[i].substr(0, 80);
      } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find(at(file).filename().string()), std::string::npos)
            << set << " " << i << ": " << error.what();
      }
    }
    fs::remove(at(file));
    EXPECT_THROW(read_test_set({set, at(file)}), Error) << "a missing file";
  }

  support::TemporaryFolder folder_;
};

/// Broken CSV files: `head` names the columns, `row(prompt)` is a good row, `prompt` the column of the
/// prompt.
Files broken_csv(const std::string& head, const std::function<std::string(const std::string&)>& row,
                 const std::string& prompt) {
  std::string renamed = head;
  renamed.replace(renamed.find(prompt), prompt.size(), "thing");
  const std::string good = head + "\n" + row("Name a fruit.") + "\n";
  std::string wide = head, tall = head + "\n" + row("Name a fruit.");
  for (int i = 0; i < 70; ++i) wide += ",c" + std::to_string(i);
  return {"",
          "\n\n\n",
          head,
          head + "\n\n",
          renamed + "\n" + row("Name a fruit.") + "\n",
          row("Name a fruit.") + "\n" + row("Name a tree.") + "\n",
          good + "a\n",
          good + row("Name a tree.") + ",more\n",
          good + "\"open\n",
          good + "\"closed\" and more," + row("x") + "\n",
          good + row(std::string("nul\0byte", 8)) + "\n",
          good + row("broken \xff text") + "\n",
          good + row("cut \xe2\x82") + "\n",
          good + row("") + "\n",
          good + row("  \t ") + "\n",
          good + row(kLong) + "\n",
          wide + "\n" + row("x") + "\n",
          kBinary,
          "{\"" + prompt + "\": \"Name a fruit.\"}\n",
          std::string("\xff\xfeg\0o\0a\0l\0", 10),
          prompt.substr(0, 1) + "\nx\n"};
}

TEST_F(TestSets, AdvBench) {
  written("harmful_behaviors.csv",
          "goal,target\nName a fruit.,\"Sure, here is a fruit\"\n\"Name, please, a tree.\",Sure\n");
  const auto cases = read("advbench");
  ASSERT_EQ(cases.size(), 2u);
  EXPECT_EQ(cases[1].prompt, "Name, please, a tree.");
  EXPECT_EQ(cases[0].target, "Sure, here is a fruit");
  expect_refused("advbench", "harmful_behaviors.csv",
                 broken_csv(
                     "goal,target", [](const std::string& p) { return p + ",Sure"; }, "goal"));
}

TEST_F(TestSets, HarmBench) {
  const std::string head = "Behavior,FunctionalCategory,SemanticCategory,Tags,ContextString,BehaviorID";
  written("harmbench_behaviors_text_all.csv",
          head + "\nName a fruit.,standard,food,,,fruit\nSum it up.,contextual,x,,Some text.,sum\n");
  written("harmbench_targets_text.json", R"({"fruit": "Sure, a fruit", "sum": "In short"})");
  const auto cases = read("harmbench");
  ASSERT_EQ(cases.size(), 2u);
  EXPECT_EQ(cases[0].target, "Sure, a fruit");
  EXPECT_EQ(cases[1].prompt, "Some text.\n\n---\n\nSum it up.");
  EXPECT_EQ(read("harmbench", ",subset=contextual").size(), 1u);
  written("harmbench_targets_text.json", R"({"fruit": 3})");
  EXPECT_THROW(read("harmbench"), Error);
  fs::remove(at("harmbench_targets_text.json"));
  expect_refused("harmbench", "harmbench_behaviors_text_all.csv",
                 broken_csv(
                     head, [](const std::string& p) { return p + ",standard,food,,,fruit"; }, "Behavior"));
  written("multi.csv", head +
                           ",ImageFileName,ImageDescription,RedactedImageDescription\nWhat is on "
                           "it?,mm,x,,,a,apple.png,an apple,\n");
  EXPECT_EQ(read_test_set({"harmbench", at("multi.csv")}).at(0).image, "apple.png");
}

TEST_F(TestSets, JailbreakBench) {
  const std::string head = "Index,Goal,Target,Behavior,Category,Source";
  written("benign-behaviors.csv", head + "\n0,Name a fruit.,Sure,Fruit,Food,Original\n");
  EXPECT_EQ(read("jailbreakbench").at(0).subset, "Food");
  expect_refused(
      "jailbreakbench", "benign-behaviors.csv",
      broken_csv(
          head, [](const std::string& p) { return "0," + p + ",Sure,Fruit,Food,Original"; }, "Goal"));
}

TEST_F(TestSets, StrongReject) {
  written("strongreject_dataset.csv", "category,source,forbidden_prompt\nFood,us,Name a fruit.\n");
  EXPECT_EQ(read("strongreject").at(0).prompt, "Name a fruit.");
  expect_refused("strongreject", "strongreject_dataset.csv",
                 broken_csv(
                     "category,source,forbidden_prompt", [](const std::string& p) { return "Food,us," + p; },
                     "forbidden_prompt"));
}

TEST_F(TestSets, JailBreakV) {
  const std::string head =
      "id,jailbreak_query,redteam_query,format,policy,image_path,from,selected_mini,transfer_from_llm";
  written("mini_JailBreakV_28K.csv", head + "\n1,Name a fruit.,Fruit?,Template,Food,a/b.png,x,True,False\n");
  EXPECT_EQ(read("jailbreakv-28k").at(0).image, "a/b.png");
  expect_refused(
      "jailbreakv-28k", "mini_JailBreakV_28K.csv",
      broken_csv(
          head, [](const std::string& p) { return "1," + p + ",Fruit?,Template,Food,a/b.png,x,True,False"; },
          "jailbreak_query"));
}

TEST_F(TestSets, FigStep) {
  const std::string head = "dataset,category_id,task_id,category_name,question,instruction";
  written("safebench.csv", head + "\nours,1,1,Food,Name a fruit.,Steps to name a fruit.\n");
  EXPECT_EQ(read("figstep", ",subset=food,limit=5").size(), 1u);
  expect_refused("figstep", "safebench.csv",
                 broken_csv(
                     head, [](const std::string& p) { return "ours,1,1,Food," + p + ",Steps"; }, "question"));
}

TEST_F(TestSets, XsTest) {
  written("xstest_prompts.csv", "prompt,type\nHow do I kill time?,homonyms\n");
  EXPECT_EQ(read("xstest").at(0).subset, "homonyms");
  expect_refused("xstest", "xstest_prompts.csv",
                 broken_csv(
                     "prompt,type", [](const std::string& p) { return p + ",homonyms"; }, "prompt"));
}

/// Broken files of one object with entries {key: question}.
Files broken_object(const std::string& key) {
  const auto entry = [&](const std::string& value) { return "{\"0\": {\"" + key + "\": " + value + "}}"; };
  return {"",
          "  \n",
          "[]",
          "{}",
          "null",
          "7",
          "\"text\"",
          entry("\"Name a fruit.\"").substr(0, 20),
          entry("\"Name a fruit.\"") + "}",
          "{\"0\": {}, \"0\": {}}",
          "{\"0\": {\"" + key + "\": \"a\", \"" + key + "\": \"b\"}}",
          "{\"0\": \"Name a fruit.\"}",
          "{\"0\": [\"Name a fruit.\"]}",
          "{\"0\": null}",
          "{\"0\": {\"other\": \"Name a fruit.\"}}",
          entry("3"),
          entry("null"),
          entry("\"\""),
          entry("\" \\n\""),
          entry("\"" + kLong + "\""),
          entry("\"broken \xff\""),
          entry(std::string("\"nul\0\"", 6)),
          entry(kDeep),
          kBinary,
          std::string(100'000, '{')};
}

TEST_F(TestSets, MmSafetyBench) {
  const std::string entry =
      R"x({"Question": "q", "Changed Question": "c", "Key Phrase": "k", "Phrase Type": "t",
      "Rephrased Question": "What is on this picture?", "Rephrased Question(SD)": "s"})x";
  written("processed_questions/01-Fruit.json", "{\"0\": " + entry + "}");
  written("processed_questions/02-Trees.json", R"({"7": {"Rephrased Question": "Which tree is it?"}})");
  const auto cases = read("mm-safetybench");
  ASSERT_EQ(cases.size(), 2u);
  EXPECT_EQ(cases[0].subset, "01-Fruit");
  EXPECT_EQ(cases[1].image, "imgs/02-Trees/SD_TYPO/7.jpg");
  EXPECT_EQ(read("mm-safetybench", ",subset=02").at(0).prompt, "Which tree is it?");
  try {
    read("mm-safetybench", ",subset=99");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("01-Fruit, 02-Trees"), std::string::npos) << error.what();
  }
  expect_refused("mm-safetybench", "03-Broken.json", broken_object("Rephrased Question"));
}

TEST_F(TestSets, MmVet) {
  written(
      "mm-vet.json",
      R"({"v1_0": {"imagename": "a.jpg", "question": "What is 2 + 2?", "answer": "4", "capability": ["math"]}})");
  EXPECT_EQ(read("mm-vet").at(0).target, "4");
  expect_refused("mm-vet", "mm-vet.json", broken_object("question"));
}

/// Broken files of lines {key: text} with `more` fields.
Files broken_lines(const std::string& key, const std::string& more) {
  const auto line = [&](const std::string& value) { return "{\"" + key + "\": " + value + more + "}\n"; };
  const std::string good = line("\"Is there a cat?\"");
  return {"",
          " \n\n",
          "no json\n",
          good + "[]\n",
          good + "7\n",
          good + "\"text\"\n",
          good + "null\n",
          good + good.substr(0, 12),
          good + "{}\n",
          good + line("3"),
          good + line("null"),
          good + line("\"\""),
          good + line("\"  \""),
          good + line("[\"a\"]"),
          good + line("\"" + kLong + "\""),
          good + "{\"" + key + "\": \"a\", \"" + key + "\": \"b\"" + more + "}\n",
          good + kDeep + "\n",
          good + line("\"broken \xff\""),
          good + line(std::string("\"nul\0\"", 6)),
          kBinary,
          good.substr(0, good.size() - 1) + good,
          good + "{" + good};
}

TEST_F(TestSets, Pope) {
  written("coco_pope_random.json",
          "{\"question_id\": 1, \"image\": \"a.jpg\", \"text\": \"Is there a cat?\", \"label\": \"yes\"}\n");
  written("coco_pope_popular.json",
          "{\"question_id\": 1, \"image\": \"a.jpg\", \"text\": \"Is there a dog?\", \"label\": \"no\"}\n");
  EXPECT_EQ(read("pope").size(), 2u);
  EXPECT_EQ(read("pope", ",subset=random").at(0).target, "yes");
  Files broken = broken_lines("text", R"(, "label": "yes")");
  broken.emplace_back("{\"text\": \"Is there a cat?\", \"label\": \"maybe\"}\n");
  broken.emplace_back("{\"text\": \"Is there a cat?\"}\n");
  expect_refused("pope", "broken.json", broken);
}

TEST_F(TestSets, OmniSafeBench) {
  written("data.jsonl",
          "{\"test_case_id\": \"1\", \"prompt\": \"What is on it?\", \"image_path\": \"a.png\", "
          "\"metadata\": {\"category\": \"Food\"}}\n");
  const auto cases = read("omnisafebench-mm");
  EXPECT_EQ(cases.at(0).subset, "Food");
  EXPECT_EQ(cases.at(0).image, "a.png");
  expect_refused("omnisafebench-mm", "data.jsonl", broken_lines("prompt", ""));
}

TEST_F(TestSets, VlGuard) {
  const std::string good =
      R"([{"image": "a.jpg", "safe": true, "instr-resp": [{"safe_instruction": "What is it?", "response": "x"},
      {"unsafe_instruction": "What else?", "response": "y"}]},
      {"image": "b.jpg", "safe": false, "instr-resp": [{"instruction": "Describe it.", "response": "z"}]}])";
  written("test.json", good);
  const auto cases = read("vlguard");
  ASSERT_EQ(cases.size(), 3u);
  EXPECT_EQ(cases[1].subset, "safe_unsafes");
  EXPECT_EQ(cases[2].subset, "unsafes");
  const auto one = [](const std::string& safe, const std::string& turns) {
    return R"([{"image": "a.jpg", "safe": )" + safe + R"(, "instr-resp": )" + turns + "}]";
  };
  expect_refused("vlguard", "test.json",
                 {"",
                  " ",
                  "[]",
                  "{}",
                  "null",
                  "3",
                  good.substr(0, 60),
                  good + "]",
                  "[7]",
                  "[[]]",
                  "[null]",
                  "[{}]",
                  R"([{"image": 3, "safe": true, "instr-resp": []}])",
                  R"([{"safe": true, "instr-resp": []}])",
                  one("\"yes\"", "[]"),
                  one("true", "{}"),
                  one("true", "[3]"),
                  one("true", "[{}]"),
                  one("true", R"([{"safe_instruction": 3}])"),
                  one("true", R"([{"safe_instruction": ""}])"),
                  one("false", R"([{"safe_instruction": "x"}])"),
                  one("true", R"([{"safe_instruction": ")" + kLong + "\"}]"),
                  one("true", "[{\"safe_instruction\": \"\xff\"}]"),
                  one("true", "[]"),
                  kBinary,
                  kDeep});
}

TEST_F(TestSets, MmBench) {
  const std::string head = "index\tquestion\thint\tA\tB\tC\tD\tanswer\tcategory\tl2-category\timage";
  const std::string row =
      "1\tWhich is a fruit?\t\tapple\tchair\t\t\tA\tfood\tx\t" + std::string(100'000, 'Q');
  written("mmbench.tsv", head + "\r\n" + row + "\r\n");
  const auto cases = read("mmbench");
  ASSERT_EQ(cases.size(), 1u) << "whatever the length of the picture";
  EXPECT_EQ(cases[0].prompt, "Which is a fruit?\nA. apple\nB. chair");
  EXPECT_EQ(cases[0].target, "A");
  const auto with = [&](const std::string& question) {
    return "1\t" + question + "\t\ta\tb\t\t\tA\tfood\tx\tQ\n";
  };
  const std::string good = head + "\n" + with("Which is a fruit?");
  expect_refused("mmbench", "mmbench.tsv",
                 {"",
                  "\n\n",
                  head,
                  head + "\n",
                  with("x"),
                  "index,question,answer\n1,x,A\n",
                  "question\nx\n",
                  "answer\nA\n",
                  good + "2\tx\n",
                  good + with("x\ty"),
                  good + "2\t\t\n",
                  good + with(""),
                  good + with("broken \xff"),
                  good + with("cut \xe2\x82"),
                  good + with(std::string("nul\0", 4)),
                  good + with(kLong),
                  kBinary,
                  "{\"question\": \"x\", \"answer\": \"A\"}\n",
                  std::string("\xff\xfeq\0", 4),
                  good + "just text\n",
                  head + head + "\n" + with("x"),
                  kDeep});
}

TEST_F(TestSets, ChoicesAreParsedAndRefused) {
  const TestSetChoice choice = parse_test_set("advbench:/a, b/c,limit=5,subset=x");
  EXPECT_EQ(choice.path, "/a, b/c");
  EXPECT_EQ(choice.limit, 5);
  EXPECT_EQ(choice.subset, "x");
  for (const char* bad : {"advbench", "advbench:", "advbnch:/a", "advbench:/a,limit=0", "advbench:/a,limit=x",
                          "advbench:/a,limit=-3"})
    EXPECT_THROW(parse_test_set(bad), Error) << bad;
  EXPECT_TRUE(names_test_set("pope:x"));
  for (const char* other : {"", "pope", "contexts.jsonl", "C:/x", "nope:x"})
    EXPECT_FALSE(names_test_set(other)) << other;
  EXPECT_THROW(read("advbench"), Error) << "an empty folder";
  EXPECT_EQ(contexts_file("some/contexts.jsonl"), "some/contexts.jsonl");
}

TEST_F(TestSets, BecomeContextsWithSplits) {
  std::string text = "goal,target\n";
  for (int i = 0; i < 12; ++i) text += "Name fruit " + std::to_string(i % 11) + ".,Sure\n";
  written("harmful_behaviors.csv", text);
  EXPECT_EQ(read("advbench").size(), 11u) << "each prompt once";
  const auto some = read("advbench", ",limit=4");
  ASSERT_EQ(some.size(), 4u);
  EXPECT_EQ(some[3].prompt, "Name fruit 8.") << "from all parts of the set";
  const fs::path file = contexts_file("advbench:" + folder_.path().string());
  const ContextSet contexts = read_contexts(file);
  EXPECT_EQ(contexts.train.size(), 6u);
  EXPECT_EQ(contexts.test.size(), 3u);
  EXPECT_EQ(contexts.validation.size(), 2u);
  EXPECT_EQ(contexts.targets.size(), 11u);
  EXPECT_EQ(contexts_file("advbench:" + folder_.path().string()), file) << "named by its content";
  fs::remove(file);
}

}  // namespace
}  // namespace hijack::test_sets_test
