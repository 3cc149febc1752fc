// CIDER, ECSO and the perplexity filters against references written from the papers (tests/golden/*/make.py).
#include <gtest/gtest.h>

#include "defenses/detectors/cider.h"
#include "defenses/detectors/ecso.h"
#include "defenses/detectors/perplexity_filter.h"
#include "defenses/image/denoise.h"
#include "models/embedding_access.h"
#include "src/base/file.h"
#include "src/base/json.h"
#include "tests/support/fake_language_model.h"
#include "tests/support/toy_model.h"

namespace hijack::detectors_golden_test {
namespace {

using nlohmann::json;

json golden(const std::string& folder) {
  const std::string file = HIJACK_SOURCE_DIR "/tests/golden/" + folder + "/golden.json";
  return parse_json(read_file(file), file);
}

Tensor matrix(const json& rows) {
  std::vector<Tensor> all;
  for (const json& row : rows) all.push_back(at::tensor(row.get<std::vector<double>>(), at::kDouble));
  return at::stack(all);
}

TEST(CiderGolden, DropsOfSimilarity) {
  for (const json& one : golden("cider").at("cases")) {
    std::vector<Tensor> rounds;
    for (const json& round : one.at("rounds")) rounds.push_back(matrix(round).mean(0, true));
    const Tensor text = matrix(one.at("text")).mean(0, true);
    EXPECT_NEAR(similarity_drop(text, rounds).item<double>(), one.at("score").get<double>(), 1e-12);
    EXPECT_NEAR(similarity_drop(rounds[0], rounds).item<double>(), one.at("against_image").get<double>(),
                1e-12);
  }
}

TEST(CiderGolden, TheDefenseScoresTheModelsEmbeddings) {
  const auto model = std::make_shared<ToyModel>(ToyOptions{.float64 = true});
  DefenseResources resources;
  resources.model = model;
  const Tensor image = toy_image(4).to(at::kDouble);
  const std::string prompt = "what color is the cat";
  const auto embedding = [&](const Tensor& seen) {
    return model->image_features(model->preprocess(seen)).flatten(0, 1).mean(0, true);
  };
  const Tensor once = denoised("median", image);
  const Tensor text = model->states()->text_states(prompt, 0).flatten(0, 1).mean(0, true);
  const double expected =
      similarity_drop(text, {embedding(image), embedding(once), embedding(denoised("median", once))})
          .item<double>();
  const Cider defense({.denoiser = "median", .rounds = 2, .limit = {.threshold = 1}}, resources);
  const Reply reply = defense.answer({{image, {.prompt = prompt}}}, EchoResponder()).at(0);
  EXPECT_NEAR(reply.trace.at(0).score, expected, 1e-9);
}

TEST(EcsoGolden, AsksInThePapersOrder) {
  for (const json& one : golden("ecso").at("cases")) {
    json asked = json::array();
    const auto image_name = one.at("image").get<std::string>();
    const Responder model = [&](const std::vector<Submission>& submissions) {
      std::vector<Reply> replies;
      for (const Submission& submission : submissions) {
        const std::string image = submission.image.defined() ? image_name : "-";
        asked.push_back({image, submission.query.prompt});
        replies.push_back({.text = "<" + image + "> says " + submission.query.prompt});
      }
      return replies;
    };
    DefenseResources resources;
    resources.model = std::make_shared<ToyModel>();
    const double threshold = one.at("harmful").get<bool>() ? 0.001 : 1000;
    const Ecso defense({.limit = {.threshold = threshold}}, resources);
    const Reply reply =
        defense.answer({{toy_image(), {.prompt = one.at("prompt").get<std::string>()}}}, model).at(0);
    EXPECT_EQ(reply.text, one.at("answer").get<std::string>()) << one.at("name");
    EXPECT_EQ(asked, one.at("asked")) << one.at("name");
  }
}

/// make.py's bigram model; prompts are numbers of words.
class Bigrams : public FakeLanguageModel {
 public:
  explicit Bigrams(const json& logits) : logits_(matrix(logits)) {}
  Tensor prompt_nll(const std::string& text) const override {
    std::istringstream words(text);
    std::vector<int64_t> ids;
    for (int64_t id = 0; words >> id;) ids.push_back(id);
    const auto scored = static_cast<int64_t>(ids.size()) - 1;
    Tensor nll = at::empty({std::max<int64_t>(scored, 0)}, at::kDouble);
    for (int64_t i = 0; i < scored; ++i) {
      const auto before = ids[static_cast<size_t>(i)], token = ids[static_cast<size_t>(i) + 1];
      nll[i] = -at::log_softmax(logits_[before], 0)[token];
    }
    return nll;
  }

 private:
  Tensor logits_;
};

Submission prompt_of(const json& ids) {
  std::string text;
  for (const json& id : ids) text += (text.empty() ? "" : " ") + std::to_string(id.get<int64_t>());
  return {.image = {}, .query = {.prompt = text}};
}

TEST(PerplexityGolden, WholePromptsAndWindows) {
  const json data = golden("perplexity");
  DefenseResources resources{.scorer = std::make_shared<Bigrams>(data.at("logits"))};
  for (const json& ids : data.at("benign")) resources.benign.push_back(prompt_of(ids));
  std::vector<Submission> asked;
  for (const json& ids : data.at("asked")) asked.push_back(prompt_of(ids));
  for (const json& one : data.at("cases")) {
    const PerplexityFilter filter({.window = one.at("window").get<int64_t>()}, resources);
    EXPECT_NEAR(filter.threshold(), one.at("threshold").get<double>(), 1e-9);
    const std::vector<Reply> replies = filter.answer(asked, EchoResponder());
    for (size_t i = 0; i < asked.size(); ++i) {
      EXPECT_NEAR(replies[i].trace.at(0).score, one.at("scores")[i].get<double>(), 1e-9) << i;
      EXPECT_EQ(replies[i].rejected, one.at("rejected")[i].get<bool>()) << i;
    }
  }
}

}  // namespace
}  // namespace hijack::detectors_golden_test
