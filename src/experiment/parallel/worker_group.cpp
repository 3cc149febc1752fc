#include "src/experiment/parallel/worker_group.h"

#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "src/base/environment.h"
#include "src/base/error.h"
#include "src/experiment/parallel/store.h"

namespace hijack {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

int64_t number(const char* name, int64_t low, int64_t high) {
  if (const auto value = environment_number(name, low, high)) return *value;
  throw Error("The environment has WORLD_SIZE, but " + std::string(name) + " is '" +
              environment(name).substr(0, 40) +
              "': start the group with torchrun --no-python, or unset WORLD_SIZE.");
}

}  // namespace

std::optional<WorkerPlace> worker_place() {
  if (environment("WORLD_SIZE").empty()) return std::nullopt;
  WorkerPlace place;
  place.size = number("WORLD_SIZE", 1, 1'000'000);
  if (place.size == 1) return std::nullopt;
  place.rank = number("RANK", 0, place.size - 1);
  place.port = static_cast<uint16_t>(number("MASTER_PORT", 1, 65535));
  place.address = environment("MASTER_ADDR");
  if (place.address.empty())
    throw Error(
        "The environment has WORLD_SIZE, but no MASTER_ADDR: start the group with torchrun --no-python.");
  place.store_exists = environment("TORCHELASTIC_USE_AGENT_STORE") == "True";
  return place;
}

/// Counters in the store. Everything is `add`: it never waits, and add(key, 0) reads.
class WorkerGroup::Store {
 public:
  Store(const WorkerPlace& place, const std::string& name, milliseconds lease)
      : place_(place), prefix_("hijack/" + name + "/"), lease_(lease) {
    const bool serve = place.rank == 0 && !place.store_exists;
    store_ = opened_store(place, serve, std::chrono::seconds(60));
    if (!store_)
      throw Error("The store of the group at " + place.address + ":" + std::to_string(place.port) +
                  " cannot be " + (serve ? "opened" : "reached") +
                  ": check MASTER_ADDR, MASTER_PORT and that rank 0 runs.");
    heart_ = beating(lease_ / 5, [this] {
      const int64_t trial = working_on_;
      if (trial >= 0) store_->add(prefix_ + "beat/" + std::to_string(trial), 1);
    });
  }

  const WorkerPlace& place() const { return place_; }
  milliseconds lease() const { return lease_; }

  int64_t add(const std::string& key, int64_t value) {
    try {
      return store_->add(prefix_ + key, value);
    } catch (const std::exception&) {
      throw Failure(
          "The store of the group is gone (has rank 0 died?); finished trials are saved: start the group "
          "again with --resume.");
    }
  }
  int64_t read(const std::string& key) { return add(key, 0); }

  /// The trial whose heart beats; -1 = none.
  void work_on(int64_t trial) {
    working_on_ = trial;
    if (trial >= 0) add("beat/" + std::to_string(trial), 1);
  }

  /// A trial without `done` whose heart has stood still for a lease, claimed for this process.
  std::optional<size_t> abandoned(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      const std::string id = std::to_string(i);
      if (read("done/" + id) > 0) continue;
      const int64_t now = read("beat/" + id);
      const auto [seen, fresh] = seen_.try_emplace(i, Seen{now, Clock::now()});
      if (fresh || seen->second.beats != now) {
        seen->second = {now, Clock::now()};
      } else if (Clock::now() - seen->second.since > lease_ &&
                 add("claim/" + id + "/" + std::to_string(now), 1) == 1) {
        return i;
      }
    }
    return std::nullopt;
  }

  bool all_done(size_t count) {
    for (size_t i = 0; i < count; ++i)
      if (read("done/" + std::to_string(i)) == 0) return false;
    return true;
  }

 private:
  struct Seen {
    int64_t beats = 0;
    Clock::time_point since;
  };

  WorkerPlace place_;
  std::string prefix_;
  milliseconds lease_;
  c10::intrusive_ptr<c10d::TCPStore> store_;
  std::map<size_t, Seen> seen_;
  std::atomic<int64_t> working_on_{-1};
  std::jthread heart_;  // last: it uses the others
};

WorkerGroup::WorkerGroup(const WorkerPlace& place, const std::string& name, milliseconds lease)
    : store_(std::make_unique<Store>(place, name, lease)) {}
WorkerGroup::~WorkerGroup() = default;

std::optional<size_t> WorkerGroup::next(size_t count, std::stop_token stop) {
  while (!stop.stop_requested()) {
    std::optional<size_t> trial;
    // Read first, so that waiting does not count on and on.
    if (store_->read("next") < static_cast<int64_t>(count)) {
      const int64_t drawn = store_->add("next", 1) - 1;
      if (drawn < static_cast<int64_t>(count)) trial = static_cast<size_t>(drawn);
    }
    if (!trial) trial = store_->abandoned(count);
    if (trial) {
      store_->work_on(static_cast<int64_t>(*trial));
      return trial;
    }
    if (store_->all_done(count)) return std::nullopt;
    std::this_thread::sleep_for(std::clamp(store_->lease() / 20, milliseconds(5), milliseconds(1000)));
  }
  return std::nullopt;
}

void WorkerGroup::done(size_t trial) {
  store_->work_on(-1);
  store_->add("done/" + std::to_string(trial), 1);
}

void WorkerGroup::announce(bool ready) {
  store_->add(ready ? "ready" : "failed", 1);
}

void WorkerGroup::wait_for_announcement() {
  const auto last = Clock::now() + std::chrono::hours(1);
  while (store_->read("ready") == 0) {
    if (store_->read("failed") > 0) throw Failure("Rank 0 could not begin the run; its message says why.");
    if (Clock::now() > last) throw Failure("Rank 0 has not begun the run within an hour.");
    std::this_thread::sleep_for(milliseconds(50));
  }
}

void WorkerGroup::leave() {
  const WorkerPlace& place = store_->place();
  const int64_t left = store_->add("left", 1);
  if (place.rank != 0 || place.store_exists || left == place.size) return;
  const auto last = Clock::now() + store_->lease();
  while (store_->read("left") < place.size && Clock::now() < last)
    std::this_thread::sleep_for(milliseconds(20));
}

}  // namespace hijack
