#include "attacks/wrappers/templates.h"

#include "src/base/error.h"
#include "src/base/random.h"

namespace hijack {

Query within(const ChatSetting& setting, Query context) {
  if (context.system.empty()) context.system = setting.system;
  if (context.earlier.empty()) context.earlier = setting.earlier;
  return context;
}

TemplatedModel::TemplatedModel(std::shared_ptr<const VisionLanguageModel> inner,
                               std::vector<ChatSetting> settings, uint64_t seed)
    : ModelDecorator(std::move(inner)), settings_(std::move(settings)), seed_(seed) {
  if (settings_.empty()) throw Error("there are no chat templates to draw from: give at least one.");
}

std::vector<Query> TemplatedModel::drawn(std::span<const Query> queries) const {
  std::vector<Query> result(queries.begin(), queries.end());
  if (!draw_) return result;
  Random random = Random(seed_).fork("chat template", *draw_);
  for (Query& query : result) query = within(random.pick(settings_), std::move(query));
  return result;
}

std::vector<Tensor> TemplatedModel::target_logits(const Pixels& pixels, std::span<const Query> queries,
                                                  std::span<const TokenIds> targets) const {
  return inner().target_logits(pixels, drawn(queries), targets);
}

std::optional<TextInPlace> TemplatedModel::in_place(const Query& query, const std::string& part) const {
  return prompt_embeddings_of(inner()).in_place(query, part);
}

Tensor TemplatedModel::swap_scores(const Pixels& pixels, std::span<const Query> queries,
                                   std::span<const TokenIds> targets, const std::string& part,
                                   std::span<const TokenId> others) const {
  return prompt_embeddings_of(inner()).swap_scores(pixels, drawn(queries), targets, part, others);
}

Tensor TemplatedModel::prompt_embeddings(const Pixels& pixels, const Query& query) const {
  return prompt_embeddings_of(inner()).prompt_embeddings(pixels, query);
}

std::vector<Tensor> TemplatedModel::shifted_target_logits(const Pixels& pixels,
                                                          std::span<const Query> queries,
                                                          std::span<const TokenIds> targets,
                                                          std::span<const Tensor> shifts) const {
  return prompt_embeddings_of(inner()).shifted_target_logits(pixels, drawn(queries), targets, shifts);
}

std::vector<Generated> TemplatedModel::generate(const Pixels& pixels, std::span<const Query> queries,
                                                const GenerateOptions& options) const {
  return inner().generate(pixels, drawn(queries), options);
}

}  // namespace hijack
