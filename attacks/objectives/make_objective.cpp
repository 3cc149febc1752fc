#include "attacks/objectives/make_objective.h"

#include <charconv>

#include "attacks/objectives/behavior_matching.h"
#include "attacks/objectives/delay_end.h"
#include "attacks/objectives/divided.h"
#include "attacks/objectives/ensemble_turns.h"
#include "attacks/objectives/feature_matching.h"
#include "attacks/objectives/prompt_matching.h"
#include "attacks/objectives/weighted_sum.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/base/registry.h"
#include "src/base/text.h"

namespace hijack {
namespace {

constexpr size_t kMaxTerms = 8;

using Model = std::shared_ptr<const VisionLanguageModel>;
using Made = std::unique_ptr<Objective>;

/// All contexts in a step leave nothing to choose from.
int64_t hardest_of(const ObjectiveConfig& config, const ObjectiveInputs& in) {
  return in.batch == 0 ? 1 : config.hardest_of;
}

Made divided(const ObjectiveInputs& in, std::unique_ptr<MeanOverContexts> whole) {
  if (!in.ranks) return whole;
  return std::make_unique<Divided>(std::move(whole), in.ranks);
}

Made make_behavior_matching(const ObjectiveConfig& config, const ObjectiveInputs& in, const Model& model) {
  return divided(in, std::make_unique<BehaviorMatching>(model, in.behavior, in.contexts, in.batch, in.seed,
                                                        MatchingLoss{.hardest_of = hardest_of(config, in)}));
}
Made make_margin(const ObjectiveConfig& config, const ObjectiveInputs& in, const Model& model) {
  return divided(
      in, std::make_unique<BehaviorMatching>(model, in.behavior, in.contexts, in.batch, in.seed,
                                             MatchingLoss{true, config.margin, hardest_of(config, in)}));
}
Made make_prompt_matching(const ObjectiveConfig&, const ObjectiveInputs& in, const Model& model) {
  return divided(in, std::make_unique<PromptMatching>(model, *in.behavior, in.behavior->instruction(),
                                                      in.contexts, in.origin, in.batch, in.seed));
}
Made make_delay_end(const ObjectiveConfig&, const ObjectiveInputs& in, const Model& model) {
  return divided(in,
                 std::make_unique<DelayEnd>(model, in.contexts.asked, in.max_new_tokens, in.batch, in.seed));
}
/// In the attack's space first, so that all models and encoders see the same picture.
Tensor picture(const std::string& file, const ObjectiveInputs& in) {
  return in.models.front()->to_input_space(load_image(file)).to(in.origin.options());
}
template <FeatureDistance kDistance>
Made make_features(const ObjectiveConfig& config, const ObjectiveInputs& in, const Model& model) {
  FeatureTarget target{.text = config.feature_text, .layer = config.feature_layer};
  if (target.text.empty()) target.image = picture(config.feature_image, in);
  return std::make_unique<FeatureMatching>(model, target, kDistance);
}

struct ObjectiveKind {
  const char* name;
  Made (*make)(const ObjectiveConfig&, const ObjectiveInputs&, const Model&);
  std::optional<EncoderTerm> of_encoders = {};  ///< then there is no `make`: all terms are one objective
};
const Registry<ObjectiveKind> kObjectives("objective",
                                          {{"behavior", make_behavior_matching},
                                           {"margin", make_margin},
                                           {"prompt", make_prompt_matching},
                                           {"delay_end", make_delay_end},
                                           {"features", make_features<FeatureDistance::kCosine>},
                                           {"features_squared", make_features<FeatureDistance::kSquared>},
                                           {"embedding", nullptr, EncoderTerm::kEmbedding},
                                           {"transport", nullptr, EncoderTerm::kTransport},
                                           {"away", nullptr, EncoderTerm::kAway}});

ObjectiveTerm parse_term(const std::string& text, const std::string& formula) {
  const size_t star = text.find('*');
  ObjectiveTerm term{1, strip(star == std::string::npos ? text : text.substr(star + 1))};
  if (star != std::string::npos) {
    const std::string weight = strip(text.substr(0, star));
    const auto [end, error] = std::from_chars(weight.data(), weight.data() + weight.size(), term.weight);
    if (error != std::errc{} || end != weight.data() + weight.size() || !std::isfinite(term.weight) ||
        term.weight == 0)
      throw Error("objective '" + formula.substr(0, 80) + "': '" + weight.substr(0, 20) +
                  "' is not a weight; write behavior + 0.5*features.");
  }
  kObjectives.at(term.name);
  return term;
}

void check_needs(const ObjectiveTerm& term, const ObjectiveConfig& config, const Behavior& behavior) {
  const bool features = term.name.starts_with("features") || term.name == "embedding";
  if (term.name == "transport" && config.feature_image.empty())
    throw Error("objective transport compares patches of pictures: name one with --feature-image.");
  if (features && config.feature_image.empty() && config.feature_text.empty())
    throw Error("objective " + term.name +
                " needs what to imitate: name a picture with --feature-image or a text with --feature-text.");
  if (features && !config.feature_image.empty() && !config.feature_text.empty())
    throw Error("objective " + term.name +
                " imitates one thing: give either --feature-image or --feature-text, not both.");
  if (term.name == "prompt" && behavior.instruction().empty())
    throw Error(
        "objective prompt needs a behavior that an instruction brings about, such as disinformation; "
        "behavior " +
        behavior.name() + " has none.");
}

Made sum_over(std::span<const Model> models, const std::vector<ObjectiveTerm>& terms,
              const ObjectiveConfig& config, const ObjectiveInputs& inputs) {
  std::vector<WeightedSum::Term> sum;
  for (const Model& model : models)
    for (const ObjectiveTerm& term : terms)
      sum.push_back({term.weight / static_cast<double>(models.size()),
                     kObjectives.at(term.name).make(config, inputs, model)});
  if (sum.size() == 1 && sum.front().weight == 1) return std::move(sum.front().objective);
  return std::make_unique<WeightedSum>(std::move(sum));
}

/// All terms over some of the encoders.
Made over_encoders(const std::vector<std::shared_ptr<const ImageEncoder>>& encoders,
                   const std::vector<ObjectiveTerm>& terms, const ObjectiveConfig& config,
                   const ObjectiveInputs& inputs) {
  EncoderMatching::Terms weighted;
  for (const ObjectiveTerm& term : terms)
    weighted.emplace_back(*kObjectives.at(term.name).of_encoders, term.weight);
  EncoderTarget target{.text = config.feature_text};
  if (!config.feature_image.empty()) target.image = picture(config.feature_image, inputs);
  for (const std::string& file : inputs.surrogate.auxiliary_images)
    target.auxiliary.push_back(picture(file, inputs));
  const std::vector<Tensor> photos = inputs.photos.empty() ? std::vector{inputs.origin} : inputs.photos;
  return std::make_unique<EncoderMatching>(encoders, weighted, target, photos, inputs.surrogate, inputs.seed);
}

/// A formula with terms over encoders.
Made with_encoders(std::vector<ObjectiveTerm> terms, const ObjectiveConfig& config,
                   const ObjectiveInputs& inputs) {
  const auto others = std::stable_partition(terms.begin(), terms.end(), is_of_encoders);
  const std::vector<ObjectiveTerm> of_encoders(terms.begin(), others), of_models(others, terms.end());
  if (inputs.encoders.empty())
    throw Error("objective " + of_encoders.front().name +
                " compares what image encoders see: name their folders with --surrogate.");
  if (!inputs.in_turns) {
    Made matching = over_encoders(inputs.encoders, of_encoders, config, inputs);
    if (of_models.empty()) return matching;
    std::vector<WeightedSum::Term> sum;
    sum.push_back({1, std::move(matching)});
    sum.push_back({1, sum_over(inputs.models, of_models, config, inputs)});
    return std::make_unique<WeightedSum>(std::move(sum));
  }
  if (!of_models.empty())
    throw Error("optimizer cwa goes around the surrogates or around the models, not both: leave " +
                of_models.front().name + " out of the objective.");
  std::vector<Made> turns;
  for (const auto& encoder : inputs.encoders)
    turns.push_back(over_encoders({encoder}, of_encoders, config, inputs));
  return std::make_unique<EnsembleTurns>(std::move(turns));
}

Made by_replies(const std::vector<ObjectiveTerm>& terms, const ObjectiveConfig& config,
                const ObjectiveInputs& in) {
  double weight = 0;
  for (const ObjectiveTerm& term : terms) weight += term.weight;
  return std::make_unique<ReplySuccess>(
      in.replies, in.behavior, in.contexts,
      ReplySuccess::Options{in.batch, in.seed, hardest_of(config, in), weight < 0});
}

}  // namespace

bool is_of_encoders(const ObjectiveTerm& term) {
  return kObjectives.at(term.name).of_encoders.has_value();
}

bool reads_prompts(const ObjectiveTerm& term) {
  return !is_of_encoders(term) && !term.name.starts_with("features");
}

std::vector<ObjectiveTerm> parse_objective(const ObjectiveConfig& config, const Behavior& behavior) {
  if (config.feature_layer < 0) throw Error("--feature-layer must be 0 or more.");
  if (config.hardest_of < 1 || config.hardest_of > 1000) throw Error("--hardest-of must be from 1 to 1000.");
  if (!(config.margin >= 0 && config.margin <= 1000)) throw Error("margin must lie in [0,1000] (logits).");
  const std::string formula = config.formula.empty() ? behavior.default_objective() : config.formula;
  std::vector<ObjectiveTerm> terms;
  size_t begin = 0;
  for (size_t end = 0; end != std::string::npos; begin = end + 1) {
    end = formula.find('+', begin);
    if (terms.size() == kMaxTerms) throw Error("an objective has at most 8 terms.");
    terms.push_back(parse_term(strip(formula.substr(begin, end - begin)), formula));
    check_needs(terms.back(), config, behavior);
  }
  return terms;
}

std::unique_ptr<Objective> make_objective(const ObjectiveConfig& config, const ObjectiveInputs& inputs) {
  TORCH_CHECK(!inputs.models.empty(), "an objective needs a model");
  const auto terms = parse_objective(config, *inputs.behavior);
  if (inputs.replies) return by_replies(terms, config, inputs);
  if (std::any_of(terms.begin(), terms.end(), is_of_encoders)) return with_encoders(terms, config, inputs);
  if (inputs.in_turns) {
    std::vector<std::unique_ptr<Objective>> models;
    for (const auto& model : inputs.models) models.push_back(sum_over({&model, 1}, terms, config, inputs));
    return std::make_unique<EnsembleTurns>(std::move(models));
  }
  return sum_over(inputs.models, terms, config, inputs);
}

std::vector<std::string> objective_names() {
  return kObjectives.names();
}

}  // namespace hijack
