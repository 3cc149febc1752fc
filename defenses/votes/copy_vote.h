#pragma once
#include <span>
#include <string>

#include "defenses/kinds.h"

namespace hijack {

/// What counts as the same reply in a vote: ASCII letters in lower case, digits and all bytes beyond ASCII
/// stay, everything else separates words, one space between words.
std::string normalized_reply(const std::string& text);

/// The reply that most others equal once normalized. A reply that was cut equals no whole one, only others
/// that were cut alike. Ties go to the one that came first.
struct Majority {
  size_t member = 0;  ///< index of the first reply of the majority
  int64_t votes = 0;  ///< replies in the majority, itself included
};
/// replies: at least one.
Majority majority(std::span<const Reply> replies);

/// Replies that equal `reply` in that sense.
int64_t votes_for(const Reply& reply, std::span<const Reply> replies);

/// Asks about several changed copies of each image, and answers with one reply of theirs. Submissions without
/// image pass untouched. The copies of a submission depend on the seed and that submission alone.
/// Surrogate: one copy, differentiable (an attack averages its loss over draws: expectation over
/// transformation, the mean loss of the vote).
class CopyVote : public Defense {
 public:
  /// One changed copy before rounding to the lattice, differentiable: [1,3,H,W] in [0,1] -> the same.
  virtual Tensor changed(const Tensor& image, Random& random) const = 0;
  Tensor surrogate(const Tensor& image, Random& random) const override { return changed(image, random); }
  bool randomized() const override { return true; }
  std::vector<Reply> answer(const std::vector<Submission>& submissions, const Responder& next) const final;

 protected:
  CopyVote(int64_t copies, uint64_t seed) : copies_(copies), seed_(seed) {}

  /// The reply to give, from one for each copy; says in `stage` why. stage.stage is set.
  virtual Reply decided(const std::vector<Reply>& replies, StageTrace& stage) const = 0;

 private:
  std::vector<Reply> replies_to_copies(const Submission& submission, const Responder& next) const;

  int64_t copies_;
  uint64_t seed_;
};

}  // namespace hijack
