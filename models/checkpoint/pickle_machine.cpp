#include "models/checkpoint/pickle_machine.h"

namespace hijack {
namespace {

constexpr size_t kMostValues = 1'000'000;
constexpr size_t kLongestName = 1000;

}  // namespace

void PickleMachine::refuse(const std::string& what) const {
  throw Error(where_ + " asks for " + what.substr(0, 200) +
              ", and only tensors are read from a pickle (nothing in it is executed): save the weights "
              "alone, as torch.save(model.state_dict(), FILE), or as safetensors");
}

void PickleMachine::too_much() const {
  throw Error(where_ + ": its pickle makes more values than weights have names");
}

uint32_t PickleMachine::make(Value value) {
  if (values_.size() >= kMostValues) too_much();
  values_.push_back(std::move(value));
  return static_cast<uint32_t>(values_.size() - 1);
}

void PickleMachine::push_number(uint32_t number) {
  if (stack_.size() >= kMostValues) too_much();
  stack_.push_back(number);
}

uint32_t PickleMachine::pop() {
  if (stack_.empty() || (!marks_.empty() && marks_.back() >= stack_.size())) damaged();
  const uint32_t number = stack_.back();
  stack_.pop_back();
  return number;
}

PickleMachine::Value& PickleMachine::top() {
  if (stack_.empty()) damaged();
  return values_[stack_.back()];
}

std::vector<uint32_t> PickleMachine::pop_to_mark() {
  if (marks_.empty() || marks_.back() > stack_.size()) damaged();
  const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<uint32_t> items(begin, stack_.end());
  stack_.erase(begin, stack_.end());
  marks_.pop_back();
  return items;
}

void PickleMachine::push_tuple(size_t count) {
  Value tuple{.kind = Kind::kTuple};
  for (size_t i = 0; i < count; ++i) tuple.items.insert(tuple.items.begin(), pop());
  push(std::move(tuple));
}

void PickleMachine::recall(uint64_t key) {
  const auto found = memo_.find(key);
  if (found == memo_.end()) damaged();
  push_number(found->second);
}

void PickleMachine::named_global() {
  const Value &name = values_[pop()], &module = values_[pop()];
  if (name.kind != Kind::kText || module.kind != Kind::kText || name.text.size() > kLongestName ||
      module.text.size() > kLongestName)
    damaged();
  global(module.text + "." + name.text);
}

void PickleMachine::step() {
  const char code = bytes_.byte();
  if (code == '.') {
    done_ = true;
    return;
  }
  if (scalar(code) || container(code) || memory(code) || object(code)) return;
  refuse("the pickle instruction " + std::to_string(static_cast<unsigned char>(code)));
}

bool PickleMachine::scalar(char code) {
  switch (code) {
    case 'N':
      push({.kind = Kind::kNothing});
      return true;
    case '\x88':
    case '\x89':
      push({.kind = Kind::kBool, .number = code == '\x88'});
      return true;
    case 'K':
      push({.kind = Kind::kInteger, .number = static_cast<int64_t>(bytes_.number(1))});
      return true;
    case 'M':
      push({.kind = Kind::kInteger, .number = static_cast<int64_t>(bytes_.number(2))});
      return true;
    case 'J':
      push({.kind = Kind::kInteger, .number = static_cast<int32_t>(bytes_.number(4))});
      return true;
    case '\x8a':
      push({.kind = Kind::kInteger, .number = bytes_.long_number()});
      return true;
    case 'G':
      bytes_.take(8);
      push({.kind = Kind::kReal});
      return true;
    case 'X':
      push({.kind = Kind::kText, .text = std::string(bytes_.take(bytes_.number(4)))});
      return true;
    case '\x8c':
      push({.kind = Kind::kText, .text = std::string(bytes_.take(bytes_.number(1)))});
      return true;
    default:
      return false;
  }
}

void PickleMachine::extend(Kind kind, const std::vector<uint32_t>& items) {
  Value& target = top();
  if (target.kind != kind || (kind == Kind::kDict && items.size() % 2 != 0)) damaged();
  if (target.items.size() + items.size() > kMostValues) too_much();
  target.items.insert(target.items.end(), items.begin(), items.end());
}

bool PickleMachine::container(char code) {
  switch (code) {
    case '(':
      marks_.push_back(stack_.size());
      return true;
    case ')':
      push({.kind = Kind::kTuple});
      return true;
    case 't':
      push({.kind = Kind::kTuple, .items = pop_to_mark()});
      return true;
    case '\x85':
    case '\x86':
    case '\x87':
      push_tuple(static_cast<size_t>(code - '\x84'));
      return true;
    case ']':
      push({.kind = Kind::kList});
      return true;
    case '}':
      push({.kind = Kind::kDict});
      return true;
    default:
      return addition(code);
  }
}

bool PickleMachine::addition(char code) {
  const bool to_list = code == 'a' || code == 'e';
  if (!to_list && code != 's' && code != 'u') return false;
  std::vector<uint32_t> items;
  if (code == 'e' || code == 'u') {
    items = pop_to_mark();
  } else {
    const uint32_t value = pop();
    if (!to_list) items.push_back(pop());
    items.push_back(value);
  }
  extend(to_list ? Kind::kList : Kind::kDict, items);
  return true;
}

bool PickleMachine::memory(char code) {
  switch (code) {
    case '\x80':
      bytes_.take(1);
      return true;  // protocol
    case '\x95':
      bytes_.take(8);
      return true;  // frame
    case 'q':
    case 'r': {
      const uint64_t key = bytes_.number(code == 'q' ? 1 : 4);
      top();
      memo_[key] = stack_.back();
      return true;
    }
    case '\x94':
      top();
      memo_.emplace(memo_.size(), stack_.back());
      return true;
    case 'h':
      recall(bytes_.number(1));
      return true;
    case 'j':
      recall(bytes_.number(4));
      return true;
    default:
      return false;
  }
}

bool PickleMachine::object(char code) {
  switch (code) {
    case 'c': {
      const std::string module = bytes_.line();
      global(module + "." + bytes_.line());
      return true;
    }
    case '\x93':
      named_global();
      return true;
    case 'R':
      call();
      return true;
    case 'Q':
      persistent();
      return true;
    case 'b':  // the attributes of a state dict: versions of its modules
      pop();
      if (top().kind != Kind::kDict) refuse("an object with a state of its own");
      return true;
    default:
      return false;
  }
}

}  // namespace hijack
