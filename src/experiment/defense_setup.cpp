#include "src/experiment/defense_setup.h"

#include "defenses/kinds.h"
#include "defenses/make_defense.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/experiment/shipped.h"
#include "src/experiment/trial.h"
#include "src/pocket/contexts.h"

namespace hijack {
namespace {

constexpr uint64_t kSceneSeed = 0xca11b;
constexpr int64_t kScenes = 60;
constexpr std::array kPhotos = {"astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg"};

std::vector<Tensor> scenes(const VisionLanguageModel& model) {
  std::vector<Tensor> images;
  for (const UtilityItem& item : utility_set(Texts::kNatural, kScenes, kSceneSeed))
    if (item.image.defined())
      images.push_back(model.to_input_space(from_bytes(item.image).unsqueeze(0)).cpu());
  return images;
}

std::vector<Tensor> photos(const VisionLanguageModel& model, const Tensor& attacked) {
  std::vector<Tensor> images;
  const Tensor avoided = model.to_input_space(attacked.cpu()).cpu();
  for (const char* name : kPhotos) {
    const auto file = shipped_data() / "images" / name;
    if (!std::filesystem::exists(file)) continue;  // an installation may leave them out
    Tensor image = model.to_input_space(load_image(file)).cpu();
    if (!at::equal(image, avoided)) images.push_back(std::move(image));
  }
  return images;
}

}  // namespace

Responder bare_model(std::shared_ptr<const VisionLanguageModel> model, int64_t max_new_tokens) {
  return [model = std::move(model), max_new_tokens](const std::vector<Submission>& submissions) {
    std::vector<Reply> replies;
    for (size_t begin = 0, end = 0; begin < submissions.size(); begin = end) {
      std::vector<Context> queries;
      const Tensor image = submissions[begin].image;
      const auto same = [&](const Tensor& other) {
        return other.is_same(image) || (other.defined() && image.defined() && at::equal(other, image));
      };
      for (; end < submissions.size() && same(submissions[end].image); ++end)
        queries.push_back(submissions[end].query);
      const GenerateOptions options{.max_new_tokens = max_new_tokens};
      for (std::string& text : image.defined()
                                   ? replies_to(*model, image.to(model->device()), queries, max_new_tokens)
                                   : model->language_model()->generate(queries, options))
        replies.push_back({std::move(text)});
    }
    return replies;
  };
}

DefenseResources defense_resources(const std::shared_ptr<const VisionLanguageModel>& model,
                                   const std::vector<Context>& calibration, const Tensor& attacked,
                                   int64_t max_new_tokens) {
  DefenseResources resources;
  resources.model = model;
  resources.scorer = resources.paraphraser = model->language_model();
  resources.respond = bare_model(model, max_new_tokens);
  const std::vector<Tensor> drawn = scenes(*model), taken = photos(*model, attacked);
  for (size_t i = 0; i < calibration.size(); ++i) {
    const auto& pictures = (i % 2 == 0 || taken.empty()) ? drawn : taken;
    resources.benign.push_back({pictures.at(i / 2 % pictures.size()), calibration[i]});
  }
  return resources;
}

namespace {

std::string key_of(const DefenseMaker::Situation& situation) {
  std::string key = std::to_string(content_key(situation.origin)) + "\n" +
                    std::to_string(situation.reply_tokens) + "\n" +
                    std::to_string(situation.false_positive_rate);
  for (const Context& context : situation.calibration) key += "\n" + std::to_string(content_key(context));
  return key;
}

}  // namespace

DefenseStack DefenseMaker::make(const std::vector<std::string>& specs, const Situation& situation) {
  if (specs.empty()) return {};
  const AttackConfig& config = situation.config;
  const std::string model = config.model + "\n" + config.device + "\n" + config.dtype + "\n" + config.views;
  if (model != model_) {
    made_.clear();
    resources_.clear();
    model_ = model;
  }
  const std::string key = key_of(situation);
  const auto [resources, fresh] = resources_.try_emplace(key);
  if (fresh) {
    resources->second =
        defense_resources(situation.model, situation.calibration, situation.origin, situation.reply_tokens);
    resources->second.false_positive_rate = situation.false_positive_rate;
  }
  DefenseStack stack;
  for (const std::string& spec : specs) {
    std::shared_ptr<const Defense>& defense = made_[spec + "\n" + key];
    try {
      if (!defense) defense = make_defense(parse_defense(spec), resources->second);
    } catch (const Error& error) {
      if (!situation.calibration.empty()) throw;
      throw Error(std::string(error.what()) + " The contexts file '" + config.contexts +
                  "' has no prompt with \"split\": \"calibration\".");
    }
    stack.push_back(defense);
  }
  return stack;
}

}  // namespace hijack
