#include "src/experiment/record/results.h"

#include <unistd.h>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/gzip.h"
#include "src/experiment/plan/identity.h"
#include "src/experiment/record/inside.h"
#include "src/experiment/record/judgments.h"
#include "src/experiment/record/probes.h"

namespace hijack {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

// Far above anything a run writes; a hostile file is refused before it fills the memory.
constexpr size_t kMaxLine = size_t{32} << 20;
constexpr uintmax_t kMaxFile = uintmax_t{2} << 30;
constexpr int64_t kMaxUnpacked = int64_t{1} << 30;
constexpr size_t kMaxRows = 4'000'000;
constexpr int kMaxDepth = 64;
constexpr int64_t kMaxManifest = int64_t{16} << 20;

/// Parses one document; nullopt when it is not JSON or nested deeper than kMaxDepth.
std::optional<Json> parse(std::string_view text) {
  bool too_deep = false;
  const auto limit = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > kMaxDepth) too_deep = true;
    return !too_deep;
  };
  Json json = Json::parse(text, limit, /*allow_exceptions=*/false);
  if (json.is_discarded() || too_deep) return std::nullopt;
  return json;
}

/// Reads up to the next '\n'. `complete` tells whether it was there. False at the end of the file.
bool next_line(std::istream& in, std::string& line, bool& complete, const std::string& where) {
  line.clear();
  complete = false;
  for (int c = in.get(); c != std::istream::traits_type::eof(); c = in.get()) {
    if (c == '\n') {
      complete = true;
      return true;
    }
    line.push_back(static_cast<char>(c));
    if (line.size() > kMaxLine)
      throw Error(where + ": the line is longer than 32 MiB, so this is not a row file of hijack");
  }
  return !line.empty();
}

/// Throws Error unless the row is as it was written.
void verify(Json row, const std::string& where) {
  if (!row.is_object()) throw Error(where + ": the row must be an object");
  const auto found = row.find("check");
  if (found == row.end())
    throw Error(where + ": the row has no check; it was written by an older version, so run it again");
  const Json check = *found;
  row.erase(found);
  if (check != digest_of(row))
    throw Error(where +
                ": the row was changed after it was written (its check differs); put the old file back, or "
                "delete the row and make it again");
}

/// A file of rows, or what a packed one ("replies.jsonl.gz", as results are passed on) holds; null when there
/// is neither.
std::unique_ptr<std::istream> opened(const fs::path& file) {
  const fs::path packed = file.string() + ".gz";
  if (!fs::exists(file) && fs::exists(packed))
    return std::make_unique<std::istringstream>(read_gzip(packed, kMaxUnpacked));
  if (!fs::exists(file)) return nullptr;
  auto in = std::make_unique<std::ifstream>(file, std::ios::binary);
  if (!*in || !fs::is_regular_file(file))
    throw Error("cannot read " + file.string() + "; check its permissions");
  if (fs::file_size(file) > kMaxFile)
    throw Error(file.string() + " is larger than 2 GiB; split the run into several");
  return in;
}

template <class Row>
std::vector<Row> read_rows(const fs::path& file, Row (*from_json)(const Json&, const std::string&),
                           std::vector<std::string>& damage) {
  std::vector<Row> rows;
  const std::unique_ptr<std::istream> stream = opened(file);
  if (!stream) return rows;
  std::istream& in = *stream;
  std::string line;
  bool complete = false;
  for (size_t number = 1;; ++number) {
    const std::string where = file.string() + ":" + std::to_string(number);
    if (!next_line(in, line, complete, where)) break;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::optional<Json> json = parse(line);
    if (!json && !complete) {  // a killed run was writing this line
      damage.push_back(where + ": the last row was cut off in its middle and is left out");
      break;
    }
    if (!json) throw Error(where + ": the line is not JSON; delete it to go on without this row");
    if (rows.size() == kMaxRows)
      throw Error(where + ": more than 4 million rows; split the run into several");
    verify(*json, where);
    rows.push_back(from_json(*json, where));
  }
  return rows;
}

/// The endings of the row files: "" and ".0", ".1", ... of the processes of a group, by number.
std::vector<std::string> parts_of(const fs::path& folder) {
  std::set<unsigned long> workers;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    constexpr std::string_view kFirst = "trials.", kLast = ".jsonl";
    if (!name.starts_with(kFirst) || !name.ends_with(kLast) ||
        name.size() <= kFirst.size() + kLast.size() - 1)
      continue;
    const std::string number = name.substr(kFirst.size(), name.size() - kFirst.size() - kLast.size());
    if (number.size() <= 6 && number.find_first_not_of("0123456789") == std::string::npos)
      workers.insert(std::stoul(number));
  }
  std::vector<std::string> parts = {""};
  for (const unsigned long worker : workers) parts.push_back("." + std::to_string(worker));
  return parts;
}

/// Trials in the order of the manifest's plans; others stay behind them in their order.
void sort_by_plan(RunRecord& record) {
  std::map<std::string, size_t> place;
  const Json plans = record.manifest.value("plans", Json::array());
  for (size_t i = 0; plans.is_array() && i < plans.size(); ++i)
    if (plans[i].is_object() && plans[i].contains("id") && plans[i]["id"].is_string())
      place.emplace(plans[i]["id"].get<std::string>(), i);
  const auto rank = [&](const TrialRow& row) {
    const auto found = place.find(row.id);
    return found == place.end() ? plans.size() : found->second;
  };
  std::stable_sort(record.trials.begin(), record.trials.end(),
                   [&](const TrialRow& a, const TrialRow& b) { return rank(a) < rank(b); });
}

