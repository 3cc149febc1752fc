#include "models/decoding.h"

#include "models/state_hooks.h"
#include "src/base/error.h"

namespace hijack {
namespace {

Query worded(const DecodingBranch& branch, const Query& query) {
  return branch.asked ? branch.asked(query) : query;
}

std::vector<BranchQueries> worded_all(const Decoding& decoding, std::span<const Query> queries) {
  std::vector<BranchQueries> all;
  for (const DecodingBranch& branch : decoding.branches) {
    all.push_back({branch.weight, {}});
    for (const Query& query : queries) all.back().queries.push_back(worded(branch, query));
  }
  return all;
}

/// Few models have it, so nobody else needs to know of it.
const MixedDecoding& mixed_decoding_of(const VisionLanguageModel& model) {
  if (const auto* found = dynamic_cast<const MixedDecoding*>(&model)) return *found;
  throw Error("the decoding of a " + model.family() +
              " model cannot be changed: take a folder whose network hijack runs itself.");
}

/// The decoder alone, replying by a decoding.
class DecodedLanguageModel : public LanguageModel {
 public:
  DecodedLanguageModel(std::shared_ptr<const VisionLanguageModel> model,
                       std::shared_ptr<const Decoding> decoding)
      : model_(std::move(model)), plain_(model_->language_model()), decoding_(std::move(decoding)) {}
  const Tokenizer& tokenizer() const override { return plain_->tokenizer(); }
  std::string template_origin() const override { return plain_->template_origin(); }
  Tensor prompt_nll(const std::string& text) const override { return plain_->prompt_nll(text); }
  std::vector<Tensor> prompt_nlls(std::span<const std::string> texts) const override {
    return plain_->prompt_nlls(texts);
  }
  std::vector<Generated> generate(std::span<const Query> queries,
                                  const GenerateOptions& options) const override {
    return mixed_decoding_of(*model_).mixed_generate({}, worded_all(*decoding_, queries), options,
                                                     decoding_->changes);
  }

 private:
  std::shared_ptr<const VisionLanguageModel> model_;
  std::shared_ptr<const LanguageModel> plain_;
  std::shared_ptr<const Decoding> decoding_;
};

}  // namespace

bool Decoding::plain() const {
  return changes.empty() && branches.size() == 1 && branches.front().weight == 1 && !branches.front().asked;
}

void Decoding::split(double kept, double added, const std::function<Query(const Query&)>& asked) {
  std::vector<DecodingBranch> all;
  for (const DecodingBranch& branch : branches) {
    if (added != 0)
      all.push_back({branch.weight * added,
                     [asked, branch](const Query& query) { return asked(worded(branch, query)); }});
    if (kept != 0) all.push_back({branch.weight * kept, branch.asked});
  }
  TORCH_CHECK(!all.empty(), "a decoding without branches");
  branches = std::move(all);
}

DecodedModel::DecodedModel(std::shared_ptr<const VisionLanguageModel> inner, Decoding decoding)
    : ModelDecorator(inner),
      kept_(std::move(inner)),
      decoding_(std::make_shared<const Decoding>(std::move(decoding))) {
  mixed_decoding_of(*kept_);
  for (const StateChange& change : decoding_->changes)
    check_hook(change.hook, state_hooks_of(*kept_).layers());
}

std::vector<Tensor> DecodedModel::target_logits(const Pixels& pixels, std::span<const Query> queries,
                                                std::span<const TokenIds> targets) const {
  std::vector<Tensor> sum;
  for (const BranchQueries& branch : worded_all(*decoding_, queries)) {
    const auto logits = decoding_->changes.empty() ? inner().target_logits(pixels, branch.queries, targets)
                                                   : state_hooks_of(inner()).changed_target_logits(
                                                         pixels, branch.queries, targets, decoding_->changes);
    if (sum.empty()) sum.resize(logits.size());
    for (size_t i = 0; i < logits.size(); ++i) {
      const Tensor part = branch.weight * logits[i];
      sum[i] = sum[i].defined() ? sum[i] + part : part;
    }
  }
  return sum;
}

std::vector<Generated> DecodedModel::generate(const Pixels& pixels, std::span<const Query> queries,
                                              const GenerateOptions& options) const {
  return mixed_decoding_of(inner()).mixed_generate(pixels, worded_all(*decoding_, queries), options,
                                                   decoding_->changes);
}

std::shared_ptr<const LanguageModel> DecodedModel::language_model() const {
  return std::make_shared<const DecodedLanguageModel>(kept_, decoding_);
}

std::shared_ptr<const VisionLanguageModel> with_decoding(std::shared_ptr<const VisionLanguageModel> model,
                                                         Decoding decoding) {
  if (decoding.plain()) return model;
  return std::make_shared<const DecodedModel>(std::move(model), std::move(decoding));
}

}  // namespace hijack
