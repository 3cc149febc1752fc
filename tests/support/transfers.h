#pragma once
#include <ATen/record_function.h>

#include <atomic>
#include <cstring>
#include <memory>

#include "src/base/tensor.h"

namespace hijack {

/// Counts, while it lives, what a step sends to the model's device and what it waits for. On a processor,
/// where nothing crosses, by the names of upload.h and of the operations that read a value; on a GPU also by
/// the copies themselves. One at a time.
class Transfers {
 public:
  Transfers() {
    uploads_ = reads_ = crossings_ = 0;
    handle_ = at::addGlobalCallback(at::RecordFunctionCallback(&Transfers::seen)
                                        .needsInputs(true)
                                        .scopes({at::RecordScope::FUNCTION, at::RecordScope::USER_SCOPE}));
  }
  ~Transfers() { at::removeCallback(handle_); }
  Transfers(const Transfers&) = delete;
  Transfers& operator=(const Transfers&) = delete;

  int64_t uploads() const { return uploads_; }
  int64_t reads() const { return reads_; }          ///< of values, whatever the device
  int64_t crossings() const { return crossings_; }  ///< that wait for a GPU; counted in release builds only

 private:
  static std::unique_ptr<at::ObserverContext> seen(const at::RecordFunction& function) {
    const char* const name = function.name();
    const auto is = [&](const char* other) { return std::strcmp(name, other) == 0; };
    const bool value = is("aten::_local_scalar_dense") || is("aten::nonzero") || is("aten::masked_select");
    if (is("hijack::upload")) ++uploads_;
    if (is("hijack::read") || value) ++reads_;
#ifdef NDEBUG  // without it libtorch's headers refuse to tell, since its binaries have it
    if (!value && !is("aten::copy_")) return nullptr;
    const auto inputs = function.inputs();
    const auto on_gpu = [&](size_t i) {
      return inputs.size() > i && inputs[i].isTensor() && inputs[i].toTensor().is_cuda();
    };
    const bool waits = inputs.size() < 3 || !inputs[2].isBool() || !inputs[2].toBool();
    if (value ? on_gpu(0) : on_gpu(0) != on_gpu(1) && waits) ++crossings_;
#endif
    return nullptr;
  }

  static inline std::atomic<int64_t> uploads_ = 0, reads_ = 0, crossings_ = 0;
  at::CallbackHandle handle_;
};

}  // namespace hijack
