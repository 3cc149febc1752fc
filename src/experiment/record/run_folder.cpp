#include "src/experiment/record/run_folder.h"

#include <unistd.h>

#include <cstdlib>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/json.h"
#include "src/experiment/record/manifest.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int64_t kMaxRowsBytes = int64_t{4} << 30;

/// Drops an incomplete last line and the lines that `keep` refuses; rewrites the file only when it must.
/// Returns whether a line was cut in its middle.
bool filter_lines(const fs::path& file, const std::function<bool(const json&)>& keep) {
  if (!fs::exists(file)) return false;
  bool cut = false;
  const std::string before = read_file(file, kMaxRowsBytes);
  std::string after;
  for (size_t begin = 0; begin < before.size();) {
    const size_t end = before.find('\n', begin);
    cut = end == std::string::npos;
    if (cut) break;
    const std::string line = before.substr(begin, end + 1 - begin);
    const json row = json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (row.is_object() && keep(row)) after += line;
    begin = end + 1;
  }
  if (after != before) write_file(file, after);
  return cut;
}

/// "/a/b" of "b/", "./b" and "/a/b".
fs::path plain(const fs::path& folder) {
  const fs::path whole = fs::absolute(folder).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

/// The folder itself, or its nearest parent that is there.
fs::path last_existing(const fs::path& folder) {
  fs::path existing = plain(folder);
  while (!fs::exists(existing)) existing = existing.parent_path();
  return existing;
}

/// Tried, not asked: permissions alone do not tell about read-only or special file systems.
bool can_make_folders_in(const fs::path& folder) {
  std::string probe = (folder / ".hijack-XXXXXX").string();
  if (!mkdtemp(probe.data())) return false;
  rmdir(probe.c_str());
  return true;
}

}  // namespace

void check_new_run(const fs::path& folder) {
  if (folder.empty()) throw Error("--out needs the name of a folder.");
  if (fs::exists(folder) && !fs::is_directory(folder))
    throw Error("'" + folder.string() + "' is a file; --out takes a folder.");
  for (const char* name : {"manifest.json", "trials.jsonl", "replies.jsonl"})
    if (fs::exists(folder / name))
      throw Error("The folder '" + folder.string() +
                  "' already holds another run; choose another --out, or go on with that run by --resume.");
  if (!can_make_folders_in(last_existing(folder)))
    throw Error("The folder '" + folder.string() + "' cannot be written; choose another --out.");
}

fs::path free_run_folder(const std::string& name) {
  fs::path folder = fs::path("runs") / name;
  for (int copy = 2; fs::exists(folder); ++copy)
    folder = fs::path("runs") / (name + "-" + std::to_string(copy));
  return folder;
}

RunFolder RunFolder::create(const fs::path& folder, const std::string& command,
                            const std::vector<TrialPlan>& plans) {
  check_new_run(folder);
  const RunInputs inputs = RunInputs::of_plans(plans);
  const json manifest = make_manifest(command, plans, inputs);
  RunFolder run(folder);
  run.created_ = true;
  run.made_below_ = last_existing(folder);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    run.before_.insert(entry.path().filename().string());
  fs::create_directories(folder / "images", error);
  if (error) throw Error("The folder '" + folder.string() + "' cannot be written: " + error.message() + ".");
  try {
    run.lock_ = lock_folder(folder);
    inputs.copy_into(folder);
    run.write_manifest(manifest);
  } catch (...) {
    run.discard_if_untouched();
    throw;
  }
  return run;
}

RunFolder RunFolder::open(const fs::path& folder) {
  if (!fs::exists(folder / "manifest.json"))
    throw Error("'" + folder.string() + "' holds no run (there is no manifest.json).");
  RunFolder run(folder);
  run.lock_ = lock_folder(folder);
  run.clean_up();
  return run;
}

RunFolder RunFolder::open_for_worker(const fs::path& folder, int64_t worker) {
  if (!fs::exists(folder / "manifest.json"))
    throw Error("'" + folder.string() + "' holds no run (there is no manifest.json).");
  RunFolder run(folder);
  run.worker_ = std::to_string(worker);
  run.lock_ = lock_folder(folder, run.worker_);
  run.clean_up();
  return run;
}

