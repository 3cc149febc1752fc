#include "src/base/profile.h"

#include <torch/csrc/autograd/profiler_kineto.h>

#include <cstdio>

#include "src/base/error.h"

namespace hijack {
namespace {

namespace profiler = torch::autograd::profiler;

constexpr size_t kShown = 12;

struct Operator {
  int64_t calls = 0;
  int64_t nanoseconds = 0;  // without the operators it calls
};

/// Operators by the time they took by themselves. Those of one thread nest: a stack of open ones tells whose
/// time another's is part of.
std::map<std::string, Operator> self_times(const std::vector<profiler::KinetoEvent>& events) {
  std::map<uint64_t, std::vector<const profiler::KinetoEvent*>> threads;
  for (const auto& event : events)
    if (event.durationNs() > 0) threads[event.startThreadId()].push_back(&event);
  std::map<std::string, Operator> operators;
  for (auto& [thread, all] : threads) {
    std::stable_sort(all.begin(), all.end(), [](const auto* a, const auto* b) {
      return a->startNs() != b->startNs() ? a->startNs() < b->startNs() : a->endNs() > b->endNs();
    });
    std::vector<const profiler::KinetoEvent*> open;
    for (const auto* event : all) {
      while (!open.empty() && open.back()->endNs() <= event->startNs()) open.pop_back();
      const auto time = static_cast<int64_t>(event->durationNs());
      if (!open.empty()) operators[open.back()->name()].nanoseconds -= time;
      Operator& own = operators[event->name()];
      ++own.calls;
      own.nanoseconds += time;
      open.push_back(event);
    }
  }
  return operators;
}

std::string top_operators(const std::vector<profiler::KinetoEvent>& events) {
  const auto operators = self_times(events);
  std::vector<std::pair<std::string, Operator>> sorted(operators.begin(), operators.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second.nanoseconds > b.second.nanoseconds; });
  int64_t total = 0;
  for (const auto& [name, one] : sorted) total += one.nanoseconds;
  std::string table = "operator                                            calls  ms by itself  share\n";
  for (size_t i = 0; i < std::min(kShown, sorted.size()); ++i) {
    const auto& [name, one] = sorted[i];
    char line[128];
    std::snprintf(line, sizeof line, "%-48.48s %8lld %13.1f %5lld%%\n", name.c_str(),
                  static_cast<long long>(one.calls), static_cast<double>(one.nanoseconds) / 1e6,
                  static_cast<long long>(total > 0 ? one.nanoseconds * 100 / total : 0));
    table += line;
  }
  return table;
}

}  // namespace

Profile::~Profile() {
  if (running_) profiler::disableProfiler();
}

void Profile::start() {
  if (file_.empty() || running_) return;
  const torch::profiler::impl::ProfilerConfig config(torch::profiler::impl::ProfilerState::KINETO);
  std::set<torch::profiler::impl::ActivityType> what = {torch::profiler::impl::ActivityType::CPU};
  if (at::hasCUDA()) what.insert(torch::profiler::impl::ActivityType::CUDA);
  profiler::prepareProfiler(config, what);
  profiler::enableProfiler(config, what);
  running_ = true;
}

void Profile::stop() {
  if (!running_) return;
  running_ = false;
  const auto result = profiler::disableProfiler();
  result->save(file_.string());
  if (!std::filesystem::is_regular_file(file_))
    throw Failure("The profile could not be written to '" + file_.string() + "'; is its folder writable?");
  summary_ = top_operators(result->events());
}

}  // namespace hijack
