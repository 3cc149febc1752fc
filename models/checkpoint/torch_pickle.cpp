#include "models/checkpoint/torch_pickle.h"

#include <algorithm>
#include <map>

#include "models/checkpoint/pickle_machine.h"
#include "src/base/error.h"
#include "src/base/unicode.h"

namespace hijack {
namespace {

constexpr size_t kMostDimensions = 64;

const std::map<std::string, at::ScalarType>& storage_types() {
  static const std::map<std::string, at::ScalarType> kTypes = {
      {"torch.FloatStorage", at::kFloat}, {"torch.DoubleStorage", at::kDouble},
      {"torch.HalfStorage", at::kHalf},   {"torch.BFloat16Storage", at::kBFloat16},
      {"torch.LongStorage", at::kLong},   {"torch.IntStorage", at::kInt},
      {"torch.ShortStorage", at::kShort}, {"torch.CharStorage", at::kChar},
      {"torch.ByteStorage", at::kByte},   {"torch.BoolStorage", at::kBool}};
  return kTypes;
}

constexpr const char* kOrderedDict = "collections.OrderedDict";
constexpr const char* kTensor = "torch._utils._rebuild_tensor_v2";
constexpr const char* kParameter = "torch._utils._rebuild_parameter";

class StateDict : public PickleMachine {
 public:
  using PickleMachine::PickleMachine;
  std::vector<PickledTensor> tensors() { return named_tensors(run()); }

 private:
  void global(const std::string& name) override;
  void call() override;
  void persistent() override;

  uint32_t tensor(const std::vector<uint32_t>& arguments);
  void check_view(const PickledTensor& view) const;
  std::vector<int64_t> numbers(uint32_t tuple) const;
  std::map<std::string, uint32_t> entries(uint32_t dict, std::vector<std::string>& order) const;
  std::vector<PickledTensor> named_tensors(uint32_t root) const;

  std::vector<PickledTensor> tensors_;
  std::map<std::string, std::pair<at::ScalarType, int64_t>> storages_;
};

void StateDict::global(const std::string& name) {
  const bool known =
      name == kOrderedDict || name == kTensor || name == kParameter || storage_types().contains(name);
  if (!known) refuse(unicode::excerpt(name));
  push({.kind = Kind::kGlobal, .text = name});
}

void StateDict::call() {
  const std::vector<uint32_t>& arguments = value(pop()).items;
  const Value& called = value(pop());
  if (called.kind != Kind::kGlobal) damaged();
  if (called.text == kTensor) return push_number(tensor(arguments));
  if (called.text == kOrderedDict && arguments.empty()) return push({.kind = Kind::kDict});
  if (called.text == kParameter && !arguments.empty() && value(arguments[0]).kind == Kind::kTensor)
    return push_number(arguments[0]);
  refuse("a call of " + called.text + " that makes no tensor");
}

/// ("storage", type, key, device, elements)
void StateDict::persistent() {
  const Value& id = value(pop());
  if (id.kind != Kind::kTuple || id.items.size() != 5) damaged();
  const auto part = [&](size_t i) -> const Value& { return value(id.items[i]); };
  if (part(0).text != "storage" || part(1).kind != Kind::kGlobal || !storage_types().contains(part(1).text) ||
      part(2).kind != Kind::kText || part(4).kind != Kind::kInteger || part(4).number < 0)
    damaged();
  const std::string key = part(2).text;
  const bool plain = !key.empty() && key.size() <= 64 && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  });
  if (!plain) damaged();
  const std::pair is(storage_types().at(part(1).text), part(4).number);
  if (storages_.emplace(key, is).first->second != is)
    throw Error(where() + ": the storage " + key + " has two types or sizes");
  push({.kind = Kind::kStorage, .number = is.second, .text = key, .dtype = is.first});
}

std::vector<int64_t> StateDict::numbers(uint32_t tuple) const {
  const Value& from = value(tuple);
  if (from.kind != Kind::kTuple || from.items.size() > kMostDimensions) damaged();
  std::vector<int64_t> all;
  for (const uint32_t item : from.items) {
    if (value(item).kind != Kind::kInteger || value(item).number < 0) damaged();
    all.push_back(value(item).number);
  }
  return all;
}

