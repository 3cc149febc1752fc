#pragma once
#include "defenses/endpoint/asked_model.h"
#include "defenses/kinds.h"
#include "defenses/parameters.h"
#include "defenses/resources.h"

namespace hijack {

/// Perplexity filter (Jain et al. 2023, arXiv:2309.00614, section 4.1): the mean negative log-likelihood of
/// the prompt in nats per token, -(1/n) sum log p(x_i | x_<i), passes iff <= threshold. Windowed: the largest
/// mean over contiguous, non-overlapping windows of scored tokens (the last may be short) takes its place, so
/// that the prompt passes iff every window passes. The first token has no score; a prompt of one token
/// passes. The paper's threshold is the largest benign score: a false-positive rate of 0.
class PerplexityFilter : public TextDetector {
 public:
  static constexpr const char* kName = "perplexity";
  static constexpr const char* kHelp =
      "rejects prompts that a language model finds unlikely (Jain et al. 2023; departs: the threshold is "
      "fitted for the false-positive rate, of which 0 gives the paper's largest benign score)";

  struct Parameters {
    int64_t window = 0;
    double threshold = 0;
    double quantile = 0;
    std::string preset = "exact";
    AskedModelParameters asked = {};

    template <class Visitor>
    void visit(Visitor&& field) {
      field("window", window, "scored tokens per window, 10 in the paper; 0 = the whole prompt at once");
      field("threshold", threshold, "nats per token; 0 = fitted on benign prompts");
      field("quantile", quantile,
            "share of benign prompts that must pass when the threshold is fitted, 1 - alpha; 1 = it is their "
            "largest score; 0 = the run's false-positive rate");
      field(
          "preset", preset,
          "exact: windows are calibrated on windows; published: on whole prompts, as the authors' code does");
      asked.visit(field);
    }
    void check() const;
  };

  /// Throws Error without scorer, model and endpoint, or with too few benign prompts where the threshold has
  /// to be fitted.
  PerplexityFilter(const Parameters& parameters, const DefenseResources& resources);

  std::string name() const override { return written_name(kName, parameters_); }
  double score(const Query& query) const override;
  std::vector<double> scores(std::span<const Query> queries) const override;
  double threshold() const override { return calibration_.threshold; }
  std::vector<Calibration> calibrations() const override { return {calibration_}; }
  /// None where a server scores: an attacker asks it too often.
  std::shared_ptr<const LanguageModel> prompt_scorer() const override {
    return parameters_.asked.server.endpoint.empty() ? scorer_ : nullptr;
  }

 private:
  Calibration fit(const DefenseResources& resources) const;

  Parameters parameters_;
  std::shared_ptr<const LanguageModel> scorer_;
  Calibration calibration_;
};

/// Mean of each window of a non-empty [L] tensor, in order; window 0 = one window. Empty for an empty tensor.
std::vector<double> window_means(const Tensor& nll, int64_t window);

}  // namespace hijack
