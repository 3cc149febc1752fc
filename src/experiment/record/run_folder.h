#pragma once
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "src/experiment/record/folder_lock.h"
#include "src/experiment/record/results.h"
#include "src/experiment/record/run_inputs.h"

namespace hijack {

/// Throws Error when `folder` holds another run, is a file, or cannot be created or written. Leaves no trace.
void check_new_run(const std::filesystem::path& folder);

/// "runs/NAME", or "runs/NAME-2", … : the first that does not exist.
std::filesystem::path free_run_folder(const std::string& name);

/// The folder of a run while it is written; results.h says what is in it. One process writes into it, or the
/// processes of one group, each into row files of its own (trials.2.jsonl, replies.2.jsonl): a second is
/// refused.
class RunFolder {
 public:
  /// Makes the folder (see check_new_run), copies the inputs into it and writes the manifest. What fails
  /// leaves nothing behind.
  static RunFolder create(const std::filesystem::path& folder, const std::string& command,
                          const std::vector<TrialPlan>& plans);
  /// A run to go on with. Removes what a killed run left half-done: an incomplete last line, and replies of
  /// trials that have no row yet. Throws Error when there is no run.
  static RunFolder open(const std::filesystem::path& folder);
  /// The same for process `worker` of a group: only its own files are cleaned up and written.
  static RunFolder open_for_worker(const std::filesystem::path& folder, int64_t worker);

  /// To read plans, inputs and checkpoints of a run that another process writes. Throws Error when there is
  /// none.
  static RunFolder open_to_read(const std::filesystem::path& folder);

  /// What opening had to repair, one sentence each.
  const std::vector<std::string>& repairs() const { return repairs_; }

  const std::filesystem::path& path() const { return path_; }
  nlohmann::json manifest() const;
  /// What the run is made from, verified (RunInputs::of_run), and its plans with files and models where they
  /// lie now. Reads everything anew at each call.
  RunInputs inputs() const;
  std::vector<TrialPlan> plans() const;
  /// Where models lie that were moved since the run began.
  void find_models(std::vector<std::string> folders) { moved_models_ = std::move(folders); }
  void write_manifest(const nlohmann::json& manifest) const;
  /// Trials that are done: their digests, by id.
  const std::map<std::string, std::string>& finished() const { return finished_; }
  /// Whether the plan has a row. Throws Error when the row of its id is that of another setting.
  bool done(const TrialPlan& plan) const;

  /// Relative to the folder: "images/ID.png", "images/ID.noise.png" with kind "noise".
  static std::string image_name(const std::string& id, const std::string& kind = "");
  std::filesystem::path checkpoint(const std::string& id) const;

  /// Replies first, then the trial's row, which makes it count as done; then the checkpoint is removed.
  void add_trial(const TrialRow& row, std::span<const ReplyRow> replies);
  void add_replies(std::span<const ReplyRow> replies) const;

  /// Removes what `create` and the work since then have made when no trial has got as far as a checkpoint or
  /// a row: nothing half-written stays. What was in the folder before stays; so does a run that was opened.
  void discard_if_untouched();

 private:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}
  void clean_up();
  std::filesystem::path rows(const std::string& kind) const;

  std::filesystem::path path_;
  std::string worker_;  ///< "" = the only process
  FolderLock lock_;
  std::map<std::string, std::string> finished_;
  std::vector<std::string> moved_models_;
  std::vector<std::string> repairs_;
  bool created_ = false;              ///< by this object, and not discarded since
  std::set<std::string> before_;      ///< what the folder held before that
  std::filesystem::path made_below_;  ///< the folder's last parent that was there before
};

}  // namespace hijack