RunFolder RunFolder::open_to_read(const fs::path& folder) {
  if (!fs::exists(folder / "manifest.json"))
    throw Error("'" + folder.string() +
                "' holds no run that this process can see (there is no manifest.json).");
  RunFolder run(folder);
  run.finished_ = finished_trials(folder);
  return run;
}

fs::path RunFolder::rows(const std::string& kind) const {
  return path_ / (kind + (worker_.empty() ? "" : "." + worker_) + ".jsonl");
}

void RunFolder::clean_up() {
  fs::create_directories(path_ / "images");  // results are passed on without them
  const auto repair = [&](const fs::path& file, const std::function<bool(const json&)>& keep) {
    if (filter_lines(file, keep))
      repairs_.push_back(file.string() +
                         " ended in the middle of a row: that row is dropped and made again.");
  };
  std::map<std::string, std::string> own;
  repair(rows("trials"), [&](const json& row) {
    const auto text = [&](const char* key) {
      return row.contains(key) && row[key].is_string() ? row[key].get<std::string>() : std::string();
    };
    return !text("id").empty() && own.emplace(text("id"), text("trial_digest")).second;
  });
  finished_ = own;
  finished_.merge(finished_trials(path_));
  // The only process also evaluates the trials of others.
  const auto& known = worker_.empty() ? finished_ : own;
  repair(rows("replies"), [&](const json& row) {
    return row.contains("trial") && row["trial"].is_string() &&
           known.contains(row["trial"].get<std::string>());
  });
}

json RunFolder::manifest() const {
  const fs::path file = path_ / "manifest.json";
  const json manifest = read_json(file);
  if (!manifest.is_object()) throw Error(file.string() + " is not a JSON object; the run is damaged.");
  return manifest;
}

RunInputs RunFolder::inputs() const {
  return RunInputs::of_run(path_, manifest(), moved_models_);
}

std::vector<TrialPlan> RunFolder::plans() const {
  return inputs().plans(manifest().value("plans", json()), (path_ / "manifest.json").string());
}

bool RunFolder::done(const TrialPlan& plan) const {
  const auto found = finished_.find(plan.id);
  if (found == finished_.end()) return false;
  if (found->second != plan.identity.trial_digest)
    throw Error(
        "'" + path_.string() + "' has a row " + plan.id +
        " that was made with other settings, weights or photos (its digest differs); begin a new run.");
  return true;
}

void RunFolder::write_manifest(const json& manifest) const {
  write_file(path_ / "manifest.json", manifest.dump(2) + "\n");
}

std::string RunFolder::image_name(const std::string& id, const std::string& kind) {
  return "images/" + id + (kind.empty() ? "" : "." + kind) + ".png";
}

fs::path RunFolder::checkpoint(const std::string& id) const {
  return path_ / "checkpoints" / (id + ".safetensors");
}

void RunFolder::add_replies(std::span<const ReplyRow> replies) const {
  RowWriter writer(rows("replies"));
  for (const ReplyRow& reply : replies) writer.write(to_json(reply));
}

void RunFolder::add_trial(const TrialRow& row, std::span<const ReplyRow> replies) {
  add_replies(replies);
  RowWriter(rows("trials")).write(to_json(row));
  finished_.emplace(row.id, row.trial_digest);
  std::error_code ignored;
  fs::remove(checkpoint(row.id), ignored);
  // Another process of a group may be about to write there.
  if (worker_.empty() && fs::is_empty(path_ / "checkpoints", ignored))
    fs::remove(path_ / "checkpoints", ignored);
}

void RunFolder::discard_if_untouched() {
  std::error_code ignored;
  const fs::path checkpoints = path_ / "checkpoints";
  const bool untouched = finished_.empty() && !fs::exists(path_ / "calls.jsonl") &&
                         !fs::exists(path_ / "trials.jsonl") &&
                         (!fs::exists(checkpoints) || fs::is_empty(checkpoints, ignored));
  if (!created_ || !untouched) return;
  created_ = false;
  std::vector<fs::path> ours;
  for (const auto& entry : fs::directory_iterator(path_, ignored))
    if (!before_.contains(entry.path().filename().string())) ours.push_back(entry.path());
  for (const fs::path& one : ours) fs::remove_all(one, ignored);
  // Empty folders only: those of the user's own stay.
  for (fs::path folder = plain(path_); folder != made_below_; folder = folder.parent_path())
    if (!fs::remove(folder, ignored)) break;
}

}  // namespace hijack
