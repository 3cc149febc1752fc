#include "models/arithmetic.h"

#include <ATen/Context.h>

#include <cstdlib>

namespace hijack {

void use_exact_arithmetic(at::Device device) {
  if (!device.is_cuda()) return;
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);  // cuBLAS sums in one order with it
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setBenchmarkCuDNN(false);
  at::globalContext().setDeterministicCuDNN(true);
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
}

std::string arithmetic_in_words() {
  const bool exact = at::globalContext().deterministicAlgorithms() && !at::globalContext().allowTF32CuBLAS() &&
                     !at::globalContext().allowTF32CuDNN();
  return exact ? "float32 without TF32, deterministic where libtorch can" : "as libtorch is set";
}

}  // namespace hijack
