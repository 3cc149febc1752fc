#include "src/experiment/record/manifest.h"

#include <ATen/Parallel.h>
#include <sys/utsname.h>
#include <torch/version.h>

#include <ctime>
#include <thread>

#include "models/arithmetic.h"
#include "src/experiment/plan/machine.h"

#ifndef HIJACK_VERSION
#define HIJACK_VERSION "unknown"
#endif

namespace hijack {
namespace {

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
          {"arithmetic", arithmetic_in_words()},
          {"dtype", plans.empty() ? "float32" : dtype_of(plans[0].config)},  // what `auto` stands for
          {"device", plans.empty() ? "cpu" : plans[0].config.device}};
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

json make_manifest(const std::string& command, const std::vector<TrialPlan>& plans, const RunInputs& inputs) {
  return {{"hijack", hijack_version()},
          {"command", command},
          {"started", utc_now()},
          {"plans", inputs.to_json(plans)},
          {"inputs", inputs.files()},
          {"models", inputs.models()},
          {"libraries", {{"torch", TORCH_VERSION}, {"compiler", __VERSION__}, {"build", build_kind()}}},
          {"machine", machine(plans)},
          {"calibrations", json::array()},
          {"stacks", json::object()},
          {"variants", json::object()}};
}

}  // namespace hijack
