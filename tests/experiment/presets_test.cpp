#include "src/experiment/plan/presets.h"

#include <gtest/gtest.h>

#include "src/base/error.h"
#include "src/base/file.h"
#include "tests/support/temporary_folder.h"

namespace hijack::presets_test {
namespace {

using support::error_of;

const std::string kRoot = HIJACK_SOURCE_DIR;

TEST(Presets, EveryShippedOneIsAnAttackThatCanBegin) {
  const auto presets = list_presets(kRoot + "/samples/presets");
  EXPECT_GE(presets.size(), 12u);
  for (const Preset& preset : presets) {
    SCOPED_TRACE(preset.name);
    EXPECT_FALSE(preset.paper.empty());
    EXPECT_FALSE(preset.departs.empty());
    AttackConfig config;
    auto given = apply_preset(preset.name, kRoot + "/samples/presets", config);
    EXPECT_TRUE(given.contains("behavior"));
    config.images = {kRoot + "/samples/images/chelsea.png"};
    if (asks_nobody(config))
      config.surrogate.folders = {kRoot + "/tests/golden/encoders/clip"};
    else
      config.model = kRoot + "/tests/golden/llava/clip_gqa";
    EXPECT_EQ(error_of([&] { resolve(config, given); }), "");
  }
}

TEST(Presets, FlagsOverrideThem) {
  AttackConfig config;
  apply_preset("image-hijacks-leak", kRoot + "/samples/presets", config);
  EXPECT_EQ(config.behavior.name, "leak");
  EXPECT_EQ(config.optimizer.name, "sgd");
  EXPECT_EQ(config.optimizer.step_size, 0.03);
}

TEST(Presets, BadOnesAreRefused) {
  const support::TemporaryFolder folder;
  AttackConfig config;
  const auto refused = [&](const std::string& text) {
    write_file(folder.path() / "one.toml", text);
    return error_of([&] { apply_preset("one", folder.path(), config); });
  };
  EXPECT_NE(refused("paper = \"P\"\ndeparts = \"D\"\n").find("[attack]"), std::string::npos);
  EXPECT_NE(refused("departs = \"D\"\n[attack]\nsteps = 1\n").find("`paper`"), std::string::npos);
  EXPECT_NE(refused("paper = 1\ndeparts = \"D\"\n[attack]\nsteps = 1\n").find("`paper`"), std::string::npos);
  EXPECT_NE(refused("papers = \"P\"\n").find("did you mean 'paper'"), std::string::npos);
  EXPECT_NE(refused("paper = \"P\"\ndeparts = \"D\"\n[attack]\nstepz = 1\n").find("did you mean 'steps'"),
            std::string::npos);
  EXPECT_NE(error_of([&] { apply_preset("onee", folder.path(), config); }).find("did you mean 'one'"),
            std::string::npos);
  EXPECT_NE(error_of([&] { list_presets(folder.path() / "none"); }).find("no folder"), std::string::npos);
}

}  // namespace
}  // namespace hijack::presets_test
