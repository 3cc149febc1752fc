#include "src/base/upload.h"

#include <ATen/ATen.h>
#include <ATen/record_function.h>

#include <bit>
#include <tuple>

#include "src/base/kept.h"

namespace hijack {
namespace {

/// Device, dtype, shape and bits.
using ConstantKey = std::tuple<int, int, int, std::vector<int64_t>, std::vector<int64_t>>;

constexpr int64_t kEntry = 32;               // what an entry costs besides its numbers, about
constexpr int64_t kRoom = int64_t{1} << 18;  // numbers, 2 MB

/// Never destroyed: a GPU's runtime may be gone before it.
Kept<ConstantKey, Tensor>& constants() {
  static auto& all = *new Kept<ConstantKey, Tensor>(kRoom);
  return all;
}

template <class Make>
Tensor constant(std::vector<int64_t> bits, at::IntArrayRef shape, const at::TensorOptions& options,
                Make make) {
  const at::Device device = options.device();
  const auto cost = static_cast<int64_t>(bits.size()) + kEntry;
  ConstantKey key{static_cast<int>(device.type()), device.index(),
                  static_cast<int>(c10::typeMetaToScalarType(options.dtype())), shape.vec(), std::move(bits)};
  if (const auto kept = constants().find(key)) return *kept;
  const at::NoGradGuard no_gradients;
  Tensor made = uploaded(make(), options);
  constants().keep(std::move(key), made, cost);
  return made;
}

}  // namespace

Tensor uploaded(const Tensor& host, const at::TensorOptions& options) {
  RECORD_USER_SCOPE("hijack::upload");
  const at::Device device = options.device();
  const auto dtype = c10::typeMetaToScalarType(options.dtype());
  if (!host.is_cpu() || !device.is_cuda()) return host.to(device, dtype);
  // the allocator of pinned memory takes it back only when the copy is done
  return host.to(dtype).contiguous().pin_memory().to(device, /*non_blocking=*/true);
}

Tensor constant_ids(std::span<const int64_t> values, at::Device device, at::IntArrayRef shape) {
  const auto count = static_cast<int64_t>(values.size());
  const at::IntArrayRef wanted = shape.empty() ? at::IntArrayRef(count) : shape;
  return constant({values.begin(), values.end()}, wanted, at::TensorOptions(at::kLong).device(device), [&] {
    return at::tensor(at::ArrayRef<int64_t>(values.data(), values.size())).view(wanted);
  });
}

Tensor constant_ids(const Tensor& host, at::Device device) {
  TORCH_CHECK(host.is_cpu() && host.scalar_type() == at::kLong, "ids are int64 on the CPU");
  const Tensor whole = host.contiguous();
  return constant_ids({whole.const_data_ptr<int64_t>(), static_cast<size_t>(whole.numel())}, device,
                      whole.sizes());
}

Tensor constant_numbers(std::span<const double> values, const at::TensorOptions& options) {
  std::vector<int64_t> bits;
  for (const double value : values) bits.push_back(std::bit_cast<int64_t>(value));
  const auto count = static_cast<int64_t>(values.size());
  const auto plain = at::TensorOptions(options.dtype()).device(options.device());
  return constant(std::move(bits), count, plain,
                  [&] { return at::tensor(at::ArrayRef<double>(values.data(), values.size())); });
}

std::vector<double> read_numbers(const Tensor& numbers) {
  RECORD_USER_SCOPE("hijack::read");
  const Tensor host = numbers.detach().to(at::kDouble).cpu().contiguous();
  return {host.const_data_ptr<double>(), host.const_data_ptr<double>() + host.numel()};
}

}  // namespace hijack