/// Rows of all processes. A process's replies to a trial count when its row of the trial does.
void read_parts(RunRecord& record) {
  std::map<std::string, std::string> owner;  // trial: the part that has its row
  const auto parts = parts_of(record.folder);
  for (const std::string& part : parts)
    for (TrialRow& row :
         read_rows<TrialRow>(record.folder / ("trials" + part + ".jsonl"), trial_from_json, record.damage))
      if (parts.size() == 1 || owner.emplace(row.id, part).second) record.trials.push_back(std::move(row));
  for (const std::string& part : parts)
    for (ReplyRow& row :
         read_rows<ReplyRow>(record.folder / ("replies" + part + ".jsonl"), reply_from_json, record.damage)) {
      const auto found = owner.find(row.trial);
      if (part.empty() || (found != owner.end() && found->second == part))
        record.replies.push_back(std::move(row));
    }
  if (parts.size() > 1) sort_by_plan(record);
}

/// What the rows of trials behind defenses bring, in the places where evaluate keeps it.
void join_stacks(RunRecord& record) {
  for (const TrialRow& trial : record.trials) {
    if (!trial.stack.is_object()) continue;
    const std::string digest = trial.stack.value("digest", "");
    record.manifest["stacks"][digest] = trial.stack.value("record", Json::object());
    Json& list = record.manifest["calibrations"];
    for (const Json& entry : trial.stack.value("calibrations", Json::array()))
      if (std::find(list.begin(), list.end(), entry) == list.end()) list.push_back(entry);
  }
}

/// Makes the file end after a whole row: a half-written last line is cut off, a missing line end is added.
void repair_end(const fs::path& file) {
  if (!fs::exists(file) || fs::file_size(file) == 0) return;
  std::string tail;
  uintmax_t start = fs::file_size(file);
  {
    std::ifstream in(file, std::ios::binary);
    constexpr uintmax_t kBlock = 65536;
    while (start > 0) {
      const uintmax_t length = std::min(kBlock, start);
      std::string block(length, '\0');
      in.seekg(static_cast<std::streamoff>(start - length));
      if (!in.read(block.data(), static_cast<std::streamsize>(length)))
        throw Error("cannot read " + file.string() + "; check its permissions");
      const size_t end = block.rfind('\n');
      if (end != std::string::npos) {
        start = start - length + end + 1;
        tail.insert(0, block, end + 1);
        break;
      }
      start -= length;
      tail.insert(0, block);
    }
  }
  if (tail.empty()) return;
  if (parse(tail))
    std::ofstream(file, std::ios::binary | std::ios::app) << '\n';
  else
    fs::resize_file(file, start);
}

}  // namespace

RunRecord read_run(const fs::path& folder) {
  if (!fs::is_directory(folder)) throw Error(folder.string() + " is not a folder; give a run folder");
  const fs::path manifest = folder / "manifest.json";
  if (!fs::is_regular_file(manifest))
    throw Error(folder.string() + " is not a run folder: it holds no manifest.json");
  RunRecord record;
  record.folder = folder;
  const std::optional<Json> json = parse(read_file(manifest, kMaxManifest));
  if (!json || !json->is_object())
    throw Error(manifest.string() + " is not a JSON object; the run is damaged");
  record.manifest = *json;
  read_parts(record);
  record.judgments = read_rows<JudgmentRow>(folder / "judgments.jsonl", judgment_from_json, record.damage);
  record.inside = read_rows<InsideRow>(folder / kInsideFile, inside_from_json, record.damage);
  record.probes = read_rows<ProbeRow>(folder / kProbesFile, probe_from_json, record.damage);
  record.features = read_rows<FeatureRow>(folder / "features.jsonl", features_from_json, record.damage);
  join_stacks(record);
  return record;
}

std::map<std::string, std::string> finished_trials(const fs::path& folder) {
  std::map<std::string, std::string> trials;
  std::vector<std::string> ignored;
  for (const std::string& part : parts_of(folder))
    for (const TrialRow& row :
         read_rows<TrialRow>(folder / ("trials" + part + ".jsonl"), trial_from_json, ignored))
      trials.emplace(row.id, row.trial_digest);
  return trials;
}

RowWriter::RowWriter(const fs::path& file) : file_(file) {
  repair_end(file_);
  // a file appears with its first row: what is refused afterwards leaves none
  const bool writable = fs::exists(file_) ? std::ofstream(file_, std::ios::binary | std::ios::app).good()
                                          : access(file_.parent_path().c_str(), W_OK) == 0;
  if (!writable)
    throw Error("cannot write " + file_.string() + "; check that the folder exists and is writable");
}

Json checked(Json row) {
  row["check"] = digest_of(row);
  return row;
}

void RowWriter::write(const Json& unchecked) {
  const Json row = checked(unchecked);
  // Replies are any bytes: what is not UTF-8 becomes U+FFFD. NaN and infinity become null.
  const std::string line = row.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
  std::error_code no_file;
  const uintmax_t before = fs::file_size(file_, no_file);
  std::ofstream out(file_, std::ios::binary | std::ios::app);
  out.write(line.data(), static_cast<std::streamsize>(line.size()));
  out.flush();
  if (out) return;
  out.close();
  if (!no_file) fs::resize_file(file_, before, no_file);  // leave no half line behind
  throw Failure("cannot write a row to " + file_.string() + "; is the disk full?");
}

}  // namespace hijack
