#include "models/checkpoint/safetensors_header.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "src/base/error.h"

namespace hijack {
namespace {

struct DtypeName {
  const char* name;
  at::ScalarType dtype;
};

constexpr DtypeName kDtypes[] = {{"F64", at::kDouble},    {"F32", at::kFloat}, {"F16", at::kHalf},
                                 {"BF16", at::kBFloat16}, {"I64", at::kLong},  {"I32", at::kInt},
                                 {"I16", at::kShort},     {"I8", at::kChar},   {"U8", at::kByte},
                                 {"BOOL", at::kBool}};
constexpr size_t kMaxRank = 16;

std::string in_quotes(const std::string& name) {
  return "\"" + (name.size() <= 200 ? name : name.substr(0, 200) + "...") + "\"";
}

/// Reads the header event by event: no tree is built, so that a hostile header costs no more than its size.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(const std::string& where) : where_(where) {}
  std::vector<StoredTensor> take() { return std::move(tensors_); }

  bool start_object(size_t) override {
    if (depth_ > 1 || list_ != nullptr) unexpected("an object");
    if (++depth_ == 2) fields_.clear();
    return true;
  }

  bool key(std::string& name) override {
    if (depth_ == 1) {
      if (!names_.insert(name).second) fail("has the tensor " + in_quotes(name) + " twice");
      in_metadata_ = name == "__metadata__";
      if (!in_metadata_) tensors_.push_back({name, at::kFloat, {}, 0, 0});
    } else {
      if (!fields_.insert(name).second) fail("has the key " + in_quotes(name) + " twice in one entry");
      if (!in_metadata_ && name != "dtype" && name != "shape" && name != "data_offsets")
        fail("has the unknown key " + in_quotes(name) + " in the entry of " +
             in_quotes(tensors_.back().name));
    }
    key_ = name;
    return true;
  }

  bool end_object() override {
    if (--depth_ == 1 && !in_metadata_) {
      if (fields_.size() != 3)
        fail("lacks dtype, shape or data_offsets in the entry of " + in_quotes(tensors_.back().name));
      if (offsets_.size() != 2) fail("needs two data_offsets for " + in_quotes(tensors_.back().name));
      tensors_.back().begin = offsets_[0];
      tensors_.back().end = offsets_[1];
    }
    return true;
  }

  bool start_array(size_t) override {
    if (depth_ != 2 || in_metadata_ || list_ != nullptr || key_ == "dtype") unexpected("a list");
    list_ = key_ == "shape" ? &shape_ : &offsets_;
    list_->clear();
    return true;
  }

  bool end_array() override {
    if (list_ == &shape_) tensors_.back().shape.assign(shape_.begin(), shape_.end());
    list_ = nullptr;
    return true;
  }

  bool number_unsigned(uint64_t value) override {
    if (list_ == nullptr) unexpected("a number");
    if (value > static_cast<uint64_t>(INT64_MAX)) fail("has a number that is too large");
    if (list_->size() >= kMaxRank)
      fail("has too many numbers in the entry of " + in_quotes(tensors_.back().name));
    list_->push_back(value);
    return true;
  }

  bool string(std::string& value) override {
    if (depth_ == 2 && in_metadata_) return true;
    if (depth_ != 2 || key_ != "dtype" || list_ != nullptr) unexpected("a string");
    for (const DtypeName& known : kDtypes) {
      if (value != known.name) continue;
      tensors_.back().dtype = known.dtype;
      return true;
    }
    fail("stores " + in_quotes(tensors_.back().name) + " as " + in_quotes(value) +
         ", which is not supported; convert the checkpoint to F32, F16 or BF16");
  }

  bool null() override { unexpected("null"); }
  bool boolean(bool) override { unexpected("true or false"); }
  bool number_integer(int64_t) override { unexpected("a negative number"); }
  bool number_float(double, const std::string&) override { unexpected("a number that is not whole"); }
  bool binary(nlohmann::json::binary_t&) override { unexpected("binary data"); }
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) override {
    fail("is not valid JSON at byte " + std::to_string(position));
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error("the header of " + where_ + " " + what);
  }
  [[noreturn]] void unexpected(const std::string& what) const {
    fail("has " + what + " where the safetensors format has none" +
         (key_.empty() ? "" : " (near " + in_quotes(key_) + ")"));
  }

  const std::string& where_;
  std::vector<StoredTensor> tensors_;
  std::unordered_set<std::string> names_;
  std::unordered_set<std::string> fields_;
  std::string key_;
  std::vector<uint64_t> shape_, offsets_;
  std::vector<uint64_t>* list_ = nullptr;  // the one being read
  int depth_ = 0;
  bool in_metadata_ = false;
};

/// Bytes of the tensor. Also refuses shapes like [0, 2^62, 2^62], whose strides would overflow.
uint64_t byte_size(const StoredTensor& tensor, const std::string& where) {
  uint64_t product = c10::elementSize(tensor.dtype);
  bool empty = false;
  for (const int64_t size : tensor.shape) {
    empty = empty || size == 0;
    if (size != 0 && (__builtin_mul_overflow(product, static_cast<uint64_t>(size), &product) ||
                      product > static_cast<uint64_t>(INT64_MAX)))
      throw Error(where + ": the shape of " + in_quotes(tensor.name) + " is too large");
  }
  return empty ? 0 : product;
}

void check_layout(const std::vector<StoredTensor>& tensors, uint64_t data_size, const std::string& where) {
  uint64_t covered = 0;
  for (const StoredTensor& tensor : tensors) {
    const std::string place = where + ": the data of " + in_quotes(tensor.name);
    if (tensor.end < tensor.begin || tensor.end > data_size) throw Error(place + " lies outside the file");
    if (tensor.end - tensor.begin != byte_size(tensor, where))
      throw Error(place + " has another size than its shape and dtype need");
    if (tensor.begin < covered) throw Error(place + " overlaps another tensor");
    if (tensor.begin > covered) throw Error(place + " follows bytes that belong to no tensor");
    covered = tensor.end;
  }
  if (covered != data_size)
    throw Error(where + " has " + std::to_string(data_size - covered) +
                " bytes at its end that belong to no tensor");
}

}  // namespace

std::vector<StoredTensor> parse_safetensors_header(std::string_view json, uint64_t data_size,
                                                   const std::string& where) {
  if (json.empty() || json.front() != '{') throw Error("the header of " + where + " does not begin with {");
  HeaderReader reader(where);
  nlohmann::json::sax_parse(json, &reader);
  std::vector<StoredTensor> tensors = reader.take();
  std::sort(tensors.begin(), tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  check_layout(tensors, data_size, where);
  return tensors;
}

const char* safetensors_dtype(at::ScalarType dtype) {
  for (const DtypeName& known : kDtypes)
    if (known.dtype == dtype) return known.name;
  return nullptr;
}

}  // namespace hijack
