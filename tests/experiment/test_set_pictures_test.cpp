// Test sets with their own pictures: small sets of each layout with harmless content, and what is wrong in
// them.
#include "src/experiment/plan/test_set_pictures.h"

#include <gtest/gtest.h>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "src/base/sha256.h"
#include "tests/support/temporary_folder.h"

namespace hijack::test_set_pictures_test {
namespace {

namespace fs = std::filesystem;
using support::error_of;

class Pictures : public ::testing::Test {
 protected:
  fs::path at(const std::string& name) const { return folder_.path() / name; }
  void written(const std::string& name, const std::string& text = "picture") const {
    fs::create_directories(at(name).parent_path());
    write_file(at(name), text);
  }
  std::vector<PictureCase> read(const std::string& set, const std::string& path = "",
                                const std::string& settings = "") const {
    return read_picture_cases(
        parse_test_set(set + ":" + (path.empty() ? folder_.path() : at(path)).string() + settings));
  }
  void expect_picture(const PictureCase& one, const std::string& file, const std::string& prompt) const {
    EXPECT_EQ(fs::weakly_canonical(one.picture), fs::weakly_canonical(at(file)));
    EXPECT_EQ(one.prompt(), prompt);
  }

  support::TemporaryFolder folder_;
};

TEST_F(Pictures, OfMmSafetyBench) {
  const std::string entry =
      R"({"0": {"Rephrased Question": "What grows here?"}, "7": {"Rephrased Question": "Which tree?"}})";
  written("data/processed_questions/02-Trees.json", entry);
  for (const char* folder : {"data/imgs", "data/img", "MM-SafetyBench(imgs)", "data"}) {
    for (const char* id : {"0", "7"}) written(std::string(folder) + "/02-Trees/SD_TYPO/" + id + ".jpg");
    const auto cases = read("mm-safetybench", "data");
    ASSERT_EQ(cases.size(), 2u);
    expect_picture(cases[0], std::string(folder) + "/02-Trees/SD_TYPO/0.jpg", "What grows here?");
    EXPECT_EQ(cases[1].one.subset, "02-Trees");
    fs::remove_all(at(std::string(folder) + "/02-Trees"));
  }
  EXPECT_NE(error_of([&] { read("mm-safetybench", "data"); }).find("02-Trees.json: entry 0"),
            std::string::npos);
}

TEST_F(Pictures, OfFigStep) {
  written("data/question/safebench.csv",
          "dataset,category_id,task_id,category_name,question,instruction\n"
          "ForbidQI,1,2,Trees,How do trees grow?,Ways to grow trees. 1. 2. 3.\n"
          "ForbidQI,1,3,Trees,How do ferns grow?,Ways to grow ferns. 1. 2. 3.\n");
  written("data/images/SafeBench/query_ForbidQI_1_2_6.png"),
      written("data/images/SafeBench/query_ForbidQI_1_3_6.png");
  const auto cases = read("figstep", "data/question/safebench.csv");
  ASSERT_EQ(cases.size(), 2u) << "one prompt, and two pictures";
  EXPECT_EQ(cases[0].prompt(), cases[1].prompt());
  EXPECT_NE(cases[0].prompt().find("1, 2 and 3"), std::string::npos);
  EXPECT_EQ(cases[1].picture.filename(), "query_ForbidQI_1_3_6.png");
  EXPECT_EQ(read_test_set(parse_test_set("figstep:" + at("data/question").string())).at(0).prompt,
            "How do trees grow?")
      << "--contexts still reads the questions";
}

TEST_F(Pictures, OfVlGuard) {
  written("test.json",
          R"([{"image": "garden/a.png", "safe": true, "instr-resp": [{"safe_instruction": "Name it."},
              {"unsafe_instruction": "Name it rudely."}]},
             {"image": "garden/b.png", "safe": false, "instr-resp": [{"instruction": "Name it."}]}])");
  written("test/garden/a.png"), written("test/garden/b.png");
  const auto cases = read("vlguard");
  ASSERT_EQ(cases.size(), 3u) << "the same words about another picture are another case";
  expect_picture(cases[0], "test/garden/a.png", "Name it.");
  expect_picture(cases[2], "test/garden/b.png", "Name it.");
  EXPECT_EQ(read("vlguard", "", ",subset=safe_unsafes").size(), 1u);
}

