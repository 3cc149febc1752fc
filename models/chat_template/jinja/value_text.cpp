#include <array>
#include <charconv>
#include <cmath>

#include "models/chat_template/jinja/value.h"
#include "src/base/error.h"
#include "src/base/unicode.h"

// Printing and comparing.
namespace hijack::jinja {
namespace {

std::string repr_of_text(const std::string& text, Budget& budget) {
  budget.charge(2 * text.size() + 2);
  const char quote = text.find('\'') != text.npos && text.find('"') == text.npos ? '"' : '\'';
  std::string made(1, quote);
  const auto hex = [&](const char* start, char32_t value, int digits) {
    made += start;
    for (int i = digits - 1; i >= 0; --i) made += "0123456789abcdef"[(value >> (4 * i)) & 15];
  };
  for (size_t at = 0; at < text.size();) {
    const auto [c, length] = unicode::decode(text, at);
    if (c == static_cast<char32_t>(quote) || c == '\\')
      made += std::string("\\") + text[at];
    else if (c == '\n' || c == '\r' || c == '\t')
      made += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    else if (unicode::is_printable(c))
      made += text.substr(at, length);
    else if (c < 0x100)
      hex("\\x", c, 2);
    else
      hex(c < 0x10000 ? "\\u" : "\\U", c, c < 0x10000 ? 4 : 8);
    at += length;
  }
  return made + quote;
}

std::string repr_of_sequence(const Sequence& sequence, Budget& budget) {
  if (sequence.kind == SequenceKind::view || sequence.kind == SequenceKind::once)
    throw Error("printing a generator is not supported; put | list after it");
  const bool tuple = sequence.kind == SequenceKind::tuple;
  std::string made(1, tuple ? '(' : '[');
  for (size_t i = 0; i < sequence.items.size(); ++i)
    made += (i > 0 ? ", " : "") + to_repr(sequence.items[i], budget);
  if (tuple && sequence.items.size() == 1) made += ',';
  return made + (tuple ? ')' : ']');
}

template <typename Compare>
bool same_items(const Values& a, const Values& b, const Compare& compare) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (!compare(a[i], b[i])) return false;
  return true;
}

bool equal_dicts(const Dict& a, const Dict& b, Budget& budget) {
  if (a.items.size() != b.items.size()) return false;
  for (const auto& [key, value] : a.items) {
    budget.charge(b.items.size());
    const Value* other = b.find(key);
    if (!other || !equal(value, *other, budget)) return false;
  }
  return true;
}

}  // namespace

std::string number_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::array<char, 64> room{};
  const auto end =
      std::to_chars(room.data(), room.data() + room.size(), value, std::chars_format::scientific);
  std::string_view written(room.data(), static_cast<size_t>(end.ptr - room.data()));
  std::string sign;
  if (written.front() == '-') {
    sign = "-";
    written.remove_prefix(1);
  }
  const size_t e = written.find('e');
  int exponent = 0;
  const char* from = written.data() + e + (written[e + 1] == '+' ? 2 : 1);
  std::from_chars(from, written.data() + written.size(), exponent);
  std::string digits(1, written.front());
  if (e > 2) digits += written.substr(2, e - 2);
  if (exponent < -4 || exponent >= 16) {
    const std::string power = std::to_string(std::abs(exponent));
    return sign + digits.substr(0, 1) + (digits.size() > 1 ? "." + digits.substr(1) : "") + "e" +
           (exponent < 0 ? "-" : "+") + (power.size() < 2 ? "0" : "") + power;
  }
  if (exponent < 0) return sign + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  const auto whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() < whole) digits.append(whole - digits.size(), '0');
  return sign + digits.substr(0, whole) + "." + (digits.size() > whole ? digits.substr(whole) : "0");
}

