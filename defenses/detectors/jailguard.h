#pragma once
#include "defenses/detectors/detectors.h"

namespace hijack {

/// The largest divergence that `copies` replies can have (reply_divergence).
double largest_divergence(int64_t copies);

/// Mutation divergence, after JailGuard (Zhang et al. 2023, arXiv:2312.10766): the model is asked about
/// several randomly mutated copies of the image (mutations.h); an attack survives some and breaks in others,
/// so its replies differ more than honest ones. S_ij: similarity of replies i and j; Q_i = S_i / sum_j S_ij;
/// D_ij = KL(Q_i || Q_j); score = max D_ij in nats. The paper's threshold for images is 0.025, with 8 copies.
/// Departures from the paper: similarity is the cosine of the replies' word counts plus 0.01 (the paper's is
/// of word embeddings, which are no part of this program; the constant keeps the divergence finite); by
/// default the threshold is fitted on benign submissions, because the published one belongs to other
/// similarities; rotation is bilinear, and strengths are ours where the paper gives none. Images only: the
/// mutators of texts are left out.
/// Surrogate: one mutation, or with probability 1 / (copies + 1) the image itself, which is what the model
/// answers about in the end.
class JailGuard : public SubmissionDetector {
 public:
  static constexpr const char* kName = "jailguard";
  static constexpr const char* kHelp =
      "rejects images whose replies diverge under random mutations (after JailGuard, Zhang et al. 2023; "
      "departs: replies are compared by word counts instead of embeddings, the threshold is fitted, images "
      "only)";

  struct Parameters {
    int64_t copies = 8;
    std::string mutations = "policy";
    ThresholdParameters limit = {};
    uint64_t seed = 0;

    template <class Visitor>
    void visit(Visitor&& field) {
      field("copies", copies, "mutated copies, 2 to 100; each costs a reply");
      field("mutations", mutations,
            "policy: rotation, blur and posterization as the paper mixes them; all: its ten kinds, equally "
            "likely");
      limit.visit(field);
      field("seed", seed, "of the mutations");
    }
    void check() const;
  };

  /// Throws Error without bare responder, or with too few benign images where the threshold has to be fitted.
  JailGuard(const Parameters& parameters, const DefenseResources& resources);

  std::string name() const override { return written_name(kName, parameters_); }
  bool randomized() const override { return true; }
  double ceiling() const override { return largest_divergence(parameters_.copies); }
  Tensor surrogate(const Tensor& image, Random& random) const override;
  std::vector<Verdict> verdicts(const std::vector<Submission>& submissions,
                                const Responder& next) const override;

 private:
  Verdict verdict(const Submission& submission, const Responder& next) const;
  Tensor copy(const Tensor& image, Random& random) const;

  Parameters parameters_;
};

/// Cosine of the word counts of two replies, words as in normalized_reply. 1 when both have no word.
double word_similarity(const std::string& a, const std::string& b);

/// max_ij KL(P_i || P_j) of the replies' similarities. 0 for fewer than two replies.
double reply_divergence(const std::vector<std::string>& replies);

}  // namespace hijack
