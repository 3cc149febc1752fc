#include "src/experiment/run_folder.h"

#include <unistd.h>

#include <cstdlib>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/json.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int64_t kMaxRowsBytes = int64_t{4} << 30;

/// Drops an incomplete last line and the lines that `keep` refuses; rewrites the file only when it must.
void filter_lines(const fs::path& file, const std::function<bool(const json&)>& keep) {
  if (!fs::exists(file)) return;
  const std::string before = read_file(file, kMaxRowsBytes);
  std::string after;
  for (size_t begin = 0; begin < before.size();) {
    const size_t end = before.find('\n', begin);
    if (end == std::string::npos) break;
    const std::string line = before.substr(begin, end + 1 - begin);
    const json row = json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (row.is_object() && keep(row)) after += line;
    begin = end + 1;
  }
  if (after != before) write_file(file, after);
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
  fs::path existing = fs::absolute(folder);
  while (!fs::exists(existing)) existing = existing.parent_path();
  if (!can_make_folders_in(existing))
    throw Error("The folder '" + folder.string() + "' cannot be written; choose another --out.");
}

fs::path free_run_folder(const std::string& name) {
  fs::path folder = fs::path("runs") / name;
  for (int copy = 2; fs::exists(folder); ++copy)
    folder = fs::path("runs") / (name + "-" + std::to_string(copy));
  return folder;
}

RunFolder RunFolder::create(const fs::path& folder, const json& manifest) {
  check_new_run(folder);
  std::error_code error;
  fs::create_directories(folder / "images", error);
  if (error) throw Error("The folder '" + folder.string() + "' cannot be written: " + error.message() + ".");
  RunFolder run(folder);
  run.write_manifest(manifest);
  return run;
}

RunFolder RunFolder::open(const fs::path& folder) {
  if (!fs::exists(folder / "manifest.json"))
    throw Error("'" + folder.string() + "' holds no run (there is no manifest.json).");
  RunFolder run(folder);
  run.clean_up();
  return run;
}

void RunFolder::clean_up() {
  filter_lines(path_ / "trials.jsonl", [&](const json& row) {
    return row.contains("id") && row["id"].is_string() &&
           finished_.insert(row["id"].get<std::string>()).second;
  });
  filter_lines(path_ / "replies.jsonl", [&](const json& row) {
    return row.contains("trial") && row["trial"].is_string() &&
           finished_.contains(row["trial"].get<std::string>());
  });
}

json RunFolder::manifest() const {
  const fs::path file = path_ / "manifest.json";
  const json manifest = read_json(file);
  if (!manifest.is_object()) throw Error(file.string() + " is not a JSON object; the run is damaged.");
  return manifest;
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
  RowWriter writer(path_ / "replies.jsonl");
  for (const ReplyRow& reply : replies) writer.write(to_json(reply));
}

void RunFolder::add_trial(const TrialRow& row, std::span<const ReplyRow> replies) {
  add_replies(replies);
  RowWriter(path_ / "trials.jsonl").write(to_json(row));
  finished_.insert(row.id);
  std::error_code ignored;
  fs::remove(checkpoint(row.id), ignored);
  if (fs::is_empty(path_ / "checkpoints", ignored)) fs::remove(path_ / "checkpoints", ignored);
}

void RunFolder::discard_if_untouched() const {
  std::error_code ignored;
  const bool untouched = finished_.empty() && !fs::exists(path_ / "trials.jsonl") &&
                         (!fs::exists(path_ / "checkpoints") || fs::is_empty(path_ / "checkpoints", ignored));
  if (!untouched) return;
  fs::remove(path_ / "manifest.json", ignored);
  // Each only if it is empty: a folder of the user's own stays.
  for (const fs::path& folder : {path_ / "checkpoints", path_ / "images", path_}) fs::remove(folder, ignored);
}

}  // namespace hijack
