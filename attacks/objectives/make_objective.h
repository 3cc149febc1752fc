#pragma once
#include <memory>
#include <string>
#include <vector>

#include "attacks/asked_contexts.h"
#include "attacks/behavior.h"
#include "attacks/objective.h"
#include "attacks/objectives/encoder_matching.h"
#include "attacks/objectives/reply_success.h"
#include "attacks/ranks.h"
#include "models/vision_language_model.h"

namespace hijack {

struct ObjectiveConfig {
  std::string formula = {};  ///< "" = what serves the behavior best
  double margin = 1;
  int64_t hardest_of = 1;
  std::string feature_image = {};
  std::string feature_text = {};
  int64_t feature_layer = 0;

  template <class Visitor>
  void visit(Visitor&& field) {
    field(
        "objective", formula,
        "loss to minimize: a sum of behavior, margin, prompt, delay_end, features and features_squared, and "
        "over --surrogate of embedding, transport and away, each with a weight (behavior + 0.5*features; a "
        "negative weight raises a loss); empty = the behavior's own");
    field("margin", margin, "margin: by how many logits each target token must lead");
    field("hardest_of", hardest_of,
          "behavior, margin: draw so many times as many contexts as --batch, and take those with the largest "
          "loss for the step (hard example mining); 1 = as drawn");
    field("feature_image", feature_image,
          "features, embedding, transport: the picture that the image is to be mistaken for");
    field("feature_text", feature_text,
          "features, embedding: a text that the image is to be mistaken for, instead of a picture");
    field("feature_layer", feature_layer,
          "features: compared after so many blocks of the decoder; 0 = the image tokens that it reads");
  }
};

/// One term of a formula.
struct ObjectiveTerm {
  double weight = 1;
  std::string name;
};

/// "behavior + 0.5*features" -> terms. Throws Error for unknown names (naming the nearest), for weights that
/// are no numbers or 0, for formulas of more than 8 terms, and for terms that lack what they need (features
/// without feature_image or feature_text, prompt with a behavior that no instruction brings about).
std::vector<ObjectiveTerm> parse_objective(const ObjectiveConfig& config, const Behavior& behavior);

/// What objectives are made of.
struct ObjectiveInputs {
  /// All models that the image must work on; the first is the one whose input space the image lives in.
  std::vector<std::shared_ptr<const VisionLanguageModel>> models;
  std::shared_ptr<const Behavior> behavior;  ///< prepared
  AskedContexts contexts;
  Tensor origin;  ///< [1,3,H,W]
  int64_t batch = 0;
  uint64_t seed = 0;
  int64_t max_new_tokens = 48;  ///< longest reply
  bool in_turns = false;        ///< the models one after another (ensemble_turns.h) instead of their mean
  /// What the objectives over image encoders are about, and how they see.
  std::vector<std::shared_ptr<const ImageEncoder>> encoders = {};
  SurrogateConfig surrogate = {};
  std::vector<Tensor> photos = {};  ///< [1,3,H,W] each, of a universal attack; empty = the origin
  /// Given for a model that shows nothing but replies: the objective is how often these succeed, in place of
  /// what the formula (of behavior alone) says; its sign tells whether targets are led to or away from.
  AskReplies replies = {};
  std::shared_ptr<Ranks> ranks = {};  ///< among which the contexts of a step are divided; none = one process
};

/// Whether a term is about image encoders (--surrogate): embedding, transport, away.
bool is_of_encoders(const ObjectiveTerm& term);
/// Whether a term reads what the model is asked: then it is a mean over contexts.
bool reads_prompts(const ObjectiveTerm& term);

/// The mean over the models of the weighted sum of the terms, and over the encoders of theirs.
std::unique_ptr<Objective> make_objective(const ObjectiveConfig& config, const ObjectiveInputs& inputs);

std::vector<std::string> objective_names();

}  // namespace hijack
