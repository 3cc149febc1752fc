#pragma once
#include "defenses/parameters.h"
#include "defenses/votes/copy_vote.h"

namespace hijack {

/// Randomized smoothing (Cohen, Rosenfeld, Kolter 2019, arXiv:1902.02918) over replies: `selection` copies
/// with Gaussian noise choose the reply, `copies` others count how often it comes again. With pA the
/// Clopper-Pearson lower bound of that rate and pA > 1/2, no change of the image of l2 norm below sigma *
/// Phi^-1(pA) makes another reply the likeliest one, with confidence 1 - alpha; that radius (values in [0,1])
/// stands in the trace. Clipping and rounding after the noise are part of the model that is smoothed, so the
/// bound holds with them. It is a statement about replies that are equal once normalized, from a model that
/// decodes greedily; replies that differ in one word count as different. With `abstain`, submissions with pA
/// <= 1/2 are rejected, as the paper's ABSTAIN: score 1 - pA, threshold 1/2. Departs from the paper: without
/// `abstain` they are answered, with a note that nothing is certified; and far fewer copies are the default
/// (the paper's: 100 that select, 100000 that estimate, alpha 0.001).
class Smoothing : public CopyVote {
 public:
  static constexpr const char* kName = "smoothing";
  static constexpr const char* kHelp =
      "answers by the majority over copies with Gaussian noise, with a certified radius (Cohen et al. 2019; "
      "departs: classes are replies of equal words, and without abstain=true uncertified ones are given, "
      "too)";

  struct Parameters {
    double sigma = 16;
    int64_t copies = 20;
    int64_t selection = 5;
    double alpha = 0.05;
    bool abstain = false;
    uint64_t seed = 0;

    template <class Visitor>
    void visit(Visitor&& field) {
      field("sigma", sigma, "standard deviation of the noise in steps of 1/255");
      field("copies", copies, "that estimate how often the reply comes, 1 to 100000");
      field("selection", selection, "further copies that choose the reply, 1 to 1000");
      field("alpha", alpha, "probability that a certificate is wrong");
      field("abstain", abstain, "reject submissions without certificate");
      field("seed", seed, "of the noise");
    }
    void check() const;
  };

  explicit Smoothing(const Parameters& parameters);
  std::string name() const override { return written_name(kName, parameters_); }
  Tensor changed(const Tensor& image, Random& random) const override;
  std::vector<Calibration> calibrations() const override;

 protected:
  Reply decided(const std::vector<Reply>& replies, StageTrace& stage) const override;

 private:
  Parameters parameters_;
};

/// Certified l2 radius for noise `sigma` when the likeliest reply has at least probability `low`: sigma *
/// Phi^-1(low), 0 for low <= 1/2. In the unit of sigma.
double certified_radius(double sigma, double low);

}  // namespace hijack
