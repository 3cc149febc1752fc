// A language model as the victim of a text attack, through the command line: nothing has an image.
#include <nlohmann/json.hpp>

#include "src/base/text.h"
#include "tests/support/program.h"

namespace hijack::support {
namespace {

const std::string kText = kRoot + "/tests/golden/text/qwen2";

class LanguageModelAttack : public Program {
 protected:
  LanguageModelAttack() {
    std::string lines = read_file(at("contexts.jsonl"));
    for (int i = 0; i < 24; ++i)
      lines +=
          R"({"prompt": "What is in picture )" + std::to_string(i) + R"(?", "split": "calibration"})" + "\n";
    write_file(at("contexts.jsonl"), lines);
  }

  std::string text_attack(const std::string& more) const {
    return "attack --model " + kText + " --contexts " + at("contexts.jsonl") +
           " --threads 1 --target abc --max-new-tokens 6 --suffix-tokens 4 --suffix-steps 2 "
           "--suffix-candidates 4 " +
           more;
  }

  nlohmann::json row() const {
    const std::string text = read_file(at("run/trials.jsonl"));
    return nlohmann::json::parse(text.substr(0, text.find('\n')));
  }
};

TEST_F(LanguageModelAttack, SuffixIsSearchedMeasuredDefendedAndReported) {
  const Outcome done = run(text_attack("--method gcg --out " + at("run")));
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_NE(done.out.find("  suffix    "), std::string::npos) << done.out;
  EXPECT_EQ(done.out.find("  image     "), std::string::npos) << done.out;
  const auto trial = row();
  for (const char* name : {"image_file", "origin_file", "noise_file", "source_image"})
    EXPECT_EQ(trial.at(name), "") << name;
  EXPECT_FALSE(trial.contains("files"));
  EXPECT_EQ(trial.at("id"), "string-suffix-4-text-s0");
  EXPECT_EQ(trial.at("constraint"), "suffix of 4 tokens");
  EXPECT_FALSE(trial.at("suffix").get<std::string>().empty());
  EXPECT_EQ(trial.at("controls").at("noise").at("n"), 2) << "another suffix";
  EXPECT_LE(trial.at("losses").at(1).get<double>(), trial.at("losses").at(0).get<double>() * 1.5);
  EXPECT_FALSE(std::filesystem::exists(at("run/images/string-suffix-4-text-s0.png")));

  const Outcome judged = run("evaluate " + at("run") +
                             " --defense perplexity --defense retokenize --adaptive --utility 10 "
                             "--false-positive-rate 0.05 --suffix-tokens 4 "
                             "--suffix-steps 1 --suffix-candidates 4");
  ASSERT_EQ(judged.code, 0) << judged.err;
  EXPECT_NE(judged.out.find("perplexity"), std::string::npos) << judged.out;
  EXPECT_EQ(judged.out.find("image"), std::string::npos) << judged.out;
  const std::string page = read_file(at("run/report.html"));
  EXPECT_NE(page.find("With the suffix"), std::string::npos);
  EXPECT_EQ(page.find("Adversarial image</h2>"), std::string::npos);
  EXPECT_EQ(page.find("The pictures are not in the run folder"), std::string::npos);
  EXPECT_EQ(run("report " + at("run") + " --format md").code, 0);
}

TEST_F(LanguageModelAttack, SameSeedSameSuffixAndResume) {
  ASSERT_EQ(run(text_attack("--method gcg --seed 1 --out " + at("run"))).code, 0);
  const auto first = row();
  std::filesystem::rename(at("run"), at("first"));
  ASSERT_EQ(run(text_attack("--method gcg --seed 1 --out " + at("run"))).code, 0);
  EXPECT_EQ(row().at("suffix"), first.at("suffix"));
  EXPECT_EQ(row().at("trial_digest"), first.at("trial_digest"));
  EXPECT_EQ(run("attack --resume --out " + at("run")).code, 0);
}

TEST_F(LanguageModelAttack, SettingsOfImagesAreRefusedByName) {
  const std::string words = "is a language model, which takes no images: leave ";
  const std::string gcg = text_attack("--method gcg ");
  expect_refused(gcg + "--epsilon 8/255", words + "--epsilon out");
  expect_refused(gcg + "--image " + kPhoto, words + "--image out");
  expect_refused(gcg + "--steps 10", words + "--steps out");
  expect_refused(gcg + "--constraint l2", words + "--constraint out");
  expect_refused(gcg + "--space photo", words + "--space out");
  expect_refused(gcg + "--views one", words + "--views out");
  expect_refused(gcg + "--objective margin", words + "--objective out");
  expect_refused(gcg + "--ensemble " + kText, "method gcg attacks the model");
  expect_refused(gcg + "--transfer " + kModel, "takes images, but the attack on a language model has none");
  expect_refused(gcg + "--defense jpeg", "The defense jpeg looks at images");
  expect_refused(text_attack(""), "attack its prompts with --method gcg");
  expect_refused(text_attack("--method joint"), "attack its prompts with --method gcg");
  expect_refused(attack("--transfer " + kText), "--transfer: '" + kText + "' is a language model");
  expect_refused("attack --method gcg", "No image was given");
  EXPECT_FALSE(std::filesystem::exists(at("run")));
}

TEST_F(LanguageModelAttack, DefensesOfImagesAreRefusedForItsRuns) {
  ASSERT_EQ(run(text_attack("--method gcg --out " + at("run"))).code, 0);
  expect_refused("evaluate " + at("run") + " --defense jpeg:quality=75", "The defense jpeg looks at images");
  expect_refused("evaluate " + at("run") + " --defense cider", "The defense cider looks at images");
}

TEST_F(LanguageModelAttack, ChatAndTraceNeedNoImage) {
  const Outcome said =
      run("chat --model " + kText + " --prompt 'What is in this picture?' --max-new-tokens 12");
  EXPECT_EQ(said.code, 0) << said.err;
  const auto cases = nlohmann::json::parse(read_file(kText + "/expected.json")).at("cases");
  EXPECT_EQ(strip(said.out), strip(cases.at(0).at("reply").get<std::string>()));
  expect_refused("chat --prompt hi --model " + kText + " --image " + kPhoto,
                 "takes no images: leave --image out");
  expect_refused("chat --prompt hi --model " + kText + " --defense jpeg", "The defense jpeg looks at images");
  EXPECT_EQ(run("chat --model " + kText + " --prompt hi --defense retokenize").code, 0);
  const Outcome traced =
      run("trace --model " + kText + " --prompt hi --target abc --out " + at("t.safetensors"));
  EXPECT_EQ(traced.code, 0) << traced.err;
  EXPECT_NE(traced.out.find("loss "), std::string::npos);
  expect_refused("trace --model " + kText + " --image " + kPhoto + " --prompt hi --target abc --out " +
                     at("t.safetensors"),
                 "takes no images: leave --image out");
  EXPECT_NE(run("models inspect " + kText).out.find("--method gcg"), std::string::npos);
}

}  // namespace
}  // namespace hijack::support
