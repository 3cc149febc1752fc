#pragma once
#include <cstdint>

namespace hijack {

/// What the system says of this process, in bytes; zeros where it does not say (other systems than Linux).
struct ProcessMemory {
  int64_t resident = 0;
  int64_t peak = 0;          ///< highest `resident` since the start or reset_peak_memory()
  int64_t mapped_files = 0;  ///< part of `resident` that the system can drop and read again: mapped weights
};
ProcessMemory process_memory();

/// Lets `peak` start again from what is resident now.
void reset_peak_memory();

/// Bytes that can still be had without swapping: of the machine, or of the control group where that allows
/// less; with what waits in this process's pool of tensor memory. 0 where the system does not say.
int64_t available_memory();

/// All bytes that the machine has, or that its control group may take; 0 where the system does not say.
int64_t total_memory();

}  // namespace hijack
