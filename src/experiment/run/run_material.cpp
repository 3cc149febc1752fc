#include "src/experiment/run/run_material.h"

#include "src/base/error.h"
#include "src/base/sha256.h"
#include "src/experiment/plan/identity.h"
#include "src/experiment/plan/machine.h"
#include "src/experiment/plan/methods.h"
#include "src/experiment/record/recorded_images.h"
#include "src/experiment/record/run_inputs.h"

namespace hijack {
namespace {

void add_images(RunMaterial& material, const std::filesystem::path& run, const TrialRow& trial,
                const AttackConfig& config) {
  const std::string name =
      run.filename().empty() ? run.parent_path().filename().string() : run.filename().string();
  const auto add = [&](const std::string& label, const std::string& file) {
    if (!file.empty())
      material.images.push_back({label, name + "/" + file, run / file, trial.id, trial.source_image});
  };
  const bool typographic = method_of(config) == Method::kTypographic;
  add("clean", trial.origin_file);
  add("noise", trial.noise_file);
  add(typographic ? "typographic" : "hijack", trial.image_file);
}

void check_one_model(const RunMaterial& material, const AttackConfig& config,
                     const std::filesystem::path& run, bool contexts_matter) {
  const auto differs = [&](const char* what) {
    throw Error("the trials of '" + run.string() + "' have different " + what + ": take runs of one each.");
  };
  if (model_key(config) != model_key(material.config)) differs("models");
  if (contexts_matter && config.contexts != material.config.contexts) differs("contexts files");
}

}  // namespace

std::string loaded_model_hash(const std::filesystem::path& folder, const LoadOptions& options) {
  std::string hash = model_hash(folder);
  if (options.vision_tower.empty() && options.adapter.empty()) return hash;
  for (const std::filesystem::path& more : {options.vision_tower, options.adapter})
    hash += "\n" + (more.empty() ? std::string() : model_hash(more));
  return sha256(hash);
}

RunMaterial read_run_material(const std::filesystem::path& run, const std::vector<std::string>& moved_models,
                              bool contexts_matter) {
  const RunRecord record = read_run(run);
  const RunInputs inputs = RunInputs::of_run(run, record.manifest, moved_models);
  std::map<std::string, AttackConfig> configs;
  for (TrialPlan& plan :
       inputs.plans(record.manifest.value("plans", nlohmann::json()), (run / "manifest.json").string()))
    configs.emplace(plan.id, std::move(plan.config));
  RunMaterial material;
  for (const TrialRow& trial : record.trials) {
    const auto found = configs.find(trial.id);
    if (found == configs.end() || without_images(trial)) continue;
    check_images(run, trial, Images::all);
    if (material.images.empty()) material.config = found->second;
    check_one_model(material, found->second, run, contexts_matter);
    add_images(material, run, trial, found->second);
    material.configs.emplace(trial.id, found->second);
    material.trials.push_back(trial);
  }
  if (material.images.empty())
    throw Error("'" + run.string() + "' has no finished trial with an image to look at.");
  const AttackConfig& config = material.config;
  material.model_sha256 = loaded_model_hash(config.model, load_options(config, config.model));
  material.contexts = read_contexts(config.contexts);
  for (const ReplyRow& row : record.replies)
    if (row.defense == "none" && row.model.empty() && row.variant.empty() && row.photo.empty())
      material.replies.push_back(row);
  return material;
}

}  // namespace hijack
