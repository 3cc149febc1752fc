// --method scaling, the resize defense and scaling_check, and what is said of how visible a change is.
#include <nlohmann/json.hpp>

#include "src/base/image.h"
#include "src/experiment/record/results.h"
#include "tests/support/program.h"

namespace hijack::scaling_program_test {
namespace {

namespace fs = std::filesystem;
using namespace support;

const std::string kPicture = kRoot + "/samples/images/astronaut.png";

TEST_F(Program, APhotoThatAPipelineReadsAsAnother) {
  const Outcome attacked =
      run(attack("--method scaling --target-size 48x32 --filter bilinear --scaling-steps 60 "
                 "--space photo --scaling-picture " +
                 kPicture + " --out " + at("run")));
  ASSERT_EQ(attacked.code, 0) << attacked.err;
  for (const char* words : {"read back bilinear to 48x32", "largest error", "SSIM 0.", "PSNR "})
    EXPECT_NE(attacked.out.find(words), std::string::npos) << words << "\n" << attacked.out;
  const RunRecord record = read_run(at("run"));
  const TrialRow& trial = record.trials.at(0);
  ASSERT_TRUE(trial.read_back);
  EXPECT_LT(trial.read_back->mean_error_255, 2);
  EXPECT_GT(trial.read_back->clean_error_255, 20);
  EXPECT_EQ(trial.constraint_name, "scaling");
  EXPECT_GT(trial.visibility.psnr, 5);
  EXPECT_GT(trial.visibility.feature_distance, 0);
  EXPECT_EQ(load_image(record.folder / trial.image_file).sizes(), load_image(kPhoto).sizes());
  EXPECT_EQ(load_image(record.folder / trial.read_back->seen_file).sizes(), (at::IntArrayRef{1, 3, 32, 48}));
  EXPECT_TRUE(trial.files.contains(trial.read_back->wanted_file));
  const std::string page = read_file(at("run/report.html"));
  for (const char* words :
       {"What a person sees", "What is read", "What was wanted", "Read back: bilinear to 48x32"})
    EXPECT_NE(page.find(words), std::string::npos) << words;
  const nlohmann::json report = nlohmann::json::parse(run("report " + at("run") + " --json").out);
  EXPECT_EQ(report["trials"][0]["read_back"]["mean_error_255"], trial.read_back->mean_error_255);
  EXPECT_EQ(report["trials"][0]["ssim"], trial.visibility.ssim);

  // asked from behind the pipeline, and checked before it
  const Outcome behind =
      run("evaluate " + at("run") +
          " --defense resize:size=48x32,filter=bilinear,back=false "
          "--defense scaling_check:size=48x32,threshold=900 --suffix-steps 0 --utility 0 --json");
  ASSERT_EQ(behind.code, 0) << behind.err;
  bool seen = false;
  std::istringstream lines(behind.out);
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json row = nlohmann::json::parse(line);
    if (!row["defense"].get<std::string>().starts_with("scaling_check")) continue;
    seen = true;
    EXPECT_EQ(row["attack_rejected"]["rate"], 1) << line;
  }
  EXPECT_TRUE(seen);
}

TEST_F(Program, APhotoThatTheModelReadsAsText) {
  const Outcome attacked =
      run(attack("--method scaling --space photo --scaling-steps 40 --out " + at("run")));
  ASSERT_EQ(attacked.code, 0) << attacked.err;
  const TrialRow trial = read_run(at("run")).trials.at(0);
  ASSERT_TRUE(trial.read_back);
  EXPECT_LT(trial.read_back->mean_error_255, .5 * trial.read_back->clean_error_255);
  EXPECT_NE(trial.constraint.find("the model's own preprocessing (photo space)"), std::string::npos)
      << trial.constraint;
  const Outcome again = run(attack("--method scaling --space photo --scaling-steps 40 --out " + at("again")));
  ASSERT_EQ(again.code, 0) << again.err;
  const TrialRow twin = read_run(at("again")).trials.at(0);
  EXPECT_EQ(twin.files, trial.files) << "the same seed, the same bytes";
  const Outcome bounded = run(attack(
      "--method scaling --space photo --scaling-steps 20 --scaling-epsilon 4/255 --out " + at("bounded")));
  ASSERT_EQ(bounded.code, 0) << bounded.err;
  const TrialRow small = read_run(at("bounded")).trials.at(0);
  EXPECT_LE(small.budget.max_difference_255, 4.001);
  EXPECT_EQ(small.epsilon_255, 4);
  EXPECT_GT(small.read_back->mean_error_255, trial.read_back->mean_error_255);
}

TEST_F(Program, ScalingIsRefusedWhereNothingIsScaled) {
  const std::string out = " --out " + at("run");
  expect_refused(attack("--method scaling" + out), "--space photo");
  expect_refused(attack("--method scaling --space photo --target-size huge" + out), "512 or 640x480");
  expect_refused(attack("--method scaling --space photo --target-size 32 --filter bilinaer" + out),
                 "did you mean 'bilinear'");
  expect_refused(attack("--method scaling --space photo --scaling-picture " + at("none.png") + out),
                 "none.png");
  expect_refused(attack("--method scaling --space photo --scaling-epsilon 8" + out), "8/255");
  expect_refused(attack("--method scaling --space photo --universal" + out),
                 "method scaling works on one photo");
  EXPECT_FALSE(fs::exists(at("run")));
}

TEST_F(Program, ResizeIsAnAugmentationToo) {
  const Outcome outcome = run(attack("--steps 2 --augment resize=0.5 --out " + at("run")));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const TrialRow trial = read_run(at("run")).trials.at(0);
  EXPECT_GT(trial.visibility.ssim, .5);
  EXPECT_LT(trial.visibility.ssim, 1);
  expect_refused(attack("--augment resize=2 --out " + at("none")), "from 0.1 to 1");
}

TEST_F(Program, SurvivalIsATableOfItsOwn) {
  ASSERT_EQ(run(attack("--steps 2 --seed 0 1 --out " + at("run"))).code, 0);
  const std::string command = "evaluate " + at("run") + " --survival --suffix-steps 0 --utility 0";
  const Outcome outcome = run(command);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const char* words :
       {"what the saved images survive", "JPEG 95", "JPEG 50", "WebP 90", "half size and back",
        "double size and back", "screenshot", "BMP", "palette of 256"})
    EXPECT_NE(outcome.out.find(words), std::string::npos) << words << "\n" << outcome.out;
  const RunRecord record = read_run(at("run"));
  std::map<std::string, int> asked;
  for (const ReplyRow& reply : record.replies)
    if (reply.condition == "survival") ++asked[reply.trial + reply.variant];
  EXPECT_EQ(asked.size(), 22u) << "eleven kinds, two trials";
  for (const auto& [what, count] : asked) EXPECT_EQ(count, 2) << what;
  const auto replies = record.replies.size();
  ASSERT_EQ(run(command).code, 0);
  EXPECT_EQ(read_run(at("run")).replies.size(), replies) << "nothing is asked twice";
  EXPECT_NE(read_file(at("run/report.html")).find("What the saved images survive"), std::string::npos);
  const nlohmann::json report = nlohmann::json::parse(run("report " + at("run") + " --json").out);
  EXPECT_EQ(report["survival"].size(), 2u);
  EXPECT_EQ(report["survival"][0]["success"]["BMP"]["n"], 2);
  EXPECT_NE(run("report " + at("run") + " --format csv").out.find("survival,,,"), std::string::npos);

  ASSERT_EQ(run("evaluate " + at("run") + " --defense bit_depth --suffix-steps 0 --utility 0").code, 0);
  EXPECT_EQ(run("report " + at("run") + " --json").out.find("\"defense\": \"JPEG"), std::string::npos)
      << "no defense";
  expect_refused("evaluate " + at("run") + " --utility 0", "No defense was given");
}

TEST_F(Program, WithoutTheFlagThereIsNoSurvival) {
  ASSERT_EQ(run(attack("--steps 1 --out " + at("run"))).code, 0);
  ASSERT_EQ(run("evaluate " + at("run") + " --defense bit_depth --suffix-steps 0 --utility 0").code, 0);
  EXPECT_EQ(read_file(at("run/report.html")).find("What the saved images survive"), std::string::npos);
}

}  // namespace
}  // namespace hijack::scaling_program_test
