#include "tests/support/toy_model.h"

#include <ATen/ATen.h>

#include "src/base/error.h"
#include "src/base/image.h"
#include "src/base/random.h"
#include "tests/support/toy_tokenizer.h"

namespace hijack {
namespace {

constexpr int64_t kSide = 16;
constexpr int64_t kPatch = 4;
constexpr int64_t kImageTokens = 16;
constexpr int64_t kPatchValues = 3 * kPatch * kPatch;
constexpr int64_t kWidth = 24;
constexpr int64_t kMaxReply = 12;
constexpr size_t kContextWindow = 64;

Tensor at_toy_size(const Tensor& image) {
  if (image.size(2) == kSide && image.size(3) == kSide) return image;
  return at::_upsample_bilinear2d_aa(image, {kSide, kSide}, false);
}

}  // namespace

struct ToyModel::Network {
  ToyTokenizer tokenizer;
  Tensor patch_weight;  // [48, D]
  Tensor mix;           // [12, 16]
  Tensor image_weight;  // [D, D]
  Tensor embedding;     // [V, D]
  Tensor output;        // [D, V]

  explicit Network(const ToyOptions& options) {
    Random random(options.seed);
    const auto type = options.float64 ? at::kDouble : at::kFloat;
    const auto normal = [&](at::IntArrayRef shape, double scale) {
      return (random.normal_tensor(shape) * scale).to(type);
    };
    const int64_t vocabulary = tokenizer.vocabulary_size();
    patch_weight = normal({kPatchValues, kWidth}, 0.3);
    mix = normal({kMaxReply, kImageTokens}, 0.5);
    image_weight = normal({kWidth, kWidth}, 0.4);
    embedding = normal({vocabulary, kWidth}, 0.4);
    output = normal({kWidth, vocabulary}, 0.9);
  }

  TokenIds prompt_ids(const Query& query) const {
    std::string text = query.system;
    for (const Turn& turn : query.earlier) text += " " + turn.user + " " + turn.assistant;
    return tokenizer.encode(text + " " + query.prompt, false);
  }

  Tensor embed(const TokenIds& ids) const { return embedding.index_select(0, at::tensor(ids, at::kLong)); }

  /// What the image says at every position of a reply: features [1,16,D] -> [12, D]
  Tensor image_part(const Tensor& features) const { return mix.mm(features[0]).mm(image_weight); }

  /// previous: the tokens before each position, the first one being the end token; shift is added to the
  /// embeddings of the prompt -> [T, D]
  Tensor hidden(const Tensor& image, const TokenIds& prompt, const TokenIds& previous,
                const Tensor& shift = {}) const {
    const auto length = static_cast<int64_t>(previous.size());
    if (prompt.size() + previous.size() > kContextWindow || length > kMaxReply)
      throw Error("prompt and target have " + std::to_string(prompt.size() + previous.size()) +
                  " tokens, more than the toy model can take.");
    Tensor sum = image.narrow(0, 0, length) + embed(previous);
    if (!prompt.empty()) sum = sum + embed(prompt).mean(0, true);
    if (shift.defined()) sum = sum + shift.sum(0, true) / static_cast<double>(prompt.size());
    return sum;
  }

  Tensor logits(const Tensor& hidden) const { return hidden.tanh().mm(output); }  // [T, V]

  Tensor state(const Tensor& x, int64_t layer) const {  // [1,n,D]
    if (layer > 1) throw Error("the toy model has 1 layer.");
    return layer == 0 ? x : x.matmul(image_weight).tanh();
  }

  Tensor no_image() const { return at::zeros({1, kImageTokens, kWidth}, mix.options()); }

  Generated reply(const Tensor& features, const Query& query, size_t index,
                  const GenerateOptions& options) const {
    const at::NoGradGuard no_grad;
    Random random =
        options.seeds.empty() ? Random(options.seed).fork("reply", index) : Random(options.seeds.at(index));
    const TokenIds prompt = prompt_ids(query);
    const Tensor image = image_part(features);
    TokenIds previous{ToyTokenizer::kEnd};
    std::string text;
    const int64_t longest = std::min(options.max_new_tokens, kMaxReply);
    for (int64_t t = 0; t < longest && !options.stop.stop_requested(); ++t) {
      Tensor scores = logits(hidden(image, prompt, previous).narrow(0, t, 1))[0].to(at::kDouble);
      if (options.temperature > 0) {  // sampling by the Gumbel trick
        const Tensor uniform = random.uniform_tensor(scores.sizes(), 1e-9, 1).to(at::kDouble);
        scores = scores / options.temperature - (-uniform.log()).log();
      }
      const TokenId token = scores.argmax().item<int64_t>();
      if (token == ToyTokenizer::kEnd) return {text};
      previous.push_back(token);
      const std::string before = text;
      text = tokenizer.decode(std::span(previous).subspan(1), true);
      if (options.on_text) options.on_text(index, std::string_view(text).substr(before.size()));
    }
    return {text, /*cut=*/true};
  }
};

namespace {

class ToyLanguageModel : public LanguageModel {
 public:
  explicit ToyLanguageModel(std::shared_ptr<const ToyModel::Network> network)
      : network_(std::move(network)) {}
  const Tokenizer& tokenizer() const override { return network_->tokenizer; }
  Tensor prompt_nll(const std::string& text) const override {
    const at::NoGradGuard no_grad;
    const TokenIds ids = network_->tokenizer.encode(text, false);
    if (ids.size() < 2) return at::empty({0}, at::kFloat);
    const Tensor image = network_->image_part(network_->no_image());
    std::vector<float> nll;  // each token given the one before it: the toy has no longer memory
    for (size_t i = 1; i < ids.size(); ++i) {
      const Tensor scores = network_->logits(network_->hidden(image, {}, {ids[i - 1]}))[0].log_softmax(-1);
      nll.push_back(-scores[ids[i]].to(at::kFloat).item<float>());
    }
    return at::tensor(nll);
  }
  std::vector<Generated> generate(std::span<const Query> queries,
                                  const GenerateOptions& options) const override {
    std::vector<Generated> replies;
    for (size_t i = 0; i < queries.size(); ++i)
      replies.push_back(network_->reply(network_->no_image(), queries[i], i, options));
    return replies;
  }

