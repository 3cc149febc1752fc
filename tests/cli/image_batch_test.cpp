// --image-batch: several images in one pass of the model, or one after the other, with the same findings; and
// attacks on several photos side by side.
#include <nlohmann/json.hpp>

#include "src/base/image.h"
#include "src/experiment/record/results.h"
#include "tests/support/program.h"

namespace hijack::image_batch_test {
namespace {

using nlohmann::json;
using namespace support;

class ImageBatch : public Program {
 protected:
  std::string attack(const std::string& out, const std::string& more) const {
    return "attack --image " + kPhoto + " --behavior string --target abc --steps 3 --contexts " +
           at("contexts.jsonl") + " --max-new-tokens 6 --threads 1 --augment noise --draws 4 --out " +
           at(out) + " " + more;
  }
  std::vector<std::string> replies_of(const std::string& out, const std::string& defense) const {
    std::vector<std::string> said;
    for (const ReplyRow& row : read_run(at(out)).replies)
      if (row.defense.starts_with(defense)) said.push_back(row.reply);
    return said;
  }
};

TEST_F(ImageBatch, OneByOneAndTogetherFindTheSame) {
  ASSERT_EQ(run(attack("one", "--image-batch 1")).code, 0) << read_file(at("err"));
  ASSERT_EQ(run(attack("auto", "")).code, 0) << read_file(at("err"));
  const auto losses = [&](const char* out) { return read_run(at(out)).trials.at(0).losses; };
  ASSERT_EQ(losses("one").size(), losses("auto").size());
  for (size_t i = 0; i < losses("one").size(); ++i)
    EXPECT_NEAR(losses("one")[i], losses("auto")[i], 2e-5 * losses("one")[i]);
  const auto batch = [&](const char* out) {
    return json::parse(read_file(at(out) + "/manifest.json"))
        .at("plans")
        .at(0)
        .at("config")
        .at("image_batch");
  };
  EXPECT_EQ(batch("one"), "1");
  EXPECT_EQ(batch("auto"), "auto");
  EXPECT_EQ(read_run(at("one")).trials.at(0).setting_digest, read_run(at("auto")).trials.at(0).setting_digest)
      << "how the machine works is no part of the setting";
}

TEST_F(ImageBatch, EvaluateTakesItInPlaceOfTheRuns) {
  const std::string votes = "--defense smoothvlm:copies=5 --utility 0 --suffix-steps 0 --image-batch ";
  for (const char* out : {"one", "three"}) {
    ASSERT_EQ(run(attack(out, "")).code, 0) << read_file(at("err"));
    const std::string number = out == std::string("one") ? "1" : "3";
    ASSERT_EQ(run("evaluate " + at(out) + " " + votes + number).code, 0) << read_file(at("err"));
  }
  EXPECT_FALSE(replies_of("one", "smoothvlm").empty());
  EXPECT_EQ(replies_of("one", "smoothvlm"), replies_of("three", "smoothvlm"));
}

TEST_F(ImageBatch, RefusesWhatIsNoNumberOfImages) {
  for (const char* wrong : {"0", "many", "2000"}) {
    expect_refused(attack("wrong", std::string("--image-batch ") + wrong),
                   "write auto, or a number from 1 to");
    EXPECT_FALSE(std::filesystem::exists(at("wrong")));
  }
}

/// Attacks on several photos, side by side or one after the other.
class Lockstep : public Program {
 protected:
  static constexpr const char* kThree[] = {"chelsea.png", "coffee.png", "rocket.jpg"};

