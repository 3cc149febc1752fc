#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "attacks/behavior.h"
#include "attacks/objective.h"
#include "models/model_decorator.h"

// CroPA (Luo et al. 2024, "An Image Is Worth 1000 Lies"): an image that shall work on prompts it has never
// seen is optimized against prompts that work against it. The embeddings of each context's tokens drift to
// raise the loss that the image lowers; success is measured on the true prompts, as always.

namespace hijack {

struct CropaConfig {
  double radius = 0;  ///< 0 = off
  double step = 0.1;
  int64_t every = 1;
  std::string norm = "linf";

  template <class Visitor>
  void visit(Visitor&& field) {
    field("cropa_radius", radius,
          "adversarial prompts (CroPA): how far the embeddings of a context's tokens may drift to raise the "
          "loss that the image lowers, as a multiple of their root mean square; 0 = not at all");
    field("cropa_step", step, "CroPA: how far they drift at a time, in the same unit");
    field("cropa_every", every, "CroPA: steps of the image for each of the prompts");
    field("cropa_norm", norm, "CroPA: linf (sign steps, every number) or l2 (normalized steps, every token)");
  }
};

/// Throws Error for an unknown norm and numbers out of range.
void check(const CropaConfig& config);

/// A model that reads the prompts of some contexts with their embeddings shifted; all others, and generated
/// replies, stay as they are. Contexts that say the same count as one.
class ShiftedModel : public ModelDecorator {
 public:
  ShiftedModel(std::shared_ptr<const VisionLanguageModel> inner, const std::vector<Context>& contexts);
  std::vector<Tensor> target_logits(const Pixels& pixels, std::span<const Query> queries,
                                    std::span<const TokenIds> targets) const override;

  /// One context's shift [n,D] as something to take a gradient at, and the embeddings it belongs to.
  struct Leaf {
    Tensor shift, embeddings;
  };
  /// Between open and close the shifts of all contexts that are asked about require a gradient.
  void open() { opened_ = true; }
  std::map<size_t, Leaf> close();

  /// By number of the context; those that have not drifted are missing.
  std::map<size_t, Tensor> shifts;
  bool enabled = true;  ///< whether they are applied

 private:
  Tensor shift_for(const Pixels& pixels, const Query& query) const;

  std::map<std::string, size_t> numbers_;
  bool opened_ = false;
  mutable std::map<size_t, Leaf> leaves_;
};

/// The outermost objective of such an attack. Its loss is the inner one, whose models are `models`; every
/// `every` steps the shifts of that step's contexts ascend, along the gradient that the same backward pass
/// gives as the image's. The state is the shifts.
class Cropa : public Objective {
 public:
  /// Throws Error as check does.
  Cropa(std::unique_ptr<Objective> inner, std::vector<std::shared_ptr<ShiftedModel>> models,
        const CropaConfig& config);
  /// In a step in which prompts move, with gradients on, its leaves are the shifts of the step's contexts.
  Tensor loss(const Tensor& image, int64_t step) override;
  bool deterministic() const override { return false; }
  std::vector<Tensor> leaves() override;
  void take(std::span<const Tensor> gradients) override;
  /// The ascent.
  void after_step(const Tensor& image, int64_t step) override;
  /// On the true prompts.
  Tensor comparable_loss(const Tensor& image) override;
  ObjectiveState state() const override;
  /// Throws Error for a state with shifts of other models.
  void restore(const ObjectiveState& state) override;

 private:
  /// A shift that the last loss depends on, and once it is known the gradient to it.
  struct Place {
    ShiftedModel* model;
    size_t context;
    ShiftedModel::Leaf leaf;
    Tensor gradient;
  };

  bool prompts_move(int64_t step) const { return (step + 1) % config_.every == 0; }
  Tensor ascended(const Place& place) const;

  std::unique_ptr<Objective> inner_;
  std::vector<std::shared_ptr<ShiftedModel>> models_;
  CropaConfig config_;
  std::vector<Place> places_;  ///< between a loss and the end of its step
};

}  // namespace hijack
