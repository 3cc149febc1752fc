// Combinations of attack settings that make no sense are refused when the config is read, with the reason.
#include <gtest/gtest.h>

#include "src/base/file.h"
#include "src/base/image.h"
#include "src/experiment/plan/config.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_model.h"

namespace hijack::attack_settings_test {
namespace {

using support::error_of;

/// A config whose files exist.
AttackConfig valid() {
  const std::string root = HIJACK_SOURCE_DIR;
  AttackConfig config;
  config.images = {root + "/samples/images/chelsea.png"};
  config.model = root + "/tests/golden/llava/clip_gqa";
  config.contexts = config.images[0];  // only its existence is checked here
  return config;
}

std::string refused(const std::function<void(AttackConfig&)>& change,
                    const std::set<std::string>& given = {}) {
  AttackConfig config = valid();
  change(config);
  return error_of([&] { resolve(config, given); });
}

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(AttackSettings, ApgdUsesAllContextsUnlessToldOtherwise) {
  AttackConfig config = valid();
  config.optimizer.name = "apgd";
  resolve(config, {});
  EXPECT_EQ(config.batch, 0);
  const auto batch = [](int64_t size, int64_t train) {
    return refused(
        [&](AttackConfig& c) {
          c.optimizer.name = "apgd";
          c.batch = size;
          c.train = train;
        },
        {"batch"});
  };
  EXPECT_TRUE(says(batch(4, 0), "compares losses between steps") && says(batch(4, 0), "--batch 0"))
      << batch(4, 0);
  EXPECT_NE(batch(4, 5), "");
  EXPECT_EQ(batch(4, 4), "");
  EXPECT_EQ(batch(0, 0), "");
  config = valid();
  resolve(config, {});
  EXPECT_EQ(config.batch, 8) << "other optimizers keep their batches";
}

TEST(AttackSettings, ApgdNeedsABall) {
  for (const char* name : {"patch", "border", "box"}) {
    const std::string text = refused([&](AttackConfig& c) {
      c.optimizer.name = "apgd";
      c.constraint.name = name;
    });
    EXPECT_TRUE(says(text, "radius") && says(text, "linf or l2")) << text;
  }
  const std::string moving = refused([](AttackConfig& c) {
    c.optimizer.name = "apgd";
    c.constraint.name = "moving_patch";
  });
  EXPECT_TRUE(says(moving, "elsewhere at each")) << moving;
}

TEST(AttackSettings, ACorpusNeedsItsFileAndAnOptimizerThatMayDraw) {
  const support::TemporaryFolder folder;
  const auto file = folder.path() / "targets.txt";
  const auto corpus = [&](AttackConfig& c) {
    c.behavior.name = "corpus";
    c.behavior.targets = file.string();
  };
  EXPECT_NE(refused(corpus), "") << "there is no such file";
  write_file(file, "one\ntwo\n");
  EXPECT_EQ(refused(corpus), "");
  const std::string text = refused([&](AttackConfig& c) {
    corpus(c);
    c.optimizer.name = "apgd";
  });
  EXPECT_TRUE(says(text, "draws a target at each")) << text;
}

TEST(AttackSettings, AdversarialPromptsNeedAGradientThatReadsPrompts) {
  const auto with = [](const std::function<void(AttackConfig&)>& change) {
    return refused([&](AttackConfig& c) {
      c.cropa.radius = 1;
      change(c);
    });
  };
  EXPECT_EQ(with([](AttackConfig&) {}), "");
  EXPECT_TRUE(says(with([](AttackConfig& c) { c.cropa.every = 0; }), "--cropa-every"));
  EXPECT_TRUE(says(with([](AttackConfig& c) { c.method = "gcg"; }), "--method image"));
  EXPECT_TRUE(says(with([](AttackConfig& c) { c.queries = 4; }), "--queries"));
  for (const char* optimizer : {"apgd", "square"})
    EXPECT_TRUE(says(with([&](AttackConfig& c) { c.optimizer.name = optimizer; }), "--cropa-radius"));
  EXPECT_TRUE(says(with([](AttackConfig& c) {
                     c.objective.formula = "features";
                     c.objective.feature_text = "a red bus";
                   }),
                   "reads no prompt"));
}

TEST(AttackSettings, ChatTemplates) {
  AttackConfig config = valid();
  config.augmentation.templates = "shipped";
  resolve(config, {});
  EXPECT_TRUE(config.augmentation.templates.ends_with("templates.jsonl"));
  const auto with = [](const std::function<void(AttackConfig&)>& change) {
    return refused([&](AttackConfig& c) {
      c.augmentation.templates = "shipped";
      change(c);
    });
  };
  EXPECT_TRUE(
      says(with([](AttackConfig& c) { c.optimizer.name = "apgd"; }), "--templates changes the chats"));
  EXPECT_TRUE(says(with([](AttackConfig& c) { c.method = "gcg"; }), "no use"));
  EXPECT_TRUE(says(with([](AttackConfig& c) { c.augmentation.templates = "none.jsonl"; }), "none.jsonl"));
}

TEST(AttackSettings, MethodsAndSpaces) {
  EXPECT_TRUE(says(refused([](AttackConfig& c) { c.method = "gcgg"; }), "'gcg'"));
  EXPECT_TRUE(says(refused([](AttackConfig& c) { c.space = "pixel"; }), "photo"));
  EXPECT_TRUE(says(refused([](AttackConfig& c) { c.held_out_images = c.images; }), "--universal"));
  EXPECT_TRUE(says(refused([](AttackConfig& c) {
                     c.universal = true;
                     c.method = "gcg";
                   }),
                   "one photo"));
  EXPECT_TRUE(says(refused([](AttackConfig& c) {
                     c.method = "joint";
                     c.joint_rounds = 0;
                   }),
                   "joint_rounds"));
  EXPECT_TRUE(says(refused([](AttackConfig& c) {
                     c.method = "typographic";
                     c.typographic.font = c.images[0];
                   }),
                   "not a usable TrueType font"));
}

TEST(AttackSettings, NumbersOutOfRange) {
  EXPECT_TRUE(says(refused([](AttackConfig& c) { c.constraint.epsilon = "256/255"; }), "at most 255/255"));
  EXPECT_TRUE(says(refused([](AttackConfig& c) { c.restarts = -1; }), "--restarts"));
  EXPECT_TRUE(says(refused([](AttackConfig& c) { c.optimizer.step_size = 2; }), "step_size"));
  EXPECT_TRUE(says(refused([](AttackConfig& c) { c.optimizer.momentum = 2; }), "momentum"));
  EXPECT_TRUE(says(refused([](AttackConfig& c) { c.optimizer.cwa_inner = -1; }), "cwa_inner"));
  EXPECT_TRUE(says(refused([](AttackConfig& c) { c.optimizer.square_share = 0; }), "square_share"));
  EXPECT_TRUE(says(refused([](AttackConfig& c) { c.query_smoothing = 0; }), "--query-smoothing"));
  EXPECT_TRUE(says(refused([](AttackConfig& c) {
                     c.optimizer.name = "cwa";
                     c.optimizer.steps = 1;
                   }),
                   "once in 2 steps"));
  EXPECT_TRUE(says(refused([](AttackConfig& c) { c.optimizer.name = "apgdd"; }), "'apgd'"));
  EXPECT_TRUE(says(refused([](AttackConfig& c) {
                     c.constraint.name = "l2";
                     c.constraint.l2_radius = -1;
                   }),
                   "l2_radius"));
}

TEST(AttackSettings, MaskFiles) {
  const support::TemporaryFolder folder;
  const auto file = folder.path() / "mask.png";
  const auto with_mask = [&](AttackConfig& c) {
    c.constraint.name = "mask";
    c.constraint.mask = file.string();
  };
  EXPECT_TRUE(says(refused(with_mask), "no mask file"));
  save_png(toy_image(), file);
  EXPECT_EQ(refused(with_mask), "");
  EXPECT_TRUE(says(refused([](AttackConfig& c) { c.constraint.name = "mask"; }), "name a PNG"));
}

}  // namespace
}  // namespace hijack::attack_settings_test