  std::string attack(const std::string& out, const std::string& more) const {
    std::string text = "attack --behavior string --target abc --contexts " + at("contexts.jsonl") +
                       " --max-new-tokens 6 --threads 1 --out " + at(out) + " " + more;
    for (const char* photo : kThree) text += " --image " + kRoot + "/samples/images/" + photo;
    return text;
  }
  RunRecord done(const std::string& out, const std::string& more) {
    EXPECT_EQ(run(attack(out, more)).code, 0) << read_file(at("err"));
    return read_run(at(out));
  }
};

/// Losses agree within rounding, replies and what is said of the images entirely; of an image's values a few
/// in a thousand, whose gradient is almost nothing, may lie on the other side of the photo.
void expect_same(const RunRecord& a, const RunRecord& b) {
  ASSERT_EQ(a.trials.size(), b.trials.size());
  for (size_t i = 0; i < a.trials.size(); ++i) {
    const TrialRow &one = a.trials[i], &other = b.trials[i];
    EXPECT_EQ(one.id, other.id);
    EXPECT_EQ(one.trial_digest, other.trial_digest);
    EXPECT_EQ(one.steps, other.steps);
    EXPECT_EQ(one.best_step, other.best_step);
    EXPECT_EQ(one.stopped, other.stopped);
    ASSERT_EQ(one.losses.size(), other.losses.size());
    for (size_t k = 0; k < one.losses.size(); ++k)
      EXPECT_NEAR(one.losses[k], other.losses[k], 1e-4 * one.losses[k]) << i << " " << k;
    EXPECT_GT(one.seconds_per_step, 0);
    const Tensor image = load_image(a.folder / one.image_file);
    const Tensor same = image.eq(load_image(b.folder / other.image_file));
    EXPECT_GE(same.to(at::kFloat).mean().item<double>(), 0.995) << one.id;
    for (const std::string& file : {one.origin_file, one.noise_file})
      EXPECT_EQ(read_file((a.folder / file).string()), read_file((b.folder / file).string()));
  }
  ASSERT_EQ(a.replies.size(), b.replies.size());
  for (size_t i = 0; i < a.replies.size(); ++i) {
    EXPECT_EQ(a.replies[i].trial, b.replies[i].trial);
    EXPECT_EQ(a.replies[i].reply, b.replies[i].reply);
  }
}

TEST_F(Lockstep, FindsWhatEachAloneFinds) {
  const RunRecord alone = done("alone", "--validate-every 4 --steps 8 --image-batch 1");
  expect_same(done("three", "--validate-every 4 --steps 8 --image-batch 3"), alone);
  expect_same(done("two", "--validate-every 4 --steps 8 --image-batch 2"), alone);
  EXPECT_NE(alone.trials.at(0).losses, alone.trials.at(1).losses);
}

TEST_F(Lockstep, OfOtherFamiliesAndPhotosOfOtherSizes) {
  for (const std::string family : {"idefics3/grid19", "qwen2_5_vl/small", "mistral3/small"}) {
    const std::string model = "--steps 3 --validate-every 0 --model " + kRoot + "/tests/golden/" + family;
    const std::string name = family.substr(0, family.find('/'));
    expect_same(done(name + "3", model + " --image-batch 3"), done(name + "1", model + " --image-batch 1"));
  }
}

TEST_F(Lockstep, OneMayStopBeforeTheOthers) {
  const RunRecord all = done("all", "--validate-every 4 --steps 8 --image-batch 1");
  double limit = 1e9;  // below the loss of the fourth step of the first photo that goes so far
  for (const TrialRow& row : all.trials) limit = std::min(limit, row.losses.at(4));
  const std::string stop = " --stop-loss " + std::to_string(limit + 1e-3);
  const RunRecord alone = done("alone", "--validate-every 4 --steps 8 --image-batch 1" + stop);
  std::set<int64_t> steps;
  for (const TrialRow& row : alone.trials) steps.insert(row.steps);
  EXPECT_GE(steps.size(), 2u) << "all stopped at once";
  expect_same(done("three", "--validate-every 4 --steps 8 --image-batch 3" + stop), alone);
}

TEST_F(Lockstep, GoesOnWhereItWasStopped) {
  const std::string how = "--steps 120 --checkpoint-every 5 --validate-every 50 --image-batch 3";
  const RunRecord whole = done("whole", how);
  const std::string stopped = "HIJACK_MODEL='" + kModel + "' OMP_NUM_THREADS=1 " HIJACK_PROGRAM " " +
                              attack("stopped", how) + " >" + at("out") + " 2>" + at("err") +
                              " & tries=0; while [ $tries -lt 3000 ] && ! ls " + at("stopped") +
                              "/checkpoints/* >/dev/null 2>&1; do tries=$((tries+1)); sleep .02; done; "
                              "kill -TERM $!; wait $!";
  const int status = std::system(stopped.c_str());
  ASSERT_TRUE(WIFEXITED(status));
  ASSERT_EQ(WEXITSTATUS(status), 1) << read_file(at("err"));
  EXPECT_TRUE(read_run(at("stopped")).trials.empty());
  ASSERT_EQ(run("attack --resume --out " + at("stopped")).code, 0) << read_file(at("err"));
  const RunRecord resumed = read_run(at("stopped"));
  ASSERT_EQ(resumed.trials.size(), whole.trials.size());
  for (size_t i = 0; i < whole.trials.size(); ++i) {
    EXPECT_EQ(resumed.trials[i].losses, whole.trials[i].losses) << "all stop after the same step";
    EXPECT_EQ(read_file((resumed.folder / resumed.trials[i].image_file).string()),
              read_file((whole.folder / whole.trials[i].image_file).string()));
  }
}

TEST_F(Lockstep, APhotoThatCannotBeReadIsRefusedBeforeTheStart) {
  write_file(at("broken.png"), "no picture");
  expect_refused(attack("broken", "--steps 3 --image-batch 4 --image " + at("broken.png")), "broken.png");
  EXPECT_FALSE(std::filesystem::exists(at("broken")));
}

}  // namespace
}  // namespace hijack::image_batch_test
