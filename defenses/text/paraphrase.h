#pragma once
#include "defenses/endpoint/asked_model.h"
#include "defenses/kinds.h"
#include "defenses/parameters.h"
#include "defenses/resources.h"

namespace hijack {

/// Paraphrase defense (Jain et al. 2023, section 4.2): another model restates the prompt, and the target
/// model answers the restatement. Departs from the paper: its paraphraser is ChatGPT, here the defended
/// model's own decoder unless `model` or `endpoint` names another; the wording of the request is ours.
/// Deterministic for a seed: each prompt has its own stream, and many are restated together. An empty
/// restatement keeps the original prompt, and the trace says so.
class Paraphrase : public TextTransform {
 public:
  static constexpr const char* kName = "paraphrase";
  static constexpr const char* kHelp =
      "a language model restates the prompt (Jain et al. 2023; departs: the defended model's own decoder "
      "unless model or endpoint names a better one, and the wording of the request is ours)";

  struct Parameters {
    double temperature = 0.7;
    int64_t max_tokens = 100;
    std::string pattern = "Paraphrase: {prompt}";
    uint64_t seed = 0;
    AskedModelParameters asked = {};

    template <class Visitor>
    void visit(Visitor&& field) {
      field("temperature", temperature, "of the restatement; 0 = greedy");
      field("max_tokens", max_tokens, "longest restatement in tokens");
      field("pattern", pattern, "what the model is asked, with {prompt} where the user's prompt goes");
      field("seed", seed, "of the draws");
      asked.visit(field);
    }
    void check() const;
  };

  /// Throws Error without paraphraser, model and endpoint.
  Paraphrase(const Parameters& parameters, const DefenseResources& resources);

  std::string name() const override { return written_name(kName, parameters_); }
  bool randomized() const override { return parameters_.temperature > 0; }
  std::vector<Rewritten> rewrite(std::span<const Query> queries) const override;
  /// The most likely restatements: decoded greedily.
  std::vector<Query> surrogate_queries(const std::vector<Query>& queries) const override;

 private:
  /// What has been said to requests, by their content: the same are asked for again under other conditions.
  struct Memo;
  uint64_t seed_of(const Query& request) const;
  std::vector<Generated> asked(const std::vector<Query>& requests) const;
  std::vector<Generated> restatements(const std::vector<Query>& requests) const;

  Parameters parameters_;
  std::shared_ptr<const LanguageModel> paraphraser_;
  std::shared_ptr<Memo> memo_;
};

}  // namespace hijack
