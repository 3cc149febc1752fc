#include "src/experiment/plan/test_sets.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/registry.h"
#include "src/experiment/plan/identity.h"
#include "src/experiment/plan/test_set_readers.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;

std::vector<TestCase> read_advbench(const fs::path& path) {
  return read_csv_set(file_of_set(path, {"harmful_behaviors.csv", "advbench.csv"}), {"goal", "target"});
}
std::vector<TestCase> read_jailbreakbench(const fs::path& path) {
  return read_csv_set(file_of_set(path, {"harmful-behaviors.csv", "benign-behaviors.csv", "behaviors.csv"}),
                      {"Goal", "Target", "Category"});
}
std::vector<TestCase> read_strongreject(const fs::path& path) {
  return read_csv_set(file_of_set(path, {"strongreject_dataset.csv", "strongreject_small_dataset.csv"}),
                      {"forbidden_prompt", "", "category"});
}
std::vector<TestCase> read_jailbreakv(const fs::path& path) {
  return read_csv_set(file_of_set(path, {"JailBreakV_28K.csv", "mini_JailBreakV_28K.csv"}),
                      {"jailbreak_query", "", "policy", "image_path"});
}
std::vector<TestCase> read_xstest(const fs::path& path) {
  return read_csv_set(file_of_set(path, {"xstest_prompts.csv", "xstest_v2_prompts.csv"}),
                      {"prompt", "", "type"});
}

struct TestSetKind {
  const char* name;
  std::vector<TestCase> (*read)(const fs::path& path);
  bool right_answers = false;
};
const Registry<TestSetKind> kTestSets("test set", {{"advbench", read_advbench},
                                                   {"harmbench", read_harmbench},
                                                   {"jailbreakbench", read_jailbreakbench},
                                                   {"strongreject", read_strongreject},
                                                   {"mm-safetybench", read_mm_safetybench},
                                                   {"jailbreakv-28k", read_jailbreakv},
                                                   {"figstep", read_figstep},
                                                   {"vlguard", read_vlguard},
                                                   {"xstest", read_xstest},
                                                   {"pope", read_pope, true},
                                                   {"mmbench", read_mmbench, true},
                                                   {"mm-vet", read_mm_vet},
                                                   {"omnisafebench-mm", read_omnisafebench}});

std::string lowered(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return text;
}

int64_t limit_of(const std::string& text, const std::string& whole) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 1)
    throw Error("'" + whole + "': limit must be a whole number of at least 1.");
  return value;
}

/// Each prompt once, or each with each of its pictures, and the chosen subset.
std::vector<TestCase> chosen_cases(std::vector<TestCase> all, const std::string& subset, bool pictures) {
  std::set<std::string> seen;
  std::vector<TestCase> cases;
  for (TestCase& one : all)
    if (lowered(one.subset).find(lowered(subset)) != std::string::npos &&
        seen.insert(pictures ? one.image + "\n" + one.prompt : one.prompt).second)
      cases.push_back(std::move(one));
  return cases;
}

std::vector<TestCase> read_chosen(const TestSetChoice& choice, bool pictures);

}  // namespace

std::vector<std::string> test_set_names() {
  return kTestSets.names();
}

bool names_test_set(const std::string& text) {
  const size_t colon = text.find(':');
  return colon != std::string::npos && kTestSets.find(text.substr(0, colon));
}

TestSetChoice parse_test_set(const std::string& text) {
  const size_t colon = text.find(':');
  TestSetChoice choice{kTestSets.at(text.substr(0, colon)).name, {}};
  if (colon == std::string::npos)
    throw Error("'" + text + "' names no folder: write " + choice.name + ":DIR.");
  std::string rest = text.substr(colon + 1);
  for (size_t comma = rest.rfind(','); comma != std::string::npos; comma = rest.rfind(',')) {
    const std::string setting = rest.substr(comma + 1);
    if (setting.starts_with("subset="))
      choice.subset = setting.substr(7);
    else if (setting.starts_with("limit="))
      choice.limit = limit_of(setting.substr(6), text);
    else
      break;  // a comma of the path
    rest.resize(comma);
  }
  choice.path = rest;
  if (rest.empty()) throw Error("'" + text + "' names no folder: write " + choice.name + ":DIR.");
  return choice;
}

std::vector<TestCase> read_test_set(const TestSetChoice& choice) {
  return read_chosen(choice, false);
}

std::vector<TestCase> read_test_set_with_pictures(const TestSetChoice& choice) {
  return read_chosen(choice, true);
}

bool has_right_answers(const std::string& set) {
  return kTestSets.at(set).right_answers;
}

namespace {

std::vector<TestCase> read_chosen(const TestSetChoice& choice, bool pictures) {
  std::vector<TestCase> all = kTestSets.at(choice.name).read(choice.path);
  if (all.empty()) throw Error("'" + choice.path.string() + "' holds no case of " + choice.name + ".");
  std::string subsets;
  std::set<std::string> known;
  for (const TestCase& one : all)
    if (!one.subset.empty() && known.insert(one.subset).second && known.size() <= 20)
      subsets += (subsets.empty() ? "" : ", ") + one.subset;
  std::vector<TestCase> cases = chosen_cases(std::move(all), choice.subset, pictures);
  if (cases.empty())
    throw Error("no case of '" + choice.path.string() + "' is of a subset '" + choice.subset +
                "'; there are: " + (subsets.empty() ? "none" : subsets) + ".");
  const auto limit = static_cast<size_t>(choice.limit);
  if (limit == 0 || limit >= cases.size()) return cases;
  std::vector<TestCase> some;
  for (size_t i = 0; i < limit; ++i) some.push_back(cases[i * cases.size() / limit]);
  return some;
}

}  // namespace

std::string test_set_contexts(const std::vector<TestCase>& cases) {
  constexpr const char* kSplits[] = {"train", "test", "train", "validation"};
  const bool targets =
      std::all_of(cases.begin(), cases.end(), [](const TestCase& one) { return !one.target.empty(); });
  std::string lines;
  for (size_t i = 0; i < cases.size(); ++i) {
    nlohmann::json line = {{"prompt", cases[i].prompt}, {"split", kSplits[i % std::size(kSplits)]}};
    if (targets) line["target"] = cases[i].target;
    lines += line.dump() + "\n";
  }
  return lines;
}

fs::path contexts_file(const std::string& text) {
  if (!names_test_set(text) || fs::exists(text)) return text;
  const TestSetChoice choice = parse_test_set(text);
  const std::string lines = test_set_contexts(read_test_set(choice));
  const fs::path file =
      fs::temp_directory_path() / ("hijack-" + choice.name + "-" + digest_of(lines) + ".jsonl");
  write_file(file, lines);
  return file;
}

}  // namespace hijack
