#include "src/experiment/dataset.h"

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/nearest.h"

namespace hijack {
namespace {

using nlohmann::json;

constexpr int64_t kMaxFileBytes = int64_t{64} << 20;
constexpr size_t kMaxLineBytes = 64 << 10;
constexpr size_t kMaxContexts = 200'000;
constexpr size_t kMaxTurns = 64;

const std::vector<std::string> kSplits = {"train", "validation", "test", "calibration"};
const std::vector<std::string> kKeys = {"prompt", "split", "system", "earlier"};

std::string text_of(const json& object, const char* key, const std::string& where) {
  if (!object.contains(key)) return "";
  if (!object[key].is_string()) throw Error(where + ": '" + key + "' must be a text.");
  return object[key].get<std::string>();
}

std::vector<Turn> turns_of(const json& object, const std::string& where) {
  std::vector<Turn> turns;
  if (!object.contains("earlier")) return turns;
  const std::string wanted = where + R"(: 'earlier' must be a list of {"user": "…", "assistant": "…"}.)";
  if (!object["earlier"].is_array() || object["earlier"].size() > kMaxTurns) throw Error(wanted);
  for (const json& turn : object["earlier"]) {
    if (!turn.is_object() || turn.size() != 2 || !turn.contains("user") || !turn.contains("assistant"))
      throw Error(wanted);
    turns.push_back({text_of(turn, "user", where), text_of(turn, "assistant", where)});
  }
  return turns;
}

json parse_line(const std::string& line, const std::string& where) {
  if (line.size() > kMaxLineBytes) throw Error(where + ": the line is longer than 64 KiB.");
  json object = parse_json(line, where);
  if (!object.is_object())
    throw Error(where + R"(: not a JSON object such as {"prompt": "…", "split": "train"}.)");
  for (const auto& [key, value] : object.items())
    if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end())
      throw Error(where + ": " + unknown_name("key", key, kKeys));
  return object;
}

size_t split_of(const json& object, const std::string& where) {
  const std::string split = text_of(object, "split", where);
  const auto found = std::find(kSplits.begin(), kSplits.end(), split);
  if (found == kSplits.end())
    throw Error(where + ": 'split' must be train, validation, test or calibration, not '" + split + "'.");
  return static_cast<size_t>(found - kSplits.begin());
}

template <class T>
void cut(std::vector<T>& items, int64_t wanted, const char* split, const std::string& where) {
  if (wanted == 0) return;
  const auto have = static_cast<int64_t>(items.size());
  if (wanted > have)
    throw Error(where + " has " + std::to_string(have) + " contexts in split " + split + ", fewer than the " +
                std::to_string(wanted) + " asked for with --" + split + ".");
  items.resize(static_cast<size_t>(wanted));
}

}  // namespace

const std::vector<Context>& ContextSet::split(const std::string& name) const {
  if (name == "train") return train;
  if (name == "validation") return validation;
  if (name == "test") return test;
  TORCH_CHECK(name == "calibration", "no split ", name);
  return calibration;
}

ContextSet read_contexts(const std::filesystem::path& file) {
  std::istringstream lines(read_file(file, kMaxFileBytes));
  ContextSet set;
  std::vector<Context>* const splits[] = {&set.train, &set.validation, &set.test, &set.calibration};
  std::unordered_map<std::string, std::pair<size_t, size_t>> seen;  // context -> split, line
  size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::string where = file.string() + ":" + std::to_string(++number);
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (seen.size() >= kMaxContexts) throw Error(where + ": more than 200000 contexts; split the file.");
    const json object = parse_line(line, where);
    Context context{text_of(object, "prompt", where), text_of(object, "system", where),
                    turns_of(object, where)};
    if (context.prompt.find_first_not_of(" \t\r\n") == std::string::npos)
      throw Error(where + ": 'prompt' is missing or empty.");
    const size_t split = split_of(object, where);
    const auto [first, fresh] = seen.try_emplace(context_to_json(context).dump(), split, number);
    if (!fresh && first->second.first != split)
      throw Error(where + ": the same context is in split " + kSplits[first->second.first] + " on line " +
                  std::to_string(first->second.second) + "; held-out contexts must be in one split only.");
    splits[split]->push_back(std::move(context));
  }
  return set;
}

ContextSet take(const ContextSet& all, const SplitSizes& sizes, const std::string& where) {
  ContextSet taken = all;
  cut(taken.train, sizes.train, "train", where);
  cut(taken.validation, sizes.validation, "validation", where);
  cut(taken.test, sizes.test, "test", where);
  if (taken.train.empty()) throw Error(where + " has no context with \"split\": \"train\" to optimize on.");
  if (taken.test.empty()) throw Error(where + " has no context with \"split\": \"test\" to report on.");
  return taken;
}

json context_to_json(const Context& context) {
  json object = {{"prompt", context.prompt}};
  if (!context.system.empty()) object["system"] = context.system;
  for (const Turn& turn : context.earlier)
    object["earlier"].push_back({{"user", turn.user}, {"assistant", turn.assistant}});
  return object;
}

}  // namespace hijack