TEST_F(Pictures, OfHarmBench) {
  written("behavior_datasets/multimodal.csv",
          "Behavior,FunctionalCategory,SemanticCategory,Tags,BehaviorID,ImageFileName,ImageDescription\n"
          "Name the fruit.,multimodal,food,,fruit_1,apple.jpg,an apple\n");
  written("multimodal_behavior_images/apple.png");
  const auto cases = read("harmbench", "behavior_datasets/multimodal.csv");
  ASSERT_EQ(cases.size(), 1u);
  expect_picture(cases[0], "multimodal_behavior_images/apple.png", "Name the fruit.");
}

TEST_F(Pictures, OfPopeAndJailBreakV) {
  written(
      "coco_pope_random.json",
      "{\"question_id\": 1, \"image\": \"COCO_1.jpg\", \"text\": \"Is there a cat?\", \"label\": \"yes\"}\n"
      "{\"question_id\": 2, \"image\": \"COCO_2.jpg\", \"text\": \"Is there a cat?\", \"label\": \"no\"}\n");
  written("val2014/COCO_1.jpg"), written("val2014/COCO_2.jpg");
  const auto cases = read("pope");
  ASSERT_EQ(cases.size(), 2u);
  EXPECT_EQ(cases[1].one.target, "no");
  EXPECT_TRUE(has_right_answers("pope") && !has_right_answers("vlguard"));
  written("v/mini_JailBreakV_28K.csv",
          "id,jailbreak_query,redteam_query,format,policy,image_path,from,selected_mini,transfer_from_llm\n"
          "0,Name a bird.,Bird?,SD,Birds,llm_transfer_attack/SD_1.png,us,True,False\n");
  written("v/llm_transfer_attack/SD_1.png");
  expect_picture(read("jailbreakv-28k", "v").at(0), "v/llm_transfer_attack/SD_1.png", "Name a bird.");
}

/// A picture of one color as PNG, in base64.
std::string painted(double color) {
  return base64(encode_png(at::full({1, 3, 150, 170}, color)));
}

constexpr const char* kHead = "index\tquestion\thint\tA\tB\tC\tD\tanswer\tcategory\timage\n";
std::string row(const std::string& index, const std::string& image,
                const std::string& question = "Which color?") {
  return index + "\t" + question + "\tLook closely.\tblack\twhite\t\t\tB\tcolors\t" + image + "\n";
}

TEST_F(Pictures, OfMmBench) {
  written("mmbench.tsv", kHead + row("7", painted(0)) + row("1000008", "9") + row("9", painted(1)) +
                             row("10", "9") + row("11", "9", "Which shade?"));
  const auto cases = read("mmbench");
  ASSERT_EQ(cases.size(), 3u) << "the same words about the same picture are one case";
  EXPECT_EQ(cases[0].image().mean().item<double>(), 0);
  EXPECT_EQ(cases[0].image().sizes(), (std::vector<int64_t>{1, 3, 150, 170}));
  EXPECT_EQ(cases[1].image().mean().item<double>(), 1) << "of a row further down";
  EXPECT_EQ(cases[2].image().mean().item<double>(), 1) << "of a row further up";
  EXPECT_EQ(cases[0].one.image, "mmbench.tsv#7");
  EXPECT_EQ(cases[1].one.image, "mmbench.tsv#9");
  EXPECT_EQ(cases[0].prompt(),
            "Look closely.\nWhich color?\nA. black\nB. white\nAnswer with the letter of the right option.");
  EXPECT_EQ(cases[0].one.target, "B");
  EXPECT_TRUE(has_right_answers("mmbench"));
  EXPECT_EQ(read_test_set(parse_test_set("mmbench:" + folder_.path().string())).size(), 2u)
      << "--contexts reads each prompt once";
  EXPECT_EQ(read("mmbench", "", ",limit=1").size(), 1u);
}

