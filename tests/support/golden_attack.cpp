#include "tests/support/golden_attack.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "attacks/objectives/token_losses.h"
#include "tests/support/toy_model.h"
#include "tests/support/toy_tokenizer.h"

namespace hijack {

TensorMap load_golden(const std::string& folder) {
  return load_safetensors(HIJACK_SOURCE_DIR "/tests/golden/" + folder + "/golden.safetensors");
}

std::vector<double> golden_numbers(const TensorMap& golden, const std::string& name) {
  const Tensor numbers = golden.at(name).to(at::kDouble).contiguous();
  const double* first = numbers.const_data_ptr<double>();
  return {first, first + numbers.numel()};
}

double difference(const Tensor& a, const Tensor& b) {
  return (a - b).abs().max().item<double>();
}

Tensor GoldenClassifier::loss(const Tensor& image, int64_t) {
  return at::cross_entropy_loss(image.flatten(1).mm(w1_).tanh().mm(w2_), label_, {}, at::Reduction::None);
}

GoldenModel::GoldenModel(const TensorMap& golden)
    : ModelDecorator(std::make_shared<ToyModel>(ToyOptions{.float64 = true})),
      a_(golden.at("a")),
      e_(golden.at("e")),
      w_(golden.at("w")) {}

Pixels GoldenModel::preprocess(const Tensor& image) const {
  return {image, image.size(2), image.size(3)};
}

Tensor GoldenModel::embed(const TokenIds& ids) const {
  return e_.index_select(0, at::tensor(ids, at::kLong));
}

std::string GoldenModel::text(const Tensor& ids) const {
  const int64_t* first = ids.const_data_ptr<int64_t>();
  return tokenizer().decode(TokenIds(first, first + ids.numel()), false);
}

Tensor GoldenModel::prompt_embeddings(const Pixels&, const Query& query) const {
  return embed(tokenizer().encode(query.prompt, false));
}

std::vector<Tensor> GoldenModel::target_logits(const Pixels& pixels, std::span<const Query> queries,
                                               std::span<const TokenIds> targets) const {
  return shifted_target_logits(pixels, queries, targets, std::vector<Tensor>(queries.size()));
}

std::vector<Tensor> GoldenModel::shifted_target_logits(const Pixels& pixels, std::span<const Query> queries,
                                                       std::span<const TokenIds> targets,
                                                       std::span<const Tensor> shifts) const {
  ++passes;
  std::vector<Tensor> logits;
  for (size_t i = 0; i < queries.size(); ++i) {
    Tensor words = prompt_embeddings(pixels, queries[i]);  // [n,D]
    if (shifts[i].defined()) words = words + shifts[i];
    const Tensor weights = at::arange(words.size(0), at::kDouble).cos().unsqueeze(0);  // [1,n]
    TokenIds previous{ToyTokenizer::kEnd};
    previous.insert(previous.end(), targets[i].begin(), targets[i].end() - 1);
    const Tensor hidden = pixels.values.flatten(1).mm(a_) + weights.mm(words) + embed(previous);  // [T,D]
    logits.push_back(hidden.tanh().mm(w_));
  }
  return logits;
}

std::optional<TextInPlace> GoldenModel::in_place(const Query& query, const std::string& part) const {
  if (!query.prompt.ends_with(" " + part)) return {};
  const std::string front = query.prompt.substr(0, query.prompt.size() - part.size() - 1);
  return TextInPlace{.ids = tokenizer().encode(part, false),
                     .head = " ",
                     .tail = "",
                     .before = tokenizer().encode(front, false).back()};
}

Tensor GoldenModel::swap_scores(const Pixels& pixels, std::span<const Query> queries,
                                std::span<const TokenIds> targets, const std::string& part,
                                std::span<const TokenId> others) const {
  const at::AutoGradMode with_gradients(true);
  const auto count = static_cast<int64_t>(tokenizer().encode(part, false).size());
  const Tensor shift = at::zeros({count, e_.size(1)}, at::kDouble).set_requires_grad(true);
  std::vector<Tensor> shifts;
  for (const Query& query : queries) {
    const int64_t front = prompt_embeddings(pixels, query).size(0) - count;
    shifts.push_back(at::cat({at::zeros({front, e_.size(1)}, at::kDouble), shift}));
  }
  const Tensor loss = mean_cross_entropy(shifted_target_logits(pixels, queries, targets, shifts),
                                         {targets.begin(), targets.end()});
  const Tensor scores = torch::autograd::grad({loss}, {shift})[0].mm(e_.t());  // [n,V]
  if (others.empty()) return scores;
  return scores.index_select(1, at::tensor(std::vector<int64_t>(others.begin(), others.end()), at::kLong));
}

}  // namespace hijack
