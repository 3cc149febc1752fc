#pragma once
#include <c10/util/intrusive_ptr.h>

#include <chrono>
#include <functional>
#include <thread>

#include "src/experiment/parallel/worker_group.h"

// What groups of processes have in common that meet in libtorch's key-value store.

namespace c10d {
class TCPStore;
}

namespace hijack {

/// The store of a group, which this process serves or reaches within `patience`; nullptr where it cannot.
c10::intrusive_ptr<c10d::TCPStore> opened_store(const WorkerPlace& place, bool serve,
                                                std::chrono::milliseconds patience);

/// A thread that calls `beat` at once and then every `pause`, until it is stopped or `beat` throws: whoever
/// works meets the same trouble, and says so.
std::jthread beating(std::chrono::milliseconds pause, std::function<void()> beat);

}  // namespace hijack
