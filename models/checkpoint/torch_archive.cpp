#include "models/checkpoint/torch_archive.h"

#include <ATen/ATen.h>
#include <caffe2/serialize/inline_container.h>
#include <caffe2/serialize/read_adapter_interface.h>

#include <cstring>
#include <fstream>

#include "models/checkpoint/mapping.h"
#include "models/checkpoint/torch_pickle.h"
#include "models/checkpoint/zip_directory.h"
#include "src/base/error.h"
#include "src/base/unicode.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kLongestPickle = uint64_t{64} << 20;

class MappedReader : public caffe2::serialize::ReadAdapterInterface {
 public:
  explicit MappedReader(std::shared_ptr<const Mapping> mapping) : mapping_(std::move(mapping)) {}
  size_t size() const override { return mapping_->size(); }
  size_t read(uint64_t at, void* buffer, size_t count, const char*) const override {
    if (at >= mapping_->size()) return 0;
    const size_t taken = std::min<size_t>(count, mapping_->size() - at);
    std::memcpy(buffer, mapping_->start() + at, taken);
    return taken;
  }

 private:
  std::shared_ptr<const Mapping> mapping_;
};

/// The records of an archive, by the names that PyTorch gives them.
class Records {
 public:
  Records(std::shared_ptr<const Mapping> mapping, const std::string& where)
      : mapping_(std::move(mapping)), where_(where) {
    zip_directory(mapping_->bytes(), where_);
    try {
      reader_ =
          std::make_unique<caffe2::serialize::PyTorchStreamReader>(std::make_shared<MappedReader>(mapping_));
    } catch (const c10::Error&) {
      throw Error(where_ + " is a zip archive, but none of PyTorch");
    }
  }

  bool has(const std::string& name) const { return reader_->hasRecord(name); }

  /// The record's bytes in the mapping.
  std::pair<char*, uint64_t> at(const std::string& name) const {
    try {
      const uint64_t size = reader_->getRecordSize(name), begin = reader_->getRecordOffset(name);
      if (begin <= mapping_->size() && size <= mapping_->size() - begin)
        return {mapping_->start() + begin, size};
    } catch (const c10::Error&) {
    }
    throw Error(where_ + " lacks its record " + unicode::excerpt(name) + "; it was cut off or changed");
  }
  std::string_view text(const std::string& name, uint64_t most) const {
    const auto [start, size] = at(name);
    if (size > most) throw Error(where_ + ": its record " + name + " is larger than " + std::to_string(most));
    return {start, size};
  }

 private:
  std::shared_ptr<const Mapping> mapping_;
  const std::string& where_;
  std::unique_ptr<caffe2::serialize::PyTorchStreamReader> reader_;
};

/// Throws Error for what only looks like a zip archive of weights.
void check_kind(const Mapping& mapping, const std::string& where) {
  if (mapping.bytes().starts_with("PK\x03\x04")) return;
  if (mapping.bytes().starts_with("\x80\x02"))
    throw Error(where +
                " was saved by PyTorch before 1.6, or as a bare pickle; load it in Python and save it again "
                "with torch.save");
  throw Error(where + " is no file of PyTorch: it begins neither as a zip archive nor as a pickle");
}

void check_records(const Records& records, const std::string& where) {
  if (records.has("constants.pkl"))
    throw Error(
        where +
        " is a TorchScript archive, which is a program; a state dict is read here (TorchScript models: "
        "models/families/torchscript.h)");
  constexpr uint64_t kLongestOrder = 16;
  if (records.has("byteorder") && records.text("byteorder", kLongestOrder) != "little")
    throw Error(where + " has its numbers in the byte order of another machine; save it again on this one");
}

/// The storages of an archive, each checked and, where its address does not suit its type, copied once.
class Storages {
 public:
  Storages(const Records& records, std::shared_ptr<const Mapping> mapping, const std::string& where)
      : records_(records), mapping_(std::move(mapping)), where_(where) {}

  Tensor view(const PickledTensor& tensor) {
    const auto options = at::TensorOptions(tensor.dtype);
    Tensor& storage = known_[tensor.storage];
    if (!storage.defined()) storage = whole(tensor);
    if (std::find(tensor.shape.begin(), tensor.shape.end(), 0) != tensor.shape.end())
      return at::empty(tensor.shape, options);
    return storage.as_strided(tensor.shape, tensor.strides, tensor.offset);
  }

 private:
  /// Its elements in a row, [n].
  Tensor whole(const PickledTensor& tensor) const {
    const auto [start, size] = records_.at("data/" + tensor.storage);
    const uint64_t element = c10::elementSize(tensor.dtype);
    if (size / element != static_cast<uint64_t>(tensor.storage_size) || size % element != 0)
      throw Error(where_ + ": the tensor " + unicode::excerpt(tensor.name) + " has " +
                  std::to_string(tensor.storage_size) + " elements in its pickle, but " +
                  std::to_string(size) + " bytes in the archive");
    // Any other byte in a C++ bool is undefined behavior.
    if (tensor.dtype == at::kBool && std::any_of(start, start + size, [](char c) { return (c & ~1) != 0; }))
      throw Error(where_ + ": the storage " + tensor.storage + " has truth values other than 0 and 1");
    const auto options = at::TensorOptions(tensor.dtype);
    if (size > 0 && reinterpret_cast<uintptr_t>(start) % element == 0)
      return at::from_blob(
          start, {tensor.storage_size}, [mapping = mapping_](void*) {}, options);
    Tensor copy = at::empty({tensor.storage_size}, options);
    if (size > 0) std::memcpy(copy.mutable_data_ptr(), start, size);
    return copy;
  }

  const Records& records_;
  std::shared_ptr<const Mapping> mapping_;
  const std::string& where_;
  std::map<std::string, Tensor> known_;
};

}  // namespace

bool looks_like_torch(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  char start[4] = {};
  in.read(start, sizeof start);
  const std::string_view begins(start, static_cast<size_t>(in.gcount()));
  return begins.starts_with("PK\x03\x04") || begins.starts_with("\x80\x02");
}

TensorMap load_torch_archive(const fs::path& file) {
  const std::string where = file.string();
  const auto mapping = std::make_shared<const Mapping>(file);
  check_kind(*mapping, where);
  const Records records(mapping, where);
  check_records(records, where);
  TensorMap tensors;
  Storages storages(records, mapping, where);
  for (const PickledTensor& tensor : parse_torch_pickle(records.text("data.pkl", kLongestPickle), where))
    tensors.emplace(tensor.name, storages.view(tensor));
  return tensors;
}

}  // namespace hijack
