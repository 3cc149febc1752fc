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

std::vector<Tensor> TemplatedModel::shifted_target_logits(const Pixels& pixels,
                                                          std::span<const Query> queries,
                                                          std::span<const TokenIds> targets,
                                                          std::span<const Tensor> shifts) const {
  return inner().shifted_target_logits(pixels, drawn(queries), targets, shifts);
}

std::vector<Generated> TemplatedModel::generate(const Pixels& pixels, std::span<const Query> queries,
                                                const GenerateOptions& options) const {
  return inner().generate(pixels, drawn(queries), options);
}

}  // namespace hijack