/// (storage, offset, shape, strides, requires_grad, hooks[, metadata])
uint32_t StateDict::tensor(const std::vector<uint32_t>& arguments) {
  if (arguments.size() < 4 || value(arguments[0]).kind != Kind::kStorage ||
      value(arguments[1]).kind != Kind::kInteger)
    damaged();
  const Value& from = value(arguments[0]);
  PickledTensor view{.name = {},
                     .dtype = from.dtype,
                     .storage = from.text,
                     .storage_size = from.number,
                     .offset = value(arguments[1]).number,
                     .shape = numbers(arguments[2]),
                     .strides = numbers(arguments[3])};
  check_view(view);
  tensors_.push_back(std::move(view));
  return make({.kind = Kind::kTensor, .number = static_cast<int64_t>(tensors_.size()) - 1});
}

void StateDict::check_view(const PickledTensor& view) const {
  if (view.shape.size() != view.strides.size() || view.offset < 0) damaged();
  const bool empty = std::find(view.shape.begin(), view.shape.end(), 0) != view.shape.end();
  std::vector<std::pair<int64_t, int64_t>> steps;  // of sides longer than 1, the shortest first
  for (size_t i = 0; i < view.shape.size(); ++i)
    if (view.shape[i] > 1) steps.emplace_back(view.strides[i], view.shape[i]);
  std::sort(steps.begin(), steps.end());
  int64_t last = 0;  // the farthest element so far
  for (const auto& [stride, side] : steps) {
    int64_t reach = 0, sum = 0;
    if (__builtin_mul_overflow(side - 1, stride, &reach) || __builtin_add_overflow(last, reach, &sum))
      throw Error(where() + ": a tensor has a shape that no file can hold");
    if (stride <= last && !empty)
      throw Error(where() + ": a tensor has elements that share memory (strides that overlap)");
    last = sum;
  }
  int64_t end = 0;
  if (empty ? view.offset > view.storage_size
            : __builtin_add_overflow(last, view.offset, &end) || end >= view.storage_size)
    throw Error(where() + ": a tensor lies outside of its storage " + view.storage);
}

std::map<std::string, uint32_t> StateDict::entries(uint32_t dict, std::vector<std::string>& order) const {
  const Value& from = value(dict);
  if (from.kind != Kind::kDict) throw Error(where() + " holds no state dict (a dict of tensors by name)");
  std::map<std::string, uint32_t> all;
  for (size_t i = 0; i + 1 < from.items.size(); i += 2) {
    const Value& key = value(from.items[i]);
    if (key.kind != Kind::kText) throw Error(where() + " has entries without a name");
    if (!all.emplace(key.text, from.items[i + 1]).second)
      throw Error(where() + " has two entries " + unicode::excerpt(key.text));
    order.push_back(key.text);
  }
  return all;
}

std::vector<PickledTensor> StateDict::named_tensors(uint32_t root) const {
  std::vector<std::string> order;
  std::map<std::string, uint32_t> found = entries(root, order);
  const auto is_tensor = [&](const auto& one) { return value(one.second).kind == Kind::kTensor; };
  if (std::none_of(found.begin(), found.end(), is_tensor))
    for (const char* inner : {"state_dict", "model"})
      if (const auto wrapped = found.find(inner);
          wrapped != found.end() && value(wrapped->second).kind == Kind::kDict) {
        order.clear();
        found = entries(wrapped->second, order);
        break;
      }
  std::vector<PickledTensor> named;
  for (const std::string& name : order) {
    const Value& one = value(found.at(name));
    if (one.kind != Kind::kTensor)
      throw Error(where() + ": its entry " + unicode::excerpt(name) +
                  " is no tensor; save the state dict alone, as torch.save(model.state_dict(), FILE)");
    named.push_back(tensors_[static_cast<size_t>(one.number)]);
    named.back().name = name;
  }
  return named;
}

}  // namespace

std::vector<PickledTensor> parse_torch_pickle(std::string_view bytes, const std::string& where) {
  return StateDict(bytes, where).tensors();
}

}  // namespace hijack
