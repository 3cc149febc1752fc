#pragma once
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/experiment/plan/plan.h"

// What a run is made from. A run folder is its own record: photos, contexts, targets, masks, templates, fonts
// and feature images are copied into it and known by their hash; models stay where they are and are known by
// theirs. So a folder can be moved, and worked with from any directory.

namespace hijack {

/// The inputs of a run and how its manifest calls them:
///   inputs  {"inputs/1a2b3c4d-cat.png": {"sha256", "bytes", "name": "cat.png", as the user gave it}}
///   models  {HASH: {"folder": "/absolute/path" or, of shipped ones, "shipped:pocket", "name",
///           "chat_template": the file that has it or "none in the folder", "files": {name: sha256}}}
class RunInputs {
 public:
  /// Of new plans. Reads and hashes everything; writes nothing.
  static RunInputs of_plans(const std::vector<TrialPlan>& plans);
  /// What `models` keeps of a folder.
  static nlohmann::json model_entry(const std::string& folder);
  /// Of a run folder, each file compared with the hash in the manifest. `moved`: folders of models that are
  /// no longer where they were, told by their hash. Throws Error that names the first input that is missing
  /// or differs, and a folder of `moved` that is no model of this run.
  static RunInputs of_run(const std::filesystem::path& folder, const nlohmann::json& manifest,
                          const std::vector<std::string>& moved = {});

  /// Copies every file into the folder of the run. Throws Error when one is no longer what was hashed.
  void copy_into(const std::filesystem::path& folder) const;

  const nlohmann::json& files() const { return files_; }
  const nlohmann::json& models() const { return models_; }

  /// A plan as the manifest keeps it: {"id", "config", "setting_digest", "trial_digest"}, and back, with
  /// files and models where they lie now. Throws Error when the plan's digests are not those of its config
  /// and files.
  nlohmann::json to_json(const TrialPlan& plan) const;
  TrialPlan plan(const nlohmann::json& json, const std::string& where) const;
  nlohmann::json to_json(const std::vector<TrialPlan>& plans) const;
  std::vector<TrialPlan> plans(const nlohmann::json& list, const std::string& where) const;

 private:
  void find_files(const std::filesystem::path& folder, const std::string& where);
  void find_models(const std::vector<std::string>& moved, const std::string& where);
  void add_file(const std::string& file);
  void add_model(const std::string& folder);

  nlohmann::json files_ = nlohmann::json::object();
  nlohmann::json models_ = nlohmann::json::object();
  std::map<std::string, std::string> portable_;  ///< path on this machine: as in the manifest
  std::map<std::string, std::string> located_;   ///< and back
  std::map<std::string, std::string> names_;     ///< path on this machine: as the user gave it
};

}  // namespace hijack
