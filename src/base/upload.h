#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "src/base/tensor.h"

// What goes to the model's device and comes back. A GPU works on while the processor prepares what follows,
// as long as nothing is read back and nothing is copied from memory that the system may move: so what a step
// needs is sent through pinned memory or kept there, and its numbers are read together. A profile shows both
// ways by name, as hijack::upload and hijack::read; tests/models/host_reads_test.cpp counts them.

namespace hijack {

/// A tensor of the processor as host.to(options) gives it, without waiting for a GPU.
Tensor uploaded(const Tensor& host, const at::TensorOptions& options);

/// int64 values [n] (or of this shape) on a device. Those asked for lately are kept there, so that token ids,
/// places and positions, which come again at every step, are uploaded once. Never write to the result.
Tensor constant_ids(std::span<const int64_t> values, at::Device device, at::IntArrayRef shape = {});
/// The same of an int64 tensor of the processor.
Tensor constant_ids(const Tensor& host, at::Device device);
/// Numbers [n], of a dtype and on a device, kept in the same way.
Tensor constant_numbers(std::span<const double> values, const at::TensorOptions& options);

/// The numbers of a tensor [n], in float64; waits for the GPU that computes them.
std::vector<double> read_numbers(const Tensor& numbers);

}  // namespace hijack
