#pragma once
#include <memory>
#include <utility>
#include <vector>

#include "attacks/objective.h"
#include "attacks/ranks.h"

namespace hijack {

/// A loss that is the mean over the contexts of a step, so that each of several processes can compute that of
/// a part of them.
class MeanOverContexts : public Objective {
 public:
  /// How many contexts a step has, in all.
  virtual size_t contexts_of_step() const = 0;
  /// From here on the loss is the mean over the places [begin, end) of a step's contexts, which are at least
  /// one; which contexts a step draws stays the same.
  void take_only(std::pair<size_t, size_t> places) { places_ = places; }

 protected:
  /// The part of what belongs to a step's contexts that is this process's.
  template <class One>
  std::vector<One> own(std::vector<One> all) const {
    if (places_.second == 0) return all;
    return {std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(places_.first)),
            std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(places_.second))};
  }

 private:
  std::pair<size_t, size_t> places_ = {0, 0};  ///< 0, 0: all
};

/// The same loss and gradient, from a group of processes of which each computes its share of the contexts:
/// sums of means weighted by the sizes of the shares. Loss and gradient travel in one message, so that they
/// differ from those of one process by the order of summation alone. Every rank must ask for the same images.
/// Whatever stands around it (augmentation, photos, sums over models, estimated gradients) need not know.
class Divided : public Objective {
 public:
  Divided(std::unique_ptr<MeanOverContexts> inner, std::shared_ptr<Ranks> ranks);
  /// image [N,3,H,W] -> [N] of the image's type, at least float32
  Tensor loss(const Tensor& image, int64_t step) override;
  bool deterministic() const override { return inner_->deterministic(); }
  bool images_apart() const override { return inner_->images_apart(); }

 private:
  std::unique_ptr<MeanOverContexts> inner_;
  std::shared_ptr<Ranks> ranks_;
  double weight_;  ///< of this rank's mean in that of all; 0 where there are fewer contexts than ranks
};

}  // namespace hijack
