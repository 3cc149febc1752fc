#include "models/families/image_prompt_model.h"

#include "models/families/decoder_language_model.h"
#include "models/prefix/packed_suffixes.h"
#include "models/prefix/read_states.h"
#include "src/base/error.h"
#include "src/base/unicode.h"
#include "src/base/upload.h"

namespace hijack {

ImagePromptModel::ImagePromptModel(std::shared_ptr<const Decoder> decoder,
                                   std::shared_ptr<const Tokenizer> tokenizer, TokenId image_token,
                                   ReplyRules rules, std::shared_ptr<const ChatTemplate> chat,
                                   std::string image_text)
    : decoder_(std::move(decoder)),
      tokenizer_(std::move(tokenizer)),
      image_token_(image_token),
      image_text_(std::move(image_text)),
      rules_(std::move(rules)),
      chat_(std::move(chat)) {
  if (chat_) check_image_place();
}

Encoding ImagePromptModel::encode(const RenderedPrompt& prompt) const {
  const std::string& text = prompt.text;
  if (image_text_.empty()) return tokenizer_->encode_with_offsets(text, prompt.add_special_tokens);
  Encoding whole;
  for (size_t begin = 0;;) {
    const size_t end = std::min(text.find(image_text_, begin), text.size());
    const Encoding part = tokenizer_->encode_with_offsets(text.substr(begin, end - begin),
                                                          begin == 0 && prompt.add_special_tokens);
    whole.ids.insert(whole.ids.end(), part.ids.begin(), part.ids.end());
    for (const auto& [from, to] : part.offsets) whole.offsets.emplace_back(begin + from, begin + to);
    if (end == text.size()) return whole;
    begin = end + image_text_.size();
    whole.ids.push_back(image_token_);
    whole.offsets.emplace_back(end, begin);
  }
}

void ImagePromptModel::check_image_place() const {
  const RenderedPrompt probe = chat_->render({.prompt = "x"}, /*with_image=*/true);
  const TokenIds ids = encode(probe).ids;
  const auto places = std::count(ids.begin(), ids.end(), image_token_);
  const bool known = image_token_ >= 0 && image_token_ < tokenizer_->vocabulary_size();
  const std::string token = known ? tokenizer_->id_to_token(image_token_) : image_text_;
  const std::string name = "the image token " + std::to_string(image_token_) +
                           (token.empty() ? std::string() : " (" + unicode::excerpt(token) + ")");
  if (places == 0 && !token.empty() && probe.text.find(token) == std::string::npos)
    throw Error("the chat template has no place for the image: a user turn with one is rendered without " +
                name);
  if (places > 1)
    throw Error(
        "the chat template has more than one place for the image: a user turn with one is rendered with " +
        name + " " + std::to_string(places) + " times");
}

RenderedPrompt ImagePromptModel::render(const Query& query, bool with_image) const {
  return chat_->render(query, with_image);
}

Prompt expand_image(const TokenIds& ids, TokenId image_token, const TokenIds& image) {
  const auto count = std::count(ids.begin(), ids.end(), image_token);
  if (count == 0)
    throw Error("the tokenizer does not know the image token " + std::to_string(image_token) +
                "; tokenizer.json and config.json do not belong together");
  if (count > 1) throw Error("a prompt must not contain the image token itself; remove it from the text");
  Prompt prompt;
  for (const TokenId id : ids) {
    if (id != image_token) {
      prompt.ids.push_back(id);
      continue;
    }
    for (const TokenId part : image) {
      if (part == image_token) prompt.image_places.push_back(prompt.ids.size());
      prompt.ids.push_back(part);
    }
  }
  return prompt;
}

Prompt ImagePromptModel::prompt(const Pixels& pixels, const Query& query) const {
  const RenderedPrompt text = render(query, /*with_image=*/true);
  return expand_image(encode(text).ids, image_token_, image_ids(pixels));
}

Prompt ImagePromptModel::compiled(const Pixels& pixels, const Query& query) const {
  std::string key = key_of(query);
  for (const int64_t side : {pixels.image_height, pixels.image_width}) key += " " + std::to_string(side);
  if (pixels.values.defined())
    for (const int64_t size : pixels.values.sizes()) key += "," + std::to_string(size);
  if (const auto found = compiled_.find(key)) return **found;
  const auto made = std::make_shared<const Prompt>(prompt(pixels, query));
  const int64_t positions = made->positions.defined() ? made->positions.numel() : 0;
  compiled_.keep(std::move(key), made,
                 static_cast<int64_t>(made->ids.size() + made->image_places.size()) + positions);
  return *made;
}

std::vector<Prompt> ImagePromptModel::prompts(const Pixels& pixels, std::span<const Query> queries) const {
  std::vector<Prompt> result;
  for (const Query& query : queries) result.push_back(compiled(pixels, query));  // before the tower's work
  const Tensor seen = seen_once(pixels);
  for (size_t i = 0; i < result.size(); ++i) result[i].features = features_for(seen, queries[i]);
  return result;
}

Tensor ImagePromptModel::seen_once(const Pixels& pixels) const {
  if (!pixels.values.defined()) return {};  // text alone
  const auto compute = [&] { return seen(pixels); };
  return memo() != nullptr ? memo_.features(pixels, compute) : compute();
}

std::vector<Tensor> ImagePromptModel::target_logits(const Pixels& pixels, std::span<const Query> queries,
                                                    std::span<const TokenIds> targets) const {
  return shared_prefix_logits(*decoder_, prompts(pixels, queries), targets, memo());
}

std::vector<Generated> ImagePromptModel::generate(const Pixels& pixels, std::span<const Query> queries,
                                                  const GenerateOptions& options) const {
  const at::NoGradGuard no_gradients;
  return shared_prefix_generate(*decoder_, prompts(pixels, queries), *tokenizer_, rules_, options, memo());
}

struct ImagePromptModel::Located {
  std::string text;  ///< the rendered prompt
  Encoding encoding = {};
  size_t begin = 0, end = 0;   ///< of the part, in bytes of the text
  size_t first = 0, last = 0;  ///< its tokens, [first, last)
};

std::optional<ImagePromptModel::Located> ImagePromptModel::locate(const Query& query,
                                                                  const std::string& part) const {
  RenderedPrompt whole = render(query, /*with_image=*/true);
  Located found{.text = std::move(whole.text)};
  const size_t prompt_at = found.text.rfind(query.prompt);
  if (prompt_at == std::string::npos || !query.prompt.ends_with(part)) return {};
  found.end = prompt_at + query.prompt.size();
  found.begin = found.end - part.size();
  found.encoding = encode({found.text, whole.add_special_tokens});
  found.first = found.encoding.ids.size();
  for (size_t i = 0; i < found.encoding.ids.size(); ++i) {
    const auto [from, to] = found.encoding.offsets[i];
    if (from >= to || to <= found.begin || from >= found.end) continue;
    found.first = std::min(found.first, i);
    found.last = i + 1;
  }
  if (found.first >= found.last) return {};
  return found;
}

std::optional<TextInPlace> ImagePromptModel::in_place(const Query& query, const std::string& part) const {
  const auto found = locate(query, part);
  if (!found) return {};
  const auto& [ids, offsets] = found->encoding;
  const auto at = [&ids = ids](size_t i) { return ids.begin() + static_cast<std::ptrdiff_t>(i); };
  TextInPlace place{.ids = {at(found->first), at(found->last)}};
  size_t from = offsets[found->first].first;
  if (found->first > 0) {
    place.before = ids[found->first - 1];
    if (const size_t end = offsets[found->first - 1].second; end > 0) from = std::min(from, end);
  }
  const size_t to = offsets[found->last - 1].second;
  if (from < found->begin) place.head = found->text.substr(from, found->begin - from);
  if (to > found->end) place.tail = found->text.substr(found->end, to - found->end);
  return place;
}

std::pair<size_t, size_t> ImagePromptModel::places_of(const Prompt& whole, const Query& query,
                                                      const std::string& part) const {
  const auto found = locate(query, part);
  if (!found) return {};
  // the image comes before the text and has become longer
  const size_t longer = whole.ids.size() - found->encoding.ids.size();
  if (found->first + longer < whole.image_end()) return {};
  return {found->first + longer, found->last + longer};
}

Tensor ImagePromptModel::swap_scores(const Pixels& pixels, std::span<const Query> queries,
                                     std::span<const TokenIds> targets, const std::string& part,
                                     std::span<const TokenId> others) const {
  std::vector<Prompt> prompts;
  {
    const at::NoGradGuard no_gradients;
    prompts = this->prompts(pixels, queries);
  }
  Tensor shift;
  for (size_t i = 0; i < prompts.size(); ++i) {
    const auto [first, last] = places_of(prompts[i], queries[i], part);
    const auto count = static_cast<int64_t>(last - first);
    if (count == 0 || (shift.defined() && shift.size(0) != count)) return {};
    if (!shift.defined())
      shift = at::zeros({count, decoder_->config().width}, embedding_options()).set_requires_grad(true);
    prompts[i].shift = shift;
    prompts[i].shift_begin = first;
  }
  const at::AutoGradMode with_gradients(true);
  const auto logits = shared_prefix_logits(*decoder_, prompts, targets, memo());
  Tensor loss = at::zeros({}, at::TensorOptions(at::kFloat).device(device()));
  for (size_t i = 0; i < logits.size(); ++i)
    loss = loss + at::cross_entropy_loss(logits[i], constant_ids(targets[i], device())) /
                      static_cast<double>(logits.size());
  const Tensor gradient = torch::autograd::grad({loss}, {shift})[0];  // [n,D]
  const at::NoGradGuard no_gradients;
  const Tensor ids = others.empty() ? at::arange(decoder_->config().vocabulary,
                                                 at::TensorOptions(at::kLong).device(device()))
                                    : constant_ids(others, device());
  return gradient.to(at::kFloat).matmul(decoder_->embed(ids).to(at::kFloat).t());  // [n,M]
}

at::TensorOptions ImagePromptModel::embedding_options() const {
  return decoder_->embed(at::zeros({1}, at::TensorOptions(at::kLong).device(device()))).options();
}

Tensor ImagePromptModel::prompt_embeddings(const Pixels& pixels, const Query& query) const {
  const Prompt whole = prompt(pixels, query);
  const auto [first, last] = places_of(whole, query, query.prompt);
  if (first >= last) return {};
  const TokenIds ids(whole.ids.begin() + static_cast<std::ptrdiff_t>(first),
                     whole.ids.begin() + static_cast<std::ptrdiff_t>(last));
  return decoder_->embed(constant_ids(ids, device()));
}

std::vector<Tensor> ImagePromptModel::shifted_target_logits(const Pixels& pixels,
                                                            std::span<const Query> queries,
                                                            std::span<const TokenIds> targets,
                                                            std::span<const Tensor> shifts) const {
  TORCH_CHECK(shifts.size() == queries.size(), "one shift per query");
  std::vector<Prompt> prompts = this->prompts(pixels, queries);
  for (size_t i = 0; i < prompts.size(); ++i) {
    if (!shifts[i].defined()) continue;
    const auto [first, last] = places_of(prompts[i], queries[i], queries[i].prompt);
    if (shifts[i].size(0) != static_cast<int64_t>(last - first))
      throw Error(
          "the prompt '" + queries[i].prompt.substr(0, 80) +
          "' has other tokens here than where its adversarial embeddings were made: attack it without "
          "--templates.");
    prompts[i].shift = shifts[i].to(embedding_options());
    prompts[i].shift_begin = first;
  }
  return shared_prefix_logits(*decoder_, prompts, targets, memo());
}

void ImagePromptModel::check_layer(int64_t layer) const {
  if (layer < 0 || layer > decoder_->config().layers)
    throw Error("the features of layer " + std::to_string(layer) + " were asked for, but the decoder has " +
                std::to_string(decoder_->config().layers) + " layers; 0 is what it reads.");
}

Tensor ImagePromptModel::image_states(const Pixels& pixels, int64_t layer) const {
  check_layer(layer);
  if (layer == 0) return image_features(pixels);
  const Query nothing = {.prompt = " "};
  Prompt whole = prompt(pixels, nothing);
  whole.features = features_for(seen(pixels), nothing);
  const Tensor states = prompt_states(*decoder_, whole, whole.image_end(), layer);
  const std::vector<int64_t> places(whole.image_places.begin(), whole.image_places.end());
  return states.index_select(1, constant_ids(places, device()));
}

Tensor ImagePromptModel::text_states(const std::string& text, int64_t layer) const {
  check_layer(layer);
  Prompt whole;
  whole.ids = tokenizer_->encode(text, true);
  const auto count = static_cast<int64_t>(tokenizer_->encode(text, false).size());
  if (count == 0) throw Error("the text '" + text.substr(0, 80) + "' has no tokens: give another one.");
  const auto length = static_cast<int64_t>(whole.ids.size());
  return prompt_states(*decoder_, whole, whole.ids.size(), layer).narrow(1, length - count, count);
}

std::vector<TokenStates> ImagePromptModel::states_at(const Pixels& pixels, std::span<const Query> queries,
                                                     std::span<const TokenIds> replies,
                                                     std::span<const Hook> hooks, TokenChoice tokens) const {
  return shared_prefix_states(*decoder_, prompts(pixels, queries), replies, hooks, tokens, memo());
}

Decoder ImagePromptModel::changed_decoder(std::span<const StateChange> changes) const {
  for (const StateChange& change : changes) check_hook(change.hook, layers());
  return decoder_->with_changes({changes.begin(), changes.end()});
}

PrefixMemo* ImagePromptModel::memo_under(std::span<const StateChange> changes) const {
  const bool behind = std::all_of(changes.begin(), changes.end(), [](const StateChange& change) {
    return change.tokens == TokenChoice::kLast || change.tokens == TokenChoice::kReply;
  });
  return behind ? memo() : nullptr;
}

std::vector<Tensor> ImagePromptModel::changed_target_logits(const Pixels& pixels,
                                                            std::span<const Query> queries,
                                                            std::span<const TokenIds> targets,
                                                            std::span<const StateChange> changes) const {
  return shared_prefix_logits(changed_decoder(changes), prompts(pixels, queries), targets,
                              memo_under(changes));
}

std::vector<Generated> ImagePromptModel::changed_generate(const Pixels& pixels,
                                                          std::span<const Query> queries,
                                                          const GenerateOptions& options,
                                                          std::span<const StateChange> changes) const {
  const at::NoGradGuard no_gradients;
  return shared_prefix_generate(changed_decoder(changes), prompts(pixels, queries), *tokenizer_, rules_,
                                options, memo_under(changes));
}

std::vector<Generated> ImagePromptModel::mixed_generate(const Pixels& pixels,
                                                        std::span<const BranchQueries> branches,
                                                        const GenerateOptions& options,
                                                        std::span<const StateChange> changes) const {
  const at::NoGradGuard no_gradients;
  const auto asked = [&](const Query& query) {
    const RenderedPrompt text = render(query, /*with_image=*/false);
    return Prompt{tokenizer_->encode(text.text, text.add_special_tokens)};
  };
  std::vector<PromptBranch> mixed;
  for (const BranchQueries& branch : branches) {
    mixed.push_back({branch.weight, {}});
    if (pixels.values.defined() || !takes_images()) {
      mixed.back().prompts = prompts(pixels, branch.queries);
    } else {
      for (const Query& query : branch.queries) mixed.back().prompts.push_back(asked(query));
    }
  }
  return mixed_prefix_generate(changed_decoder(changes), mixed, *tokenizer_, rules_, options,
                               memo_under(changes));
}

int64_t ImagePromptModel::image_tokens(const Pixels& pixels) const {
  const TokenIds ids = image_ids(pixels);
  return std::count(ids.begin(), ids.end(), image_token_);
}

TokenIds ImagePromptModel::input_ids(const Pixels& pixels, const Query& query) const {
  return prompt(pixels, query).ids;
}

std::shared_ptr<const LanguageModel> ImagePromptModel::language_model() const {
  // the template may outlive this object: it keeps the model alive
  return std::make_shared<DecoderLanguageModel>(
      decoder_, tokenizer_, rules_,
      [self = std::static_pointer_cast<const ImagePromptModel>(shared_from_this())](const Query& query) {
        return self->render(query, /*with_image=*/false);
      },
      template_origin());
}

std::shared_ptr<const Tokenizer> load_tokenizer(const std::filesystem::path& folder, int64_t vocabulary) {
  auto tokenizer = Tokenizer::from_file(folder / "tokenizer.json");
  if (tokenizer->vocabulary_size() > vocabulary)
    throw Error(folder.string() + ": tokenizer.json has more tokens than the decoder's vocabulary of " +
                std::to_string(vocabulary));
  return tokenizer;
}

}  // namespace hijack
