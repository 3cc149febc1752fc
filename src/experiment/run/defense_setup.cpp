#include "src/experiment/run/defense_setup.h"

#include "defenses/kinds.h"
#include "defenses/make_defense.h"
#include "src/base/error.h"
#include "src/experiment/plan/identity.h"
#include "src/experiment/run/run_material.h"
#include "src/experiment/run/trial.h"
#include "src/experiment/run/victim.h"

namespace hijack {

namespace {

GenerateOptions options_of(const ReplySettings& settings) {
  GenerateOptions options;
  options.max_new_tokens = settings.max_new_tokens;
  options.temperature = settings.sampling.temperature;
  options.top_p = settings.sampling.top_p;
  options.top_k = settings.sampling.top_k;
  return options;
}

uint64_t seed_of(const Submission& submission, const ReplySettings& settings) {
  return Random(settings.seed).fork("drawn reply", content_key(submission)).bits();
}

}  // namespace

std::vector<Submission> with_draws(const std::vector<Submission>& submissions, int64_t draws) {
  std::vector<Submission> all;
  for (const Submission& one : submissions)
    for (int64_t draw = 0; draw < draws; ++draw)
      all.push_back({one.image, one.query, static_cast<uint64_t>(draw)});
  return all;
}

namespace {

bool same_image(const Tensor& a, const Tensor& b) {
  return a.is_same(b) || (a.defined() && b.defined() && at::equal(a, b));
}

/// What is asked of a model in one call: about one image after the other, or without any.
struct Round {
  std::vector<ImageQueries> images;
  std::vector<Query> texts;
  GenerateOptions options;
  size_t queries = 0;
};

/// Submissions from `begin` on, in their order: of one image at most kRepliesAtOnce, of several as many
/// images as have fewer together.
Round next_round(const VisionLanguageModel& model, const ReplySettings& settings,
                 const std::vector<Submission>& submissions, size_t begin) {
  Round round;
  round.options = options_of(settings);
  const bool with_image = submissions[begin].image.defined();
  for (size_t i = begin; i < submissions.size(); ++i) {
    const Tensor& image = submissions[i].image;
    if (image.defined() != with_image) break;
    const bool same = i > begin && same_image(image, submissions[i - 1].image);
    const size_t its = round.images.empty() ? round.queries : round.images.back().queries.size();
    if (same ? its == kRepliesAtOnce : round.queries >= kRepliesAtOnce) break;
    if (with_image && !same) round.images.push_back({model.preprocess(image.to(model.device())), {}});
    (with_image ? round.images.back().queries : round.texts).push_back(submissions[i].query);
    if (!settings.sampling.greedy()) round.options.seeds.push_back(seed_of(submissions[i], settings));
    ++round.queries;
  }
  return round;
}

}  // namespace

Responder bare_model(std::shared_ptr<const VisionLanguageModel> model, const ReplySettings& settings) {
  return [model = std::move(model), settings](const std::vector<Submission>& submissions) {
    const at::NoGradGuard no_gradients;
    std::vector<Reply> replies;
    const auto add = [&](std::vector<Generated> said) {
      for (Generated& one : said) replies.push_back({.text = std::move(one.text), .cut = one.cut});
    };
    while (replies.size() < submissions.size()) {
      const Round round = next_round(*model, settings, submissions, replies.size());
      if (round.images.empty()) add(model->language_model()->generate(round.texts, round.options));
      for (auto& said : model->replies_of_images(round.images, round.options)) add(std::move(said));
    }
    return replies;
  };
}

Responder remembered(Responder next) {
  return [next = std::move(next),
          known = std::make_shared<std::map<uint64_t, Reply>>()](const std::vector<Submission>& submissions) {
    std::vector<uint64_t> keys;
    std::vector<uint64_t> fresh;
    std::vector<Submission> open;
    for (const Submission& submission : submissions) {
      keys.push_back(content_key(submission));
      if (known->contains(keys.back()) || std::find(fresh.begin(), fresh.end(), keys.back()) != fresh.end())
        continue;
      fresh.push_back(keys.back());
      open.push_back(submission);
    }
    const std::vector<Reply> answers = pass_on(open, next);
    for (size_t i = 0; i < answers.size(); ++i) known->emplace(fresh[i], answers[i]);
    std::vector<Reply> replies;
    for (const uint64_t key : keys) replies.push_back(known->at(key));
    return replies;
  };
}

std::vector<Submission> benign_submissions(BenignPictures& pictures, const std::vector<Context>& prompts,
                                           const std::vector<Tensor>& attacked) {
  std::vector<Submission> submissions;
  if (!pictures.are_shown()) {
    for (const Context& prompt : prompts) submissions.push_back({{}, prompt});
    return submissions;
  }
  const std::vector<std::string> photos = pictures.photos_beside(attacked);
  size_t scenes = 0, windows = 0;
  for (size_t i = 0; i < prompts.size(); ++i) {
    if (i % 2 == 0 || photos.empty()) {
      submissions.push_back({pictures.scene(scenes++), prompts[i]});
    } else {
      submissions.push_back(
          {pictures.photo(photos[windows % photos.size()], windows / photos.size()), prompts[i]});
      ++windows;
    }
  }
  return submissions;
}

/// Loads folders that defenses name, each once: they are known by content.
static decltype(DefenseResources::load) loaded_once(std::shared_ptr<const VisionLanguageModel> attacked,
                                                    const std::filesystem::path& folder,
                                                    const LoadOptions& options) {
  auto known = std::make_shared<std::map<std::string, std::shared_ptr<const VisionLanguageModel>>>();
  return [=, attacked = std::move(attacked)](const std::string& wanted) {
    const std::string hash = model_hash(wanted);
    const auto found = known->find(hash);
    if (found != known->end()) return found->second;
    LoadOptions own = options;
    own.vision_tower.clear();  // of the attacked model alone
    own.adapter.clear();
    own.max_pixels = 0;
    const bool same = victim_name(*attacked).empty() && options.vision_tower.empty() &&
                      options.adapter.empty() && hash == model_hash(folder);
    return known->emplace(hash, same ? attacked : load_model(wanted, own)).first->second;
  };
}

DefenseResources defense_resources(const std::shared_ptr<const VisionLanguageModel>& model,
                                   const ReplySettings& settings, const std::filesystem::path& folder,
                                   const LoadOptions& options) {
  DefenseResources resources;
  resources.paraphraser = model->language_model();
  if (victim_name(*model).empty()) {  // nobody looks into a model behind an API
    resources.model = model;
    resources.scorer = resources.paraphraser;
  }
  resources.respond = remembered(bare_model(model, settings));
  resources.load = loaded_once(model, folder, options);
  resources.model_sha256 = [folder, options] { return loaded_model_hash(folder, options); };
  return resources;
}

nlohmann::json calibration_entry(const Calibration& calibration) {
  using nlohmann::json;
  const bool fitted = calibration.n > 0;
  return {
      {"defense", calibration.name},
      {"threshold", calibration.threshold},
      {"n", calibration.n},
      {"alpha", fitted ? json(calibration.alpha) : json()},
      {"quantile", fitted ? json(calibration.quantile()) : json()},
      {"false_alarm_bound", calibration.false_alarm_bound ? json(*calibration.false_alarm_bound) : json()},
      {"ceiling", std::isfinite(calibration.ceiling) ? json(calibration.ceiling) : json()},
      {"can_fire", calibration.can_fire()},
      {"fitted_on", fitted ? "split calibration" : "given by the user"},
      {"fitted_on_sha256", calibration.fitted_on},
      {"evaluated_on", "split test and the utility questions"}};
}

namespace {

std::string replies_key(const DefenseMaker::Situation& situation) {
  return std::to_string(situation.reply_tokens) + situation.config.sampling.text();
}

std::string key_of(const DefenseMaker::Situation& situation) {
  std::string key = situation.config.space + "\n" + replies_key(situation) + "\n" +
                    nlohmann::json(situation.false_positive_rate).dump();
  for (const Tensor& photo : situation.attacked) key += "\n" + std::to_string(content_key(photo));
  for (const Context& context : situation.calibration) key += "\n" + std::to_string(content_key(context));
  return key;
}

}  // namespace

const DefenseResources& DefenseMaker::resources_for(const std::string& key, const Situation& situation) {
  const auto known = resources_.find(key);
  if (known != resources_.end()) return known->second;
  const std::string& space = situation.config.space;
  BenignPictures& pictures = pictures_.try_emplace(space, situation.model, space).first->second;
  const AttackConfig& config = situation.config;
  // thresholds are the same for all seeds
  const ReplySettings settings{situation.reply_tokens, config.sampling, 0};
  DefenseResources resources =
      defense_resources(situation.model, settings, config.model, load_options(config, config.model));
  if (!load_) load_ = resources.load;
  resources.load = load_;  // for all situations
  // photos, seeds and false-positive rates share most benign submissions
  resources.respond = answers_.try_emplace(replies_key(situation), resources.respond).first->second;
  resources.on_fit = [note = on_note_](const std::string& defense, int64_t submissions) {
    if (note)
      note("fitting the threshold of " + defense + " on " + std::to_string(submissions) +
           " benign submissions");
  };
  resources.false_positive_rate = situation.false_positive_rate;
  resources.benign = benign_submissions(pictures, situation.calibration, situation.attacked);
  return resources_.emplace(key, std::move(resources)).first->second;
}

DefenseStack DefenseMaker::make(const std::vector<std::string>& specs, const Situation& situation) {
  if (specs.empty()) return {};
  const AttackConfig& config = situation.config;
  const std::string model = model_key(config);
  if (model != model_) {
    made_.clear();
    resources_.clear();
    answers_.clear();
    pictures_.clear();
    load_ = {};
    model_ = model;
  }
  const std::string key = key_of(situation);
  const DefenseResources& resources = resources_for(key, situation);
  DefenseStack stack;
  for (const std::string& spec : specs) {
    std::shared_ptr<const Defense>& defense = made_[spec + "\n" + key];
    try {
      if (!defense) defense = make_defense(parse_defense(spec), resources);
    } catch (const Error& error) {
      const std::string victim = victim_name(*situation.model);
      const bool calibration = std::string_view(error.what()).find("benign") != std::string_view::npos;
      if (!victim.empty() && !calibration)
        throw Error(std::string(error.what()) + " The victim " + victim +
                    " is behind an API, which gives replies only.");
      if (!situation.calibration.empty()) throw;
      throw Error(std::string(error.what()) + " The contexts file '" + config.contexts +
                  "' has no prompt with \"split\": \"calibration\".");
    }
    stack.push_back(defense);
  }
  return stack;
}

}  // namespace hijack