 private:
  std::shared_ptr<const ToyModel::Network> network_;
};

}  // namespace

ToyModel::ToyModel(const ToyOptions& options) : network_(std::make_shared<Network>(options)) {}
ToyModel::~ToyModel() = default;

const Tokenizer& ToyModel::tokenizer() const {
  return network_->tokenizer;
}
TokenIds ToyModel::end_of_reply() const {
  return {ToyTokenizer::kEnd};
}

Tensor ToyModel::to_input_space(const Tensor& image) const {
  return quantize(at_toy_size(image));
}

Pixels ToyModel::preprocess(const Tensor& image) const {
  return {(at_toy_size(image) - 0.5) * 2, image.size(2), image.size(3)};
}

Tensor ToyModel::image_features(const Pixels& pixels) const {
  const int64_t per_side = kSide / kPatch;
  const Tensor patches = pixels.values.to(network_->patch_weight.scalar_type())
                             .view({1, 3, per_side, kPatch, per_side, kPatch})
                             .permute({0, 2, 4, 1, 3, 5})
                             .reshape({kImageTokens, kPatchValues});
  return patches.mm(network_->patch_weight).tanh().unsqueeze(0);
}

std::vector<Tensor> ToyModel::target_logits(const Pixels& pixels, std::span<const Query> queries,
                                            std::span<const TokenIds> targets) const {
  return shifted_target_logits(pixels, queries, targets, std::vector<Tensor>(queries.size()));
}

Tensor ToyModel::prompt_embeddings(const Pixels&, const Query& query) const {
  return network_->embed(network_->tokenizer.encode(query.prompt, false));
}

Tensor ToyModel::image_states(const Pixels& pixels, int64_t layer) const {
  return network_->state(image_features(pixels), layer);
}

Tensor ToyModel::text_states(const std::string& text, int64_t layer) const {
  return network_->state(network_->embed(network_->tokenizer.encode(text, false)).unsqueeze(0), layer);
}

std::vector<Tensor> ToyModel::shifted_target_logits(const Pixels& pixels, std::span<const Query> queries,
                                                    std::span<const TokenIds> targets,
                                                    std::span<const Tensor> shifts) const {
  const Tensor image = network_->image_part(image_features(pixels));
  std::vector<Tensor> hidden;
  std::vector<int64_t> lengths;
  for (size_t i = 0; i < queries.size(); ++i) {
    TokenIds previous{ToyTokenizer::kEnd};
    previous.insert(previous.end(), targets[i].begin(), targets[i].end() - 1);
    hidden.push_back(network_->hidden(image, network_->prompt_ids(queries[i]), previous, shifts[i]));
    lengths.push_back(static_cast<int64_t>(previous.size()));
  }
  return network_->logits(at::cat(hidden)).split_with_sizes(lengths);
}

std::vector<Generated> ToyModel::generate(const Pixels& pixels, std::span<const Query> queries,
                                          const GenerateOptions& options) const {
  const at::NoGradGuard no_grad;
  const Tensor features = image_features(pixels);
  std::vector<Generated> replies;
  for (size_t i = 0; i < queries.size(); ++i)
    replies.push_back(network_->reply(features, queries[i], i, options));
  return replies;
}

TokenIds ToyModel::input_ids(const Pixels&, const Query& query) const {
  TokenIds ids(kImageTokens, ToyTokenizer::kImage);
  const TokenIds prompt = network_->prompt_ids(query);
  ids.insert(ids.end(), prompt.begin(), prompt.end());
  return ids;
}

std::shared_ptr<const LanguageModel> ToyModel::language_model() const {
  return std::make_shared<ToyLanguageModel>(network_);
}

std::vector<Tensor> ToyModel::weights() const {
  return {network_->patch_weight, network_->mix, network_->image_weight, network_->embedding,
          network_->output};
}

std::vector<Query> toy_contexts(size_t count) {
  constexpr std::array kSubjects{"cat", "dog", "image", "one"};
  constexpr std::array kQuestions{"what color is the", "how many", "please say", "is it red by the",
                                  "send me the",       "is the",   "what is",    "how is the"};
  std::vector<Query> contexts;
  for (size_t i = 0; i < count; ++i) {
    std::string prompt = std::string(kQuestions[i % kQuestions.size()]) + " " +
                         kSubjects[i / kQuestions.size() % kSubjects.size()];
    for (size_t again = 0; again < i / (kQuestions.size() * kSubjects.size()); ++again) prompt += " please";
    contexts.push_back({.prompt = std::move(prompt)});
  }
  return contexts;
}

Tensor toy_image(uint64_t seed) {
  const Tensor coarse = Random(seed).uniform_tensor({1, 3, 4, 4}, 0.2, 0.8);
  return quantize(at::upsample_bilinear2d(coarse, {kSide, kSide}, false));
}

}  // namespace hijack
