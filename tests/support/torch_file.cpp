#include "tests/support/torch_file.h"

#include <ATen/ATen.h>
#include <caffe2/serialize/inline_container.h>

namespace hijack::support {
namespace {

std::string little_endian(uint64_t value, size_t bytes) {
  std::string text;
  for (size_t i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

const char* storage_type(at::ScalarType dtype) {
  switch (dtype) {
    case at::kBFloat16:
      return "BFloat16Storage";
    case at::kHalf:
      return "HalfStorage";
    case at::kDouble:
      return "DoubleStorage";
    case at::kLong:
      return "LongStorage";
    default:
      return "FloatStorage";
  }
}

std::string numbers(at::IntArrayRef values) {
  std::string items;
  for (const int64_t value : values) items += pickle::number(value);
  return pickle::tuple(items);
}

}  // namespace

void write_archive(const std::map<std::string, std::string>& records, const std::filesystem::path& file,
                   bool compressed) {
  caffe2::serialize::PyTorchStreamWriter writer(file.string());
  for (const auto& [name, bytes] : records) writer.writeRecord(name, bytes.data(), bytes.size(), compressed);
  writer.writeEndOfFile();
}

namespace pickle {

std::string text(const std::string& text) {
  return "X" + little_endian(text.size(), 4) + text;
}
std::string number(int64_t number) {
  return "\x8a\x08" + little_endian(static_cast<uint64_t>(number), 8);
}
std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
std::string tuple(const std::string& items) {
  return "(" + items + "t";
}
std::string view(const std::string& storage, int64_t elements, int64_t offset, const std::string& sizes,
                 const std::string& strides, const std::string& type) {
  const std::string id =
      tuple(text("storage") + global("torch", type) + text(storage) + text("cpu") + number(elements)) + "Q";
  return global("torch._utils", "_rebuild_tensor_v2") +
         tuple(id + number(offset) + sizes + strides + "\x89" + global("collections", "OrderedDict") + ")R") +
         "R";
}
std::string dict(const std::map<std::string, std::string>& entries) {
  std::string program = "\x80\x02}(";
  for (const auto& [name, value] : entries) program += text(name) + value;
  return program + "u.";
}

}  // namespace pickle

void save_torch(const TensorMap& tensors, const std::filesystem::path& file, bool wrapped) {
  std::map<std::string, std::string> entries, records;
  for (const auto& [name, given] : tensors) {
    const Tensor tensor = given.contiguous();
    const std::string key = std::to_string(records.size());
    records["data/" + key] = {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()};
    entries[name] = pickle::view(key, tensor.numel(), 0, numbers(tensor.sizes()), numbers(tensor.strides()),
                                 storage_type(tensor.scalar_type()));
  }
  std::string program = pickle::dict(entries);
  if (wrapped) {
    const std::string inner = program.substr(2, program.size() - 3);
    program = pickle::dict({{"epoch", pickle::number(3)}, {"state_dict", inner}});
  }
  records["data.pkl"] = program;
  records["byteorder"] = "little";
  write_archive(records, file);
}

}  // namespace hijack::support
