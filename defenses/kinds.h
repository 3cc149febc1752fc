#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "defenses/defense.h"

// The kinds of defenses. A new defense derives from one of them, is one pair of files, and one line in the
// table of make_defense.cpp. Kinds that look at images and replies: detectors.h, copy_vote.h.

namespace hijack {

/// What the user reads when a detector rejects a submission.
inline constexpr const char* kRejectionText = "I cannot help with that request.";

/// A number that depends on the content of a submission alone (image values, all texts, which draw): random
/// defenses fork their stream by it, so that a reply does not depend on what else is in the batch.
uint64_t content_key(const Submission& submission);
uint64_t content_key(const Query& query);
uint64_t content_key(const Tensor& image);

/// Whether two images have the same values, or there is none of both.
bool same_image(const Tensor& a, const Tensor& b);

/// Calls `next` (not at all for an empty batch) and checks that it gave one reply for each submission.
std::vector<Reply> pass_on(const std::vector<Submission>& submissions, const Responder& next);

/// Puts `stage` before the stages that the reply has met already.
void add_stage(Reply& reply, StageTrace stage);

/// Passes on the submissions whose stage did not reject them, and adds to each reply's trace its stage.
/// stages: one for each submission.
std::vector<Reply> pass_unrejected(const std::vector<Submission>& submissions, std::vector<StageTrace> stages,
                                   const Responder& next);

/// Rejects queries whose score is above the threshold; the next responder never sees them.
class TextDetector : public Defense {
 public:
  /// Larger = more suspicious.
  virtual double score(const Query& query) const = 0;
  /// The same of several queries, where the detector can in passes over many of them.
  virtual std::vector<double> scores(std::span<const Query> queries) const;
  virtual double threshold() const = 0;
  bool scores_prompts() const override { return true; }
  std::vector<Reply> answer(const std::vector<Submission>& submissions, const Responder& next) const final;
};

/// Rewrites queries before they reach the model.
class TextTransform : public Defense {
 public:
  struct Rewritten {
    Query query;
    std::string note;  ///< for the trace: what was done
  };
  /// One result for each query, depending on that query alone.
  virtual std::vector<Rewritten> rewrite(std::span<const Query> queries) const = 0;
  /// By default what `rewrite` gives.
  std::vector<Query> surrogate_queries(const std::vector<Query>& queries) const override;
  std::vector<Reply> answer(const std::vector<Submission>& submissions, const Responder& next) const final;
};

/// Changes how the model chooses its next token, or what it computes meanwhile (change_decoding): nothing in
/// front of it or behind. Its submissions pass untouched.
class DecodingDefense : public Defense {
 public:
  void change_decoding(Decoding& decoding) const override = 0;
  std::vector<Reply> answer(const std::vector<Submission>& submissions, const Responder& next) const final;
};

/// Changes images before they reach the model. Submissions without image pass untouched.
class ImageTransform : public Defense {
 public:
  /// What a deployed system does. [1,3,H,W] in [0,1] -> [1,3,H',W'] on the lattice.
  virtual Tensor apply(const Tensor& image, Random& random) const = 0;
  /// By default straight-through: the value of `apply`, the gradient of the identity (BPDA, Athalye et al.
  /// 2018). Transforms with a better gradient override it.
  Tensor surrogate(const Tensor& image, Random& random) const override;
  std::vector<Reply> answer(const std::vector<Submission>& submissions, const Responder& next) const final;

 protected:
  explicit ImageTransform(uint64_t seed = 0) : seed_(seed) {}

 private:
  Tensor transformed(const Submission& submission) const;

  uint64_t seed_;
};

}  // namespace hijack
