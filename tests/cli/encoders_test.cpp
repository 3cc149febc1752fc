// Image encoders as surrogates: hijack attack --surrogate, with a model and without, and what is said of
// them.
#include <nlohmann/json.hpp>

#include "models/checkpoint/safetensors.h"
#include "src/base/image.h"
#include "src/experiment/record/results.h"
#include "tests/support/child_process.h"
#include "tests/support/program.h"

namespace hijack::encoders_program_test {
namespace {

namespace fs = std::filesystem;
using namespace support;

const std::string kEncoders = kRoot + "/tests/golden/encoders/";
const std::string kTarget = kRoot + "/samples/images/coffee.png";

/// Without a model.
std::string on(const std::string& more) {
  return "attack --image " + kPhoto + " --threads 1 " + more;
}
std::string surrogates(const std::string& names) {
  std::string text;
  std::istringstream words(names);
  for (std::string name; words >> name;) text += " --surrogate " + kEncoders + name;
  return text + " ";
}

const EncoderRow& row_of(const TrialRow& trial, const std::string& encoder) {
  for (const EncoderRow& row : trial.encoders)
    if (row.encoder == encoder) return row;
  throw std::runtime_error("no row of " + encoder);
}

TEST_F(Program, ModelsInspectSaysWhatAnEncoderIs) {
  const std::map<std::string, std::string> text = {{"clip", "yes, compared"},
                                                   {"open_clip", "yes, compared"},
                                                   {"siglip", "yes, compared"},
                                                   {"siglip1", "yes, compared"},
                                                   {"dinov2_giant", "none: it compares images"}};
  for (const auto& [name, said] : text) {
    const Outcome outcome = run("models inspect " + kEncoders + name);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    for (const std::string& words : {std::string("image encoder: --surrogate"), said,
                                     std::string("16 patch tokens of 24 numbers"), std::string("supported")})
      EXPECT_NE(outcome.out.find(words), std::string::npos) << words << "\n" << outcome.out;
  }
  const std::string list = run("models --list").out;
  for (const char* name : {"clip ", "open_clip ", "siglip ", "dinov2 "})
    EXPECT_NE(list.find(std::string("\n") + name), std::string::npos) << list;
}

TEST_F(Program, EncoderFoldersThatCannotBeRead) {
  const auto edit = [&](const std::string& model, const std::string& from, const std::string& to) {
    std::string text = read_file(fs::path(model) / "config.json");
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    write_file(fs::path(model) / "config.json", text.replace(at, from.size(), to));
  };
  std::string model = copy_of("encoders/clip", "a");
  edit(model, "\"projection_dim\": 20", "\"projection_dim\": 21");
  expect_refused(on("--surrogate " + model + " --feature-text cat"), "visual_projection.weight");
  model = copy_of("encoders/dinov2", "b");
  edit(model, "\"mlp_ratio\": 2", "\"mlp_ratio\": 1e300");
  expect_refused(on("--surrogate " + model + " --feature-image " + kTarget), "mlp_ratio");
  model = copy_of("encoders/siglip", "c");
  edit(model, "\"vision_use_head\": true", "\"vision_use_head\": false");
  expect_refused(on("--surrogate " + model + " --feature-image " + kTarget), "without pooling head");
  model = copy_of("encoders/clip", "d");
  write_file(fs::path(model) / "tokenizer.json", R"({"version": "1.0", "model": {"type": "WordLevel"}})");
  expect_refused(on("--surrogate " + model + " --feature-text cat"), "unsupported component WordLevel");
  const Outcome images = run("models inspect " + model);
  EXPECT_EQ(images.code, 0) << "it still reads images";
  EXPECT_NE(images.out.find("not readable"), std::string::npos) << images.out;
  model = copy_of("encoders/open_clip", "e");
  write_file(fs::path(model) / "open_clip_config.json", R"({"model_cfg": {"vision_cfg": {}}})");
  EXPECT_EQ(run("models inspect " + model).code, 2);
  expect_refused("chat --model " + kEncoders + "clip --image " + kPhoto + " --prompt Who", "image encoder");
}

TEST_F(Program, TextsOfTheFirstSiglip) {
  const std::string either = copy_of("encoders/siglip1", "either"),
                    json = copy_of("encoders/siglip1", "json"),
                    pieces = copy_of("encoders/siglip1", "pieces");
  fs::remove(fs::path(json) / "spiece.model");
  fs::remove(fs::path(pieces) / "tokenizer.json");
  const auto expected = load_safetensors(kEncoders + "siglip1/expected.safetensors");
  const auto compared = at::cosine_similarity(expected.at("wide.embedding"), expected.at("text0.embedding"));
  for (const std::string& folder : {either, json, pieces}) {
    SCOPED_TRACE(folder);
    const Outcome outcome = run(
        "attack --threads 1 --image " + kRoot + "/tests/golden/qwen2_vl/images/wide.png --surrogate " +
        folder + " --feature-text 'A photo of a cat' --epsilon 16/255 --steps 15 --out " + folder + "-run");
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const EncoderRow& row = read_run(folder + "-run").trials.at(0).encoders.at(0);
    EXPECT_NEAR(row.clean, compared.item<double>(), 1e-3)
        << "as transformers has it, but for rounding to 8 bits";
    EXPECT_GT(row.attack, row.clean + .01);
  }
  write_file(fs::path(pieces) / "spiece.model", read_file(fs::path(pieces) / "spiece.model").substr(0, 900));
  expect_refused(on("--surrogate " + pieces + " --feature-text cat"),
                 "spiece.model is no model of sentencepiece");
  EXPECT_EQ(run("models inspect " + pieces).code, 0) << "it still reads images";
}

TEST_F(Program, ATextDecoderMayHaveAUnigramTokenizer) {
  const std::string model = copy_of("text/llama", "unigram");
  fs::copy_file(kRoot + "/tests/golden/tokenizer/unigram_siglip.json", fs::path(model) / "tokenizer.json",
                fs::copy_options::overwrite_existing);
  const Outcome inspected = run("models inspect " + model);
  EXPECT_EQ(inspected.code, 0) << inspected.out << inspected.err;
  write_file(at("in.jsonl"), "{\"text\": \"The dog, the DOG\"}\n");
  const Outcome cut = run("tokenize --model " + model + " --in " + at("in.jsonl"));
  ASSERT_EQ(cut.code, 0) << cut.err;
  EXPECT_EQ(nlohmann::json::parse(cut.out).at("decoded"), "the dog the dog</s>");
  const Outcome said = run("chat --model " + model + " --prompt 'the dog' --max-new-tokens 4");
  EXPECT_EQ(said.code, 0) << said.err;
}

TEST_F(Program, AnAttackOnEncodersAlone) {
  const std::string arguments =
      on(surrogates("clip siglip") + "--transfer-encoder " + kEncoders + "dinov2 --feature-image " + kTarget +
         " --epsilon 32/255 --steps 30 --momentum 0 --final-step 1 --step-size 0.008 --out ");
  const Outcome attacked = run(arguments + at("run"));
  ASSERT_EQ(attacked.code, 0) << attacked.err;
  for (const char* words : {"cosine of embeddings", "surrogate", "held out", "visible   SSIM"})
    EXPECT_NE(attacked.out.find(words), std::string::npos) << words << "\n" << attacked.out;
  EXPECT_EQ(attacked.out.find("held-out contexts"), std::string::npos) << attacked.out;
  const RunRecord record = read_run(at("run"));
  const TrialRow& trial = record.trials.at(0);
  EXPECT_TRUE(record.replies.empty());
  EXPECT_EQ(trial.behavior, "resemble");
  EXPECT_EQ(trial.model, "clip + siglip");
  EXPECT_TRUE(trial.budget.respected);
  ASSERT_EQ(trial.encoders.size(), 3u);
  for (const char* name : {"clip", "siglip"}) {
    const EncoderRow& row = row_of(trial, name);
    EXPECT_GT(row.attack, row.clean + .02) << name;
    EXPECT_GT(row.attack, row.noise) << name;
    EXPECT_LT(row.attack_to_clean, row.noise_to_clean) << name;
    EXPECT_FALSE(row.held_out);
  }
  EXPECT_TRUE(row_of(trial, "dinov2").held_out);
  EXPECT_LT(trial.loss_saved, trial.loss_clean);
  EXPECT_NEAR(trial.loss_saved, 1 - (row_of(trial, "clip").attack + row_of(trial, "siglip").attack) / 2, 1e-5)
      << "the loss is what the rows say";
  const std::string page = read_file(at("run/report.html"));
  EXPECT_NE(page.find("What image encoders see"), std::string::npos);
  const auto report = nlohmann::json::parse(run("report " + at("run") + " --json").out);
  EXPECT_EQ(report["encoders"].size(), 3u);
  EXPECT_EQ(report["encoders"][2]["role"], "held out");
  EXPECT_NE(run("report " + at("run") + " --format md").out.find("What image encoders see"),
            std::string::npos);
  expect_refused("evaluate " + at("run") + " --defense jpeg", "there is no model to ask");
  const Outcome again = run(arguments + at("again"));
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(read_run(at("again")).trials.at(0).files, trial.files) << "the same seed, the same bytes";
}

TEST_F(Program, PublishedTransferAttacks) {
  const std::string both = surrogates("clip dinov2");
  for (const char* preset :
       {"m-attack-encoders", "foa-attack", "m-attack-v2", "ssa-cwa", "attack-vlm-image"}) {
    SCOPED_TRACE(preset);
    const Outcome outcome = run(on(both + "--preset " + preset + " --steps 6 --out " + at(preset)));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(read_run(at(preset)).trials.at(0).budget.respected);
  }
  const Outcome text =
      run(on(surrogates("clip siglip") + "--transfer-encoder " + kEncoders +
             "dinov2 --preset attack-vlm-text --feature-text 'a cat' --steps 20 --out " + at("text")));
  ASSERT_EQ(text.code, 0) << text.err;
  const TrialRow trial = read_run(at("text")).trials.at(0);
  EXPECT_GT(row_of(trial, "clip").attack, row_of(trial, "clip").clean);
  EXPECT_TRUE(std::isnan(row_of(trial, "dinov2").attack)) << "it reads no text";
}

TEST_F(Program, OneChangeForManyImages) {
  for (const std::string& goal :
       {std::string("--preset x-transfer"), std::string("--preset x-transfer-text --feature-text 'a cat'")}) {
    SCOPED_TRACE(goal);
    const std::string out = at(goal.find("text") == std::string::npos ? "away" : "towards");
    const Outcome outcome =
        run(on(surrogates("clip siglip") + goal + " --image " + kTarget + " --held-out-image " + kRoot +
               "/samples/images/astronaut.png --steps 25 --step-size 0.01 --out " + out));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const TrialRow trial = read_run(out).trials.at(0);
    ASSERT_EQ(trial.encoders.size(), 4u) << "two encoders, the attack's photos and those it never saw";
    EXPECT_EQ(trial.encoders[0].n, 2);
    EXPECT_EQ(trial.encoders[2].photos, "held-out");
    EXPECT_LT(trial.encoders[0].attack_to_clean, trial.encoders[0].noise_to_clean);
    if (goal.find("text") != std::string::npos) {
      EXPECT_GT(trial.encoders[0].attack, trial.encoders[0].clean);
    }
  }
}

TEST_F(Program, ABanditChoosesTheSurrogatesOfAStep) {
  const std::string settings = on(surrogates("clip siglip dinov2 open_clip") +
                                  "--preset x-transfer --surrogates-per-step 2 --surrogate-choice-every 2 "
                                  "--steps 8 --validate-every 0 --checkpoint-every 3 --image " +
                                  kTarget + " --out ");
  ASSERT_EQ(run(settings + at("whole")).code, 0) << read_file(at("err"));
  const TrialRow whole = read_run(at("whole")).trials.at(0);
  int64_t steps = 0;
  for (const EncoderRow& row : whole.encoders) {
    EXPECT_GT(row.steps, 0) << row.encoder << ": those never taken go first";
    steps += row.steps;
  }
  EXPECT_EQ(steps, 2 * 8);
  EXPECT_EQ(whole.setting.at("surrogate_choice"), "ucb");
  EXPECT_NE(read_file(at("out")).find("steps"), std::string::npos);
  EXPECT_NE(read_file(at("whole/report.html")).find("that the surrogate was chosen for"), std::string::npos);
  const auto report = nlohmann::json::parse(run("report " + at("whole") + " --json").out);
  EXPECT_EQ(report["encoders"][0]["steps"], whole.encoders[0].steps);
  EXPECT_NE(run("report " + at("whole") + " --format md").out.find("| steps |"), std::string::npos);
  ASSERT_EQ(run(settings + at("again")).code, 0);
  EXPECT_EQ(read_run(at("again")).trials.at(0).files, whole.files) << "the same seed, the same bytes";
  // as many as there are: the preset of old, and nothing is said of a choice
  ASSERT_EQ(run(on(surrogates("clip siglip") + "--preset x-transfer --steps 3 --out " + at("all"))).code, 0);
  const TrialRow all = read_run(at("all")).trials.at(0);
  EXPECT_EQ(all.encoders.at(0).steps, -1);
  EXPECT_FALSE(all.setting.contains("surrogate_choice"));
  EXPECT_EQ(read_file(at("all/report.html")).find("that the surrogate was chosen for"), std::string::npos);
}

TEST_F(Program, AStoppedAttackOnEncodersGoesOnToTheSameBytes) {
  const std::string settings = surrogates("clip dinov2") + "--preset foa-attack --steps 8 --seed 0,1 ";
  ASSERT_EQ(run(on(settings + "--out " + at("whole"))).code, 0);
  ASSERT_EQ(run(on(settings + "--out " + at("half"))).code, 0);
  // the second trial is taken away, and done again
  std::string rows = read_file(at("half/trials.jsonl"));
  write_file(at("half/trials.jsonl"), rows.substr(0, rows.find('\n') + 1));
  const Outcome resumed = run("attack --resume --out " + at("half"));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  const auto files = [&](const std::string& name) { return read_run(at(name)).trials.at(1).files; };
  EXPECT_EQ(files("half"), files("whole"));
}

TEST_F(Program, AKilledBanditGoesOnToTheSameBytes) {
  const auto settings = [&](const std::string& name) {
    return on(surrogates("clip siglip dinov2") + "--objective embedding --feature-image " + kTarget +
              " --surrogates-per-step 1 --surrogate-choice ucb --ucb-memory 0.3 --validate-every 0 "
              "--checkpoint-every 1 --steps 400 --out " +
              at(name));
  };
  ASSERT_EQ(run(settings("whole")).code, 0) << read_file(at("err"));
  std::istringstream text(settings("half"));
  ChildProcess child({std::istream_iterator<std::string>(text), {}}, at("child.out"), at("child.err"));
  wait_until([&] {
    std::error_code none;
    return fs::exists(at("half/checkpoints")) && !fs::is_empty(at("half/checkpoints"), none);
  });
  child.signal(SIGKILL);
  child.wait();
  EXPECT_FALSE(fs::exists(at("half/trials.jsonl")) && fs::file_size(at("half/trials.jsonl")) > 0)
      << "it was killed too late";
  const Outcome resumed = run("attack --resume --out " + at("half"));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  const TrialRow whole = read_run(at("whole")).trials.at(0), half = read_run(at("half")).trials.at(0);
  EXPECT_EQ(half.files, whole.files);
  EXPECT_EQ(half.losses, whole.losses);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(half.encoders.at(i).steps, whole.encoders.at(i).steps);
}

TEST_F(Program, SurrogatesBesideAModelThatIsAsked) {
  const Outcome outcome =
      run(attack("--surrogate " + kModel + surrogates("clip") + "--objective embedding --feature-image " +
                 kTarget + " --model " + kModel + " --steps 4 --out " + at("run")));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const RunRecord record = read_run(at("run"));
  EXPECT_FALSE(record.replies.empty());
  EXPECT_EQ(record.trials.at(0).success.at("test").n, 2);
  EXPECT_EQ(record.trials.at(0).encoders.size(), 2u);
  EXPECT_EQ(record.trials.at(0).encoders.at(0).encoder, "clip_gqa") << "the image side of a model";
}

TEST_F(Program, SurrogatesThatMakeNoSense) {
  const std::string clip = surrogates("clip"), image = "--feature-image " + kTarget + " ";
  expect_refused(on(clip), "say what the image shall be taken for");
  expect_refused(on(clip + "--objective away"), "--random-start true");
  expect_refused(on(clip + image + "--behavior string"), "give --model as well");
  expect_refused(on(clip + image + "--defense jpeg"), "--defense is about what a model says");
  expect_refused(on(clip + image + "--contexts " + at("contexts.jsonl")), "--contexts is about");
  expect_refused(on(clip + clip + image), "has the same name as another encoder");
  expect_refused(on(clip + image + "--transfer-encoder " + at("nowhere")), "There is no encoder folder");
  expect_refused(on(clip + image + "--objective behavior"), "is not about image encoders");
  expect_refused(on(clip + image + "--objective embedding+behavior"), "needs one: give --model");
  expect_refused(on(clip + image + "--method gcg"), "");
  expect_refused(on(clip + image + "--source-crop 2"), "--source-crop '2'");
  expect_refused(on(clip + image + "--crops 4"), "give their size");
  expect_refused(on(clip + image + "--surrogate-weights best"), "must be equal or ratio");
  expect_refused(on(clip + image + "--surrogate-weights ratio --augment spectrum"), "goes with one photo");
  const std::string some = surrogates("clip dinov2") + image + "--surrogates-per-step 1 ";
  expect_refused(on(some), "say how they are chosen");
  expect_refused(on(clip + image + "--surrogate-choice ucb"), "--surrogates-per-step 16");
  expect_refused(on(some + "--surrogate-choice best"), "must be all, random or ucb");
  expect_refused(on(some + "--surrogate-choice ucb --ucb-memory 0"), "--ucb-memory must lie in (0,1]");
  expect_refused(on(some + "--surrogate-choice ucb --ucb-exploration -1"), "--ucb-exploration");
  expect_refused(on(some + "--surrogate-choice random --surrogate-choice-every 0"),
                 "--surrogate-choice-every");
  expect_refused(on(some + "--surrogate-choice ucb --surrogate-weights ratio"),
                 "compares the losses of each");
  expect_refused(on(some + "--surrogate-choice ucb --optimizer cwa"), "goes around all of them");
  expect_refused(on(some + "--surrogate-choice ucb --optimizer apgd"), "compares losses between steps");
  expect_refused(on(some + "--surrogate-choice ucb --restarts 1"), "--restarts would begin to learn anew");
  expect_refused(on(clip + image + "--augment spectrum=2"), "the value must be from 0 to 1");
  expect_refused(on(surrogates("dinov2") + "--feature-text cat"), "reads no text");
  expect_refused(on(clip + "--feature-text cat --objective embedding+transport"), "--feature-image");
  expect_refused(on("--surrogate " + kRoot + "/samples " + image), "");
  expect_refused(attack("--behavior resemble"), "asks no model");
  expect_refused(attack("--objective embedding " + image), "--surrogate");
  expect_refused(attack("--source-crop 0.5"), "name some with --surrogate");
  expect_refused(attack("--surrogates-per-step 2"), "name some with --surrogate");
  EXPECT_FALSE(fs::exists("runs")) << "nothing half-written";
}

}  // namespace
}  // namespace hijack::encoders_program_test
