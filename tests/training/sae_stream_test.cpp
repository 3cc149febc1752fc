// States straight from a model: the same for the same step, in bounded memory, resumed to the same bytes.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "models/load_model.h"
#include "src/base/file.h"
#include "src/training/sae_stream.h"
#include "src/training/sae_training.h"
#include "tests/support/temporary_folder.h"

namespace hijack::sae_stream_test {
namespace {

using support::error_of;
const std::filesystem::path kRoot = HIJACK_SOURCE_DIR;

class SaeStream : public testing::Test {
 protected:
  StreamedModel streamed(int64_t buffer, size_t contexts = 30) const {
    StreamedModel made{.model = load_model(kRoot / "tests/golden/llava/clip_gqa", {.dtype = "float32"})};
    made.source = {.model = "tiny",
                   .model_sha256 = "abc",
                   .hook = {HookPoint::kResidual, 1},
                   .tokens = TokenChoice::kAll};
    made.source.width = state_hooks_of(*made.model).width();
    made.images = {kRoot / "samples/images/chelsea.png", kRoot / "samples/images/coffee.png"};
    for (size_t i = 0; i < contexts; ++i)
      made.queries.push_back({.prompt = std::to_string(i * i + 7) + " is what I ask"});
    made.max_new_tokens = 3;
    made.buffer = buffer;
    return made;
  }
  std::string at(const std::string& name) const { return (folder_.path() / name).string(); }

  support::TemporaryFolder folder_;
};

TEST_F(SaeStream, GivesTheSameBatchWheneverItIsAsked) {
  constexpr int64_t kBuffer = 256, kBatch = 64;
  const auto one = streamed_states(streamed(kBuffer), kBatch, 3),
             other = streamed_states(streamed(kBuffer), kBatch, 3);
  std::vector<Tensor> in_order;
  for (int64_t step = 0; step < 10; ++step) in_order.push_back(one->batch(step, kBatch));
  for (const int64_t step : {9, 2, 5})
    EXPECT_TRUE(at::equal(other->batch(step, kBatch), in_order[static_cast<size_t>(step)]));
  EXPECT_EQ(one->first().size(0), kBuffer);
  EXPECT_LE(one->held_out().size(0), kBuffer);
  // later buffers hold other conversations
  const Tensor first = one->first(),
               later = at::cat({in_order[5], one->batch(17, kBatch), one->batch(30, kBatch)});
  int64_t known = 0;
  for (int64_t i = 0; i < later.size(0); ++i) known += (first == later[i]).all(1).any().item<bool>();
  EXPECT_LT(known, later.size(0));
  EXPECT_EQ(one->identity(), other->identity());
  EXPECT_NE(one->identity(), streamed_states(streamed(300), kBatch, 3)->identity());
}

TEST_F(SaeStream, HeldOutTokensAreNotLearnedFrom) {
  const auto states = streamed_states(streamed(100'000), 64, 0);  // all of them
  const Tensor train = states->first(), held_out = states->held_out();
  ASSERT_GT(held_out.size(0), 20);
  // what stands before the image is the same in all conversations
  int64_t known = 0;
  for (int64_t i = 0; i < held_out.size(0); ++i) known += (train == held_out[i]).all(1).any().item<bool>();
  EXPECT_LT(known, held_out.size(0) * 3 / 4);
  EXPECT_TRUE(at::equal(states->batch(0, 8), states->batch(0, 8)));
}

TEST_F(SaeStream, ResumedTrainingGivesTheSameBytes) {
  SaeTrainConfig whole, parts;
  whole.steps = parts.steps = 24, whole.batch = parts.batch = 64, whole.k = parts.k = 4;
  whole.out = at("whole"), parts.out = at("parts");
  const auto training = [&](const SaeTrainConfig& config) {
    return SaeTraining(config, streamed_states(streamed(256), config.batch, config.seed));
  };
  EXPECT_TRUE(training(whole).run([](const SaeProgress&) {}, {}));
  std::stop_source stop;
  EXPECT_FALSE(training(parts).run(
      [&](const SaeProgress& now) { now.step == 13 ? (void)stop.request_stop() : void(); },
      stop.get_token()));
  parts.resume = true;
  SaeTraining resumed = training(parts);
  EXPECT_TRUE(resumed.run([](const SaeProgress&) {}, {}));
  EXPECT_EQ(read_file(at("whole/sae_weights.safetensors")), read_file(at("parts/sae_weights.safetensors")));
  EXPECT_EQ(SparseAutoencoder::read(at("parts")).tokens, "all");
  const PatchedLoss loss = held_out_loss(streamed(256), resumed.folded());
  EXPECT_GT(loss.tokens, 4);
  EXPECT_TRUE(std::isfinite(loss.recovered()));
}

TEST_F(SaeStream, TooFewContextsAreNamed) {
  EXPECT_NE(error_of([&] { streamed_states(streamed(1024, 9), 64, 0); }).find("ten"), std::string::npos);
}

}  // namespace
}  // namespace hijack::sae_stream_test
