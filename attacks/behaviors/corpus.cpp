#include "attacks/behaviors/corpus.h"

#include "attacks/behaviors/text.h"
#include "src/base/csv.h"
#include "src/base/error.h"
#include "src/base/file.h"

namespace hijack {
namespace {

constexpr size_t kMaxTargets = 10'000;
constexpr int64_t kMaxFileBytes = int64_t{16} << 20;

std::vector<std::string> lines_of(const std::filesystem::path& file) {
  std::istringstream text(read_file(file, kMaxFileBytes));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> target_column(const std::filesystem::path& file) {
  const CsvTable table = read_csv(file);
  const auto column = table.column("target");
  if (!column) throw Error(file.string() + " has no column 'target'; name it in the first line.");
  std::vector<std::string> values;
  for (const CsvTable::Row& row : table.rows) values.push_back(row.fields[*column]);
  return values;
}

}  // namespace

CorpusBehavior::CorpusBehavior(std::vector<std::string> targets) : targets_(std::move(targets)) {
  if (targets_.empty()) throw Error("behavior corpus has no targets: give at least one with --targets FILE.");
}

bool CorpusBehavior::succeeded(const Context&, const Generated& reply) const {
  return !reply.cut &&
         std::any_of(targets_.begin(), targets_.end(),
                     [text = strip(reply.text)](const std::string& target) { return text == target; });
}

bool CorpusBehavior::matches_substring(const Context&, const Generated& reply) const {
  return std::any_of(targets_.begin(), targets_.end(),
                     [&](const std::string& target) { return contains_words(reply.text, target); });
}

std::vector<std::string> read_targets(const std::filesystem::path& file) {
  std::vector<std::string> targets;
  for (const std::string& line : file.extension() == ".csv" ? target_column(file) : lines_of(file)) {
    const std::string target = strip(line);
    if (!target.empty() && std::find(targets.begin(), targets.end(), target) == targets.end())
      targets.push_back(target);
    if (targets.size() > kMaxTargets)
      throw Error(file.string() + " has more than 10000 targets; give fewer.");
  }
  if (targets.empty()) throw Error(file.string() + " holds no target: write one sentence per line.");
  return targets;
}

}  // namespace hijack
