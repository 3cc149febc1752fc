#include "src/experiment/parallel/store.h"

#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <condition_variable>
#include <mutex>

namespace hijack {

c10::intrusive_ptr<c10d::TCPStore> opened_store(const WorkerPlace& place, bool serve,
                                                std::chrono::milliseconds patience) {
  c10d::TCPStoreOptions options;
  options.port = place.port;
  options.isServer = serve;
  options.waitWorkers = false;
  options.timeout = patience;
  try {
    return c10::make_intrusive<c10d::TCPStore>(place.address, options);
  } catch (const std::exception&) {
    return {};
  }
}

std::jthread beating(std::chrono::milliseconds pause, std::function<void()> beat) {
  return std::jthread([pause, beat = std::move(beat)](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock guard(mutex);
    try {
      while (!stop.stop_requested()) {
        beat();
        wake.wait_for(guard, stop, pause, [] { return false; });
      }
    } catch (const std::exception&) {  // whoever works says it
    }
  });
}

}  // namespace hijack
