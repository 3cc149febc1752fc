// hijack train, as a user types it.
#include <nlohmann/json.hpp>

#include "tests/support/program.h"

namespace hijack::train_test {
namespace {

namespace fs = std::filesystem;
using namespace support;

class Train : public Program {
 protected:
  Train() {
    decoder_ = copy_of("text/llama", "decoder");
    write_file(decoder_ + "/chat_template.jinja",
               "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}assistant: ");
  }
  std::string eye(const std::string& more) const {
    return "train eye --image-token '<image>' --vision-steps 1 --joint-steps 1 --batch 2 --chat-prompts 2 "
           "--reply-tokens 3 --threads 1 " +
           more;
  }
  std::string decoder_;
};

TEST_F(Train, AnEyeInFrontOfATextDecoderIsAModelLikeAnyOther) {
  const Outcome trained = run(eye("--decoder " + decoder_ + " --questions 4 --photos " + kRoot +
                                  "/samples/images/calibration --out " + at("eye")));
  ASSERT_EQ(trained.code, 0) << trained.err;
  for (const char* words : {"right on held-out scenes", "gate: participation ratio", "chat: first token"})
    EXPECT_NE(trained.out.find(words), std::string::npos) << trained.out;
  const auto measured = nlohmann::json::parse(read_file(at("eye/evaluation.json")));
  EXPECT_EQ(measured.at("chat").at("replies"), 48);
  EXPECT_EQ(run("chat --model " + at("eye") + " --image " + kPhoto + " --prompt x --max-new-tokens 2").code,
            0);
  EXPECT_EQ(run("models inspect " + at("eye")).code, 0);
  // the eye alone and the decoder make the same model
  ASSERT_EQ(run("train assemble --image-token '<image>' --decoder " + decoder_ + " --eye " +
                at("eye/eye.safetensors") + " --out " + at("assembled"))
                .code,
            0);
  for (const char* file : {"config.json", "tokenizer.json", "model-00001-of-00002.safetensors",
                           "model-00002-of-00002.safetensors", "model.safetensors.index.json"})
    EXPECT_EQ(read_file(at("assembled/") + file), read_file(at("eye/") + file)) << file;
  // again without steps: the same numbers
  const Outcome again = run("train eye --evaluate-only --decoder " + decoder_ + " --questions 4 --photos " +
                            kRoot + "/samples/images/calibration --out " + at("eye"));
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(again.out, trained.out);
}

TEST_F(Train, WhatItCannotTrainIsRefused) {
  expect_refused(eye("--out " + at("eye")), "--decoder is missing");
  expect_refused("train assemble --decoder " + decoder_ + " --eye " + decoder_ + "/model.safetensors --out " +
                     at("assembled"),
                 "holds no vision tower");
  expect_refused(eye("--decoder " + at("nowhere") + " --out " + at("eye")), "nowhere");
  expect_refused(eye("--decoder " + kModel + " --out " + at("eye")), "is no text decoder");
  expect_refused(eye("--decoder " + decoder_ + " --photos " + decoder_ + " --out " + at("eye")),
                 "holds no photos");
  expect_refused(eye("--decoder " + decoder_ + " --joint-steps -1 --out " + at("eye")), "joint-steps");
  expect_refused("train pocket --batch 0 --out " + at("pocket"), "--batch");
  expect_refused("train eye --evaluate-only --decoder " + decoder_ + " --out " + at("eye"), "eye");
  EXPECT_FALSE(fs::exists(at("eye")));
  EXPECT_FALSE(fs::exists(at("assembled")));
  EXPECT_FALSE(fs::exists(at("pocket")));
}

}  // namespace
}  // namespace hijack::train_test