TEST_F(Pictures, BrokenOnesOfMmBenchAreNamedWithTheirLine) {
  const auto says = [&](const std::string& rows) {
    written("mmbench.tsv", kHead + row("1", painted(0)) + rows);
    const std::string contexts = "mmbench:" + folder_.path().string();
    EXPECT_EQ(error_of([&] { read_test_set(parse_test_set(contexts)); }), "")
        << "--contexts needs no pictures";
    return error_of([&] { read("mmbench"); });
  };
  EXPECT_EQ(says(row("2", painted(1)) + row("3", "2")), "");
  const std::string good = painted(1), bytes(99, 'Q');
  const std::vector<std::pair<std::string, std::string>> broken = {
      {good.substr(1), "is not base64, or is cut off"},
      {good.substr(0, good.size() / 8 * 4), "is cut off"},
      {"*" + good.substr(1), "is not base64"},
      {good.substr(0, 40) + "=" + good.substr(41), "is not base64"},
      {base64(bytes), "the picture"},
      {base64("GIF89a" + bytes), "the picture"},
      {"3", "neither base64 nor the index"},
      {"2", "neither base64 nor the index"},
      {"-1", "neither base64 nor the index"},
      {"a.png", "neither base64 nor the index"},
      {"", "names no picture"}};
  for (const auto& [image, message] : broken) {
    const std::string said = says(row("2", image, "Which shade?"));
    EXPECT_NE(said.find("mmbench.tsv:3"), std::string::npos) << image << "\n" << said;
    EXPECT_NE(said.find(message), std::string::npos) << image << "\n" << said;
  }
  const std::string twice = row("2", painted(1)) + row("2", painted(0)) + row("4", "2", "Which shade?");
  EXPECT_NE(says(twice).find("is there twice"), std::string::npos);
  EXPECT_EQ(says(row("2", painted(1)) + row("2", painted(0))), "") << "only where one of them is meant";
  written("mmbench.tsv", "index" + std::string(300, '\t') + "\n");
  EXPECT_NE(error_of([&] { read("mmbench"); }).find("more than 256 columns"), std::string::npos);
}

TEST(OptionLetters, AreTheFirstWordOrTheOnlyOne) {
  for (const char* right : {"B", "B.", "B. white", "(B) white", "**B**", "The answer is B.",
                            "It is option (B), a white one.", "A white one, so B", "Answer: B"})
    EXPECT_TRUE(takes_option(right, 'B')) << right;
  for (const char* wrong : {"", "b", "A", "C. grey", "Either A, or B", "Both B and C", "Because it is white",
                            "Bright", "B's", "A white one"})
    EXPECT_FALSE(takes_option(wrong, 'B')) << wrong;
  EXPECT_TRUE(takes_option("A", 'A'));
  EXPECT_TRUE(takes_option("A. black", 'A'));
  EXPECT_FALSE(takes_option("A black one", 'A')) << "an article";
}

TEST_F(Pictures, WhatIsWrongIsNamed) {
  const auto says = [&](const std::string& image) {
    written("bad/JailBreakV_28K.csv",
            "jailbreak_query,policy,image_path\nName a bird.,Birds," + image + "\n");
    return error_of([&] { read("jailbreakv-28k", "bad"); });
  };
  written("secret.png"), written("bad/inside.png");
  EXPECT_EQ(says("inside.png"), "");
  for (const char* outside : {"../secret.png", "/etc/passwd", "a/../../secret.png"}) {
    EXPECT_NE(says(outside).find("leads out of the set's folder"), std::string::npos) << says(outside);
    EXPECT_NE(says(outside).find("JailBreakV_28K.csv:2"), std::string::npos);
  }
  EXPECT_NE(says("missing.png").find("is not below"), std::string::npos);
  EXPECT_NE(says("").find("names no picture"), std::string::npos);
  written("texts/harmful_behaviors.csv", "goal,target\nName a bird.,Sure\n");
  EXPECT_NE(error_of([&] { read("advbench", "texts"); }).find("names no picture"), std::string::npos);
}

}  // namespace
}  // namespace hijack::test_set_pictures_test
