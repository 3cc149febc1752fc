#include "models/checkpoint/safetensors.h"

#include <ATen/ATen.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "models/checkpoint/mapping.h"
#include "models/checkpoint/safetensors_header.h"
#include "src/base/error.h"
#include "src/base/file.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxHeader = 100'000'000;

uint64_t read_length(const char* bytes) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = (value << 8) | static_cast<unsigned char>(bytes[i]);
  return value;
}

Tensor mapped_tensor(const StoredTensor& stored, char* data, const std::shared_ptr<Mapping>& mapping,
                     const std::string& where) {
  char* const address = data + stored.begin;
  const uint64_t size = stored.end - stored.begin;
  if (size == 0) return at::empty(stored.shape, stored.dtype);
  // Any other byte in a C++ bool is undefined behavior.
  if (stored.dtype == at::kBool && std::any_of(address, address + size, [](char c) { return (c & ~1) != 0; }))
    throw Error(where + ": the BOOL tensor " + stored.name.substr(0, 200) + " has bytes other than 0 and 1");
  if (reinterpret_cast<uintptr_t>(address) % c10::elementSize(stored.dtype) == 0)
    return at::from_blob(
        address, stored.shape, [mapping](void*) {}, at::TensorOptions(stored.dtype));
  Tensor copy = at::empty(stored.shape, stored.dtype);
  std::memcpy(copy.mutable_data_ptr(), address, size);
  return copy;
}

struct Prepared {
  std::string name;
  Tensor tensor;
};

/// Largest elements first, then by name: then every tensor is aligned, and the bytes depend on the content
/// only.
std::vector<Prepared> prepared(const TensorMap& tensors) {
  std::vector<Prepared> items;
  for (const auto& [name, tensor] : tensors) {
    TORCH_CHECK(name != "__metadata__", "a tensor cannot be named __metadata__");
    TORCH_CHECK(safetensors_dtype(tensor.scalar_type()) != nullptr, "save_safetensors: ", name, " is ",
                tensor.scalar_type());
    items.push_back({name, tensor.detach().cpu().contiguous()});
  }
  std::stable_sort(items.begin(), items.end(), [](const Prepared& a, const Prepared& b) {
    return a.tensor.element_size() > b.tensor.element_size();
  });
  return items;
}

std::string header_of(const std::vector<Prepared>& items,
                      const std::map<std::string, std::string>& metadata) {
  nlohmann::json header = nlohmann::json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  int64_t offset = 0;
  for (const auto& [name, tensor] : items) {
    const int64_t end = offset + static_cast<int64_t>(tensor.nbytes());
    header[name] = {{"dtype", safetensors_dtype(tensor.scalar_type())},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace

TensorMap load_safetensors(const fs::path& file) {
  const std::string where = file.string();
  const auto mapping = std::make_shared<Mapping>(file);
  if (mapping->size() < 8) throw Error(where + " is too short to be a safetensors file");
  const uint64_t length = read_length(mapping->start());
  if (length > kMaxHeader || length > mapping->size() - 8)
    throw Error(where + " is not a safetensors file, or was cut off: its header would have " +
                std::to_string(length) + " bytes");
  char* const data = mapping->start() + 8 + length;
  TensorMap tensors;
  for (const StoredTensor& stored :
       parse_safetensors_header({mapping->start() + 8, length}, mapping->size() - 8 - length, where))
    tensors.emplace(stored.name, mapped_tensor(stored, data, mapping, where));
  return tensors;
}

void save_safetensors(const TensorMap& tensors, const fs::path& file,
                      const std::map<std::string, std::string>& metadata) {
  const std::vector<Prepared> items = prepared(tensors);
  const std::string header = header_of(items, metadata);
  std::string length;
  for (int shift = 0; shift < 64; shift += 8) length += static_cast<char>(uint64_t{header.size()} >> shift);
  FileWriter writer(file);
  writer.write(length);
  writer.write(header);
  for (const Prepared& item : items)
    if (item.tensor.nbytes() > 0)
      writer.write({static_cast<const char*>(item.tensor.const_data_ptr()), item.tensor.nbytes()});
  writer.commit();
}

}  // namespace hijack
