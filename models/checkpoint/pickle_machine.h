#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "models/checkpoint/pickle_bytes.h"
#include "src/base/tensor.h"

namespace hijack {

/// Runs a pickle, which is a program for a machine with a stack, as far as it makes plain data: dicts, lists,
/// tuples, texts, numbers. What it calls and refers to is for the derived class to allow; everything else is
/// an Error that names it. Work and memory are bounded by the length of the pickle.
class PickleMachine {
 public:
  PickleMachine(std::string_view bytes, const std::string& where) : bytes_(bytes, where), where_(where) {}
  virtual ~PickleMachine() = default;

 protected:
  enum class Kind : uint8_t {
    kNothing,
    kBool,
    kInteger,
    kReal,
    kText,
    kTuple,
    kList,
    kDict,
    kGlobal,
    kStorage,
    kTensor
  };
  /// Values refer to each other by their numbers, so that what refers to itself is no circle in memory.
  struct Value {
    Kind kind = Kind::kNothing;
    int64_t number = 0;                ///< integer; elements of a storage; place of a tensor
    std::string text = {};             ///< text; "module.name" of a global; key of a storage
    std::vector<uint32_t> items = {};  ///< tuple, list; of a dict key, value, key, value
    at::ScalarType dtype = at::kFloat;
  };

  /// "module.name" was asked for: `push` what stands for it, or `refuse`.
  virtual void global(const std::string& name) = 0;
  /// Takes arguments and what is called from the stack, and pushes what comes of it.
  virtual void call() = 0;
  /// Takes an id from the stack, and pushes what lies outside of the pickle.
  virtual void persistent() = 0;

  /// The number of the value that the program leaves.
  uint32_t run() {
    while (!done_) step();
    return pop();
  }

  [[noreturn]] void damaged() const { bytes_.damaged(); }
  [[noreturn]] void refuse(const std::string& what) const;

  const std::string& where() const { return where_; }
  const Value& value(uint32_t number) const { return values_[number]; }
  uint32_t make(Value value);
  void push(Value value) { push_number(make(std::move(value))); }
  void push_number(uint32_t number);
  uint32_t pop();

 private:
  void step();
  // one instruction each; whether it was one of theirs
  bool scalar(char code);
  bool container(char code);
  bool addition(char code);
  bool memory(char code);
  bool object(char code);

  [[noreturn]] void too_much() const;
  Value& top();
  std::vector<uint32_t> pop_to_mark();
  void push_tuple(size_t count);
  void extend(Kind kind, const std::vector<uint32_t>& items);
  void recall(uint64_t key);
  void named_global();

  PickleBytes bytes_;
  const std::string& where_;
  std::vector<Value> values_;
  std::vector<uint32_t> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, uint32_t> memo_;
  bool done_ = false;
};

}  // namespace hijack
