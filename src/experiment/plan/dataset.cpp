#include "src/experiment/plan/dataset.h"

#include "src/base/csv.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/nearest.h"
#include "src/experiment/plan/json_lines.h"

namespace hijack {
namespace {

using nlohmann::json;

constexpr int64_t kMaxFileBytes = int64_t{64} << 20;
constexpr size_t kMaxContexts = 200'000;
constexpr size_t kMaxTurns = 64;
constexpr size_t kMaxTemplates = 10'000;

const std::vector<std::string> kSplits = {"train", "validation", "test", "calibration"};
const std::vector<std::string> kKeys = {"prompt", "split", "system", "earlier", "target"};
const std::vector<std::string> kTemplateKeys = {"system", "earlier"};
const std::vector<std::string> kColumns = {"goal", "prompt", "target", "system", "split"};
constexpr size_t kTrain = 0, kValidation = 1, kTest = 2;  // places in kSplits
/// Of a corpus that does not name its splits.
constexpr size_t kDealt[] = {kTrain, kTest, kTrain, kValidation};

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

size_t split_of(const std::string& split, const std::string& where) {
  const auto found = std::find(kSplits.begin(), kSplits.end(), split);
  if (found == kSplits.end())
    throw Error(where + ": 'split' must be train, validation, test or calibration, not '" + split + "'.");
  return static_cast<size_t>(found - kSplits.begin());
}

/// The contexts read so far, none in two splits or with two targets.
class Corpus {
 public:
  bool empty() const { return seen_.empty(); }
  bool knows(const Context& context) const { return seen_.contains(context_to_json(context).dump()); }
  size_t size() const { return seen_.size(); }

  void add(Context context, size_t split, const std::string& target, size_t line, const std::string& where) {
    if (seen_.size() >= kMaxContexts) throw Error(where + ": more than 200000 contexts; split the file.");
    if (blank(context.prompt)) throw Error(where + ": 'prompt' is missing or empty.");
    const auto [found, fresh] =
        seen_.try_emplace(context_to_json(context).dump(), First{split, line, target});
    const First& first = found->second;
    if (!fresh && first.split != split)
      throw Error(where + ": the same context is in split " + kSplits[first.split] + " on line " +
                  std::to_string(first.line) + "; held-out contexts must be in one split only.");
    if (!fresh && first.target != target)
      throw Error(where + ": the same context has another target on line " + std::to_string(first.line) +
                  "; give each context one.");
    if (!fresh)
      throw Error(where + ": the same context is on line " + std::to_string(first.line) +
                  " already; each counts once: delete one of the two lines.");
    if (!target.empty()) set_.targets.emplace_back(context, target);
    std::vector<Context>* const splits[] = {&set_.train, &set_.validation, &set_.test, &set_.calibration};
    splits[split]->push_back(std::move(context));
  }

  ContextSet take_set() { return std::move(set_); }

 private:
  struct First {
    size_t split, line;
    std::string target;
  };
  ContextSet set_;
  std::unordered_map<std::string, First> seen_;
};

void read_corpus_lines(const std::filesystem::path& file, Corpus& corpus) {
  const JsonLinesForm form{kMaxFileBytes, kKeys, R"({"prompt": "…", "split": "train"})"};
  read_json_lines(file, form, [&](const json& object, size_t number, const std::string& where) {
    Context context{text_of(object, "prompt", where), text_of(object, "system", where),
                    turns_of(object, where)};
    const std::string target = text_of(object, "target", where);
    if (object.contains("target") && blank(target))
      throw Error(where + ": 'target' is empty; leave it out, or say what the model shall reply.");
    corpus.add(std::move(context), split_of(text_of(object, "split", where), where), target, number, where);
  });
}

/// Where the columns of a corpus are.
struct Columns {
  size_t prompt;
  std::optional<size_t> target, system, split;
};

Columns columns_of(const CsvTable& table, const std::string& where) {
  for (const std::string& name : table.columns)
    if (std::none_of(kColumns.begin(), kColumns.end(),
                     [&](const std::string& known) { return table.column(known) == table.column(name); }))
      throw Error(where + ":1: " + unknown_name("column", name, kColumns));
  const auto goal = table.column("goal"), prompt = table.column("prompt");
  if (!goal && !prompt)
    throw Error(where +
                ":1: there is no column 'goal' (or 'prompt'); the first line must name the columns, "
                "like goal,target.");
  return {goal ? *goal : *prompt, table.column("target"), table.column("system"), table.column("split")};
}

void read_csv_rows(const std::filesystem::path& file, Corpus& corpus) {
  const CsvTable table = read_csv(file);
  const Columns columns = columns_of(table, file.string());
  for (const CsvTable::Row& row : table.rows) {
    const std::string where = file.string() + ":" + std::to_string(row.line);
    const auto text = [&](std::optional<size_t> column) { return column ? row.fields[*column] : ""; };
    Context context{text(columns.prompt), text(columns.system), {}};
    if (!columns.split && corpus.knows(context)) continue;
    const size_t split =
        columns.split ? split_of(text(columns.split), where) : kDealt[corpus.size() % std::size(kDealt)];
    if (columns.target && blank(text(columns.target)))
      throw Error(where + ": 'target' is empty; say what the model shall reply.");
    corpus.add(std::move(context), split, text(columns.target), row.line, where);
  }
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
  Corpus corpus;
  if (file.extension() == ".csv")
    read_csv_rows(file, corpus);
  else
    read_corpus_lines(file, corpus);
  if (corpus.empty()) throw Error(file.string() + " holds no contexts: write one prompt per line.");
  return corpus.take_set();
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

std::vector<ChatSetting> read_templates(const std::filesystem::path& file) {
  std::vector<ChatSetting> settings;
  std::set<std::string> seen;
  const JsonLinesForm form{kMaxFileBytes, kTemplateKeys, R"({"system": "…"})"};
  read_json_lines(file, form, [&](const json& object, size_t, const std::string& where) {
    if (!seen.insert(object.dump()).second)
      throw Error(where + ": the same chat template stands here again; each is drawn equally often.");
    if (seen.size() > kMaxTemplates)
      throw Error(where + ": more than 10000 chat templates; shorten the file.");
    settings.push_back({text_of(object, "system", where), turns_of(object, where)});
  });
  if (settings.empty())
    throw Error(file.string() + R"( holds no chat templates: write one {"system": "…"} per line.)");
  return settings;
}

json context_to_json(const Context& context) {
  json object = {{"prompt", context.prompt}};
  if (!context.system.empty()) object["system"] = context.system;
  for (const Turn& turn : context.earlier)
    object["earlier"].push_back({{"user", turn.user}, {"assistant", turn.assistant}});
  return object;
}

std::vector<Context> first_of_split(const ContextSet& all, const std::string& split, int64_t limit) {
  std::vector<Context> found = all.split(split);
  if (limit > 0 && static_cast<int64_t>(found.size()) > limit) found.resize(static_cast<size_t>(limit));
  if (found.empty())
    throw Error("the contexts have none with \"split\": \"" + split + "\"; choose another --split.");
  return found;
}

}  // namespace hijack
