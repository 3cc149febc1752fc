#include "src/experiment/manifest.h"

#include <ATen/Parallel.h>
#include <sys/utsname.h>
#include <torch/version.h>

#include <ctime>
#include <thread>

#include "src/base/error.h"
#include "src/base/file.h"

#ifndef HIJACK_VERSION
#define HIJACK_VERSION "unknown"
#endif

namespace hijack {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(std::min(line.size(), line.find(':') + 2));
  return "unknown";
}

json machine(const std::vector<TrialPlan>& plans) {
  utsname system{};
  uname(&system);
  return {{"system", std::string(system.sysname) + " " + system.release + " " + system.machine},
          {"processor", processor_name()},
          {"cores", std::thread::hardware_concurrency()},
          {"threads", at::get_num_threads()},
          {"device", plans.empty() ? "cpu" : plans[0].config.device}};
}

void add_input(json& inputs, const fs::path& file) {
  if (inputs.contains(file.string())) return;
  inputs[file.string()] = {{"sha256", sha256_file(file)}, {"bytes", fs::file_size(file)}};
}

void add_model(json& inputs, const fs::path& folder) {
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string kind = entry.path().extension().string();
    if (entry.is_regular_file() && (kind == ".safetensors" || kind == ".json" || kind == ".jinja"))
      files.insert(entry.path());
  }
  for (const fs::path& file : files) add_input(inputs, file);
}

json inputs_of(const std::vector<TrialPlan>& plans) {
  json inputs = json::object();
  std::set<std::string> models;
  for (const TrialPlan& plan : plans) {
    if (models.insert(plan.config.model).second) add_model(inputs, plan.config.model);
    for (const auto* others : {&plan.config.ensemble, &plan.config.transfer})
      for (const std::string& model : *others)
        if (models.insert(model).second) add_model(inputs, model);
    add_input(inputs, plan.config.contexts);
    if (!plan.config.objective.feature_image.empty()) add_input(inputs, plan.config.objective.feature_image);
    if (!plan.config.augmentation.templates.empty()) add_input(inputs, plan.config.augmentation.templates);
    if (!plan.config.behavior.targets.empty()) add_input(inputs, plan.config.behavior.targets);
    if (!plan.config.constraint.mask.empty()) add_input(inputs, plan.config.constraint.mask);
    if (!plan.config.typographic.font.empty()) add_input(inputs, plan.config.typographic.font);
    for (const std::string& image : plan.config.images) add_input(inputs, image);
    for (const std::string& image : plan.config.held_out_images) add_input(inputs, image);
  }
  return inputs;
}

std::string build_kind() {
#ifdef NDEBUG
  return "release";
#else
  return "debug";
#endif
}

}  // namespace

std::string hijack_version() {
  return HIJACK_VERSION;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

json make_manifest(const std::string& command, const std::vector<TrialPlan>& plans) {
  return {{"hijack", hijack_version()},
          {"command", command},
          {"started", utc_now()},
          {"plans", plans_to_json(plans)},
          {"inputs", inputs_of(plans)},
          {"libraries", {{"torch", TORCH_VERSION}, {"compiler", __VERSION__}, {"build", build_kind()}}},
          {"machine", machine(plans)},
          {"calibrations", json::array()}};
}

void check_inputs(const json& manifest) {
  if (!manifest.contains("inputs") || !manifest["inputs"].is_object()) return;
  for (const auto& [file, recorded] : manifest["inputs"].items()) {
    if (!fs::is_regular_file(file))
      throw Error("The run was made from '" + file + "', which is missing now.");
    if (!recorded.is_object() || recorded.value("sha256", "") != sha256_file(file))
      throw Error("'" + file +
                  "' is not what it was when the run began; put the old file back, or begin a new run.");
  }
}

}  // namespace hijack