std::string to_repr(const Value& value, Budget& budget) {
  budget.charge(16);
  if (const auto* text = value.as_text()) return repr_of_text(*text, budget);
  if (const auto* sequence = value.as_sequence()) return repr_of_sequence(*sequence, budget);
  if (const auto* dict = value.as_dict()) {
    std::string made = "{";
    for (const auto& [key, item] : dict->items)
      made += (made.size() > 1 ? ", " : "") + to_repr(key, budget) + ": " + to_repr(item, budget);
    return made + "}";
  }
  if (value.is_undefined()) return "Undefined";
  return to_text(value, budget);
}

std::string to_text(const Value& value, Budget& budget) {
  budget.charge(16);
  if (value.is_undefined()) return "";
  if (value.is_none()) return "None";
  if (const bool* flag = value.get<bool>()) return *flag ? "True" : "False";
  if (const int64_t* whole = value.get<int64_t>()) return std::to_string(*whole);
  if (const double* number = value.get<double>()) return number_text(*number);
  if (const auto* text = value.as_text()) {
    budget.charge(text->size());
    return *text;
  }
  if (value.as_sequence() || value.as_dict()) return to_repr(value, budget);
  throw Error(std::string("printing ") + value.kind() + " is not supported");
}

bool equal(const Value& a, const Value& b, Budget& budget) {
  budget.charge(8);
  int64_t room_a = 0, room_b = 0;
  const int64_t *whole_a = a.as_integer(room_a), *whole_b = b.as_integer(room_b);
  if (whole_a && whole_b) return *whole_a == *whole_b;
  if (a.is_number() && b.is_number()) return a.as_double() == b.as_double();
  const auto *text_a = a.as_text(), *text_b = b.as_text();
  if (text_a && text_b) {
    if (text_a->size() == text_b->size()) budget.charge(text_a->size() / 8);
    return *text_a == *text_b;
  }
  const auto *list_a = a.as_sequence(), *list_b = b.as_sequence();
  if (list_a && list_b)
    return list_a == list_b || (list_a->kind == list_b->kind && list_a->kind != SequenceKind::once &&
                                same_items(list_a->items, list_b->items, [&](const Value& x, const Value& y) {
                                  return equal(x, y, budget);
                                }));
  if (a.as_dict() && b.as_dict()) return equal_dicts(*a.as_dict(), *b.as_dict(), budget);
  if (a.as_namespace() && b.as_namespace()) return a.as_namespace() == b.as_namespace();
  return (a.is_none() && b.is_none()) || (a.is_undefined() && b.is_undefined());
}

bool less(const Value& a, const Value& b, Budget& budget) {
  budget.charge(8);
  int64_t room_a = 0, room_b = 0;
  const int64_t *whole_a = a.as_integer(room_a), *whole_b = b.as_integer(room_b);
  if (whole_a && whole_b) return *whole_a < *whole_b;
  if (a.is_number() && b.is_number()) return a.as_double() < b.as_double();
  const auto *text_a = a.as_text(), *text_b = b.as_text();
  if (text_a && text_b) {
    budget.charge(std::min(text_a->size(), text_b->size()) / 8);
    return *text_a < *text_b;
  }
  const auto *list_a = a.as_sequence(), *list_b = b.as_sequence();
  if (list_a && list_b && list_a->kind == list_b->kind && list_a->kind <= SequenceKind::tuple) {
    const size_t both = std::min(list_a->items.size(), list_b->items.size());
    for (size_t i = 0; i < both; ++i)
      if (!equal(list_a->items[i], list_b->items[i], budget))
        return less(list_a->items[i], list_b->items[i], budget);
    return list_a->items.size() < list_b->items.size();
  }
  throw Error(std::string(a.kind()) + " and " + b.kind() + " have no order");
}

bool contains(const Value& container, const Value& item, Budget& budget) {
  if (const auto* text = container.as_text()) {
    const auto* part = item.as_text();
    if (!part) throw Error(std::string("'in' a text asks for a text, not ") + item.kind());
    budget.charge(text->size());
    return text->find(*part) != text->npos;
  }
  const auto items = iterate(container, budget);
  for (const Value& one : items->items)
    if (equal(one, item, budget)) return true;
  return false;
}

}  // namespace hijack::jinja
