#pragma once
#include "defenses/kinds.h"
#include "defenses/parameters.h"
#include "defenses/resources.h"

namespace hijack {

/// Retokenization (Jain et al. 2023, section 4.3): BPE-dropout breaks tokens apart, which disturbs a suffix
/// that was optimized as one token sequence and leaves words readable. The break reaches any model, behind an
/// endpoint too, as text: a space stands wherever the draw has a token boundary inside one of the usual
/// tokens. That departs from the paper, where the model gets the tokens themselves: the prompt is changed
/// more, and the model's own tokenizer may join across a space that it reads otherwise. One draw, where the
/// paper reports the mean of four: give several seeds.
class Retokenize : public TextTransform {
 public:
  static constexpr const char* kName = "retokenize";
  static constexpr const char* kHelp =
      "breaks tokens apart by BPE-dropout (Provilkov et al. 2020, Jain et al. 2023; departs: the breaks "
      "reach the model as spaces in the text)";

  struct Parameters {
    double dropout = 0.4;
    uint64_t seed = 0;

    template <class Visitor>
    void visit(Visitor&& field) {
      field("dropout", dropout, "probability that a merge of the tokenizer is skipped");
      field("seed", seed, "of the draws");
    }
    void check() const;
  };

  /// Uses the scorer's tokenizer. Throws Error without scorer.
  Retokenize(const Parameters& parameters, const DefenseResources& resources);

  std::string name() const override { return written_name(kName, parameters_); }
  bool randomized() const override { return parameters_.dropout > 0; }
  std::vector<Rewritten> rewrite(std::span<const Query> queries) const override;
  /// Draws of the attacker's own: the deployed seed is not known to it.
  std::vector<Query> surrogate_queries(const std::vector<Query>& queries) const override;

 private:
  std::string broken(const std::string& prompt, uint64_t seed) const;

  Parameters parameters_;
  std::shared_ptr<const LanguageModel> scorer_;
};

}  // namespace hijack
