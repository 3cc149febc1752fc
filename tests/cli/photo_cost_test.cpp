// What a photo costs: said before an attack, and by inspect, with and without weights.
#include "tests/support/program.h"

namespace hijack::photo_cost_test {
namespace {

namespace fs = std::filesystem;
using namespace support;

const std::string kWide = kRoot + "/tests/golden/qwen2_vl/images/wide.png";

TEST_F(Program, InspectShowsThePhotoOfItsOwnSize) {
  const std::string folder = copy_of("qwen2_5_vl/small", "model");
  const auto shown = [&](const std::string& more) {
    return run("models inspect " + folder + " --image " + kWide + more);
  };
  EXPECT_NE(shown("").out.find("56 x 32 pixels, 28 tokens"), std::string::npos) << shown("").out;
  const Outcome capped = shown(" --max-pixels 1024");
  EXPECT_NE(capped.out.find("40 x 24 pixels, 15 tokens"), std::string::npos) << capped.out;
  const size_t time = capped.out.find("time of a step");
  ASSERT_NE(time, std::string::npos) << capped.out;
  EXPECT_NE(capped.out.find("on cpu, where nothing else runs", time), std::string::npos) << capped.out;
  EXPECT_EQ(capped.code, 0);
  expect_refused("models inspect " + folder + " --max-pixels many", "--max-pixels");
}

TEST_F(Program, InspectNeedsNoWeightsForIt) {
  const std::string folder = copy_of("qwen3_vl/small", "model");
  const Outcome all = run("models inspect " + folder + " --image " + kWide);
  const auto row = [](const Outcome& outcome, const std::string& name) {
    const size_t from = outcome.out.find(name);
    return from == std::string::npos ? "" : outcome.out.substr(from, outcome.out.find('\n', from) - from);
  };
  for (const char* weights : {"model.safetensors", "expected.safetensors"})
    fs::remove(fs::path(folder) / weights);
  const Outcome none = run("models inspect " + folder + " --image " + kWide);
  EXPECT_EQ(none.code, 2);
  EXPECT_NE(none.out.find("neither model.safetensors"), std::string::npos) << none.out;
  for (const char* name : {"image  ", "weights in memory", "memory of attack"}) {
    EXPECT_NE(row(none, name), "") << none.out;
    EXPECT_EQ(row(none, name), row(all, name));
  }
}

TEST_F(Program, AttackSaysItBeforeItStarts) {
  const Outcome done =
      run("attack --image " + kWide + " --contexts " + at("contexts.jsonl") + " --model " + kRoot +
          "/tests/golden/qwen2_5_vl/small --max-pixels 1024 --threads 1 --target abc --max-new-tokens 6 "
          "--steps 1 --out " +
          at("run"));
  EXPECT_EQ(done.code, 0) << done.err;
  const size_t said =
      done.err.find("wide.png: 40x24 pixels, 15 image tokens; a step with 2 contexts takes about");
  ASSERT_NE(said, std::string::npos) << done.err;
  EXPECT_NE(done.err.find(" s where nothing else runs, and ", said), std::string::npos) << done.err;
  EXPECT_NE(read_file(fs::path(at("run")) / "manifest.json").find("\"max_pixels\": 1024"), std::string::npos);
}

}  // namespace
}  // namespace hijack::photo_cost_test
