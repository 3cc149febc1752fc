#include "models/query.h"

#include "src/base/random.h"

namespace hijack {

std::string key_of(const Query& query) {
  std::string key;
  const auto add = [&](const std::string& part) { key += std::to_string(part.size()) + ":" + part; };
  add(query.prompt);
  add(query.system);
  for (const Turn& turn : query.earlier) add(turn.user), add(turn.assistant);
  return key;
}

GenerateOptions part_of(const GenerateOptions& options, size_t begin, size_t count) {
  GenerateOptions part = options;
  part.seeds.clear();
  for (size_t i = begin; i < begin + count; ++i)
    part.seeds.push_back(options.seeds.empty() ? Random(options.seed).fork_seed("reply", i)
                                               : options.seeds.at(i));
  if (options.on_text)
    part.on_text = [on_text = options.on_text, begin](size_t index, std::string_view piece) {
      on_text(begin + index, piece);
    };
  return part;
}

}  // namespace hijack
