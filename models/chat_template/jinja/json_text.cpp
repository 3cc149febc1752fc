#include <algorithm>
#include <cmath>

#include "models/chat_template/jinja/builtins.h"
#include "src/base/error.h"

// json.dumps of Python.
namespace hijack::jinja {
namespace {

std::string quoted(const std::string& text, Budget& budget) {
  budget.charge(2 * text.size() + 2);
  static constexpr std::string_view kPlain = "\"\\\n\r\t\f\b", kEscape = "\"\\nrtfb";
  std::string made = "\"";
  for (const char c : text) {
    if (const size_t found = kPlain.find(c); found != kPlain.npos)
      made += std::string("\\") + kEscape[found];
    else if (static_cast<unsigned char>(c) < 0x20)
      made += std::string("\\u00") + "01"[c >> 4] + "0123456789abcdef"[c & 15];
    else
      made += c;
  }
  return made + '"';
}

std::string number_json(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return number_text(value);
}

class Writer {
 public:
  Writer(const JsonStyle& style, Budget& budget) : style_(style), budget_(budget) {}

  std::string write(const Value& value, int64_t level) {
    budget_.charge(16);
    if (value.is_none()) return "null";
    if (const bool* flag = value.get<bool>()) return *flag ? "true" : "false";
    if (const double* number = value.get<double>()) return number_json(*number);
    if (value.is<int64_t>()) return to_text(value, budget_);
    if (const auto* text = value.as_text()) return quoted(*text, budget_);
    if (const auto* dict = value.as_dict()) return write_dict(*dict, level);
    const auto* list = value.as_sequence();
    if (!list || list->kind > SequenceKind::tuple)
      throw Error(std::string("tojson of ") + value.kind() + " is not supported");
    std::vector<std::string> parts;
    for (const Value& one : list->items) parts.push_back(write(one, level + 1));
    return enclosed("[", parts, "]", level);
  }

 private:
  std::string write_dict(const Dict& dict, int64_t level) {
    Pairs pairs = dict.items;
    if (style_.sorted)
      std::stable_sort(pairs.begin(), pairs.end(),
                       [&](const auto& a, const auto& b) { return less(a.first, b.first, budget_); });
    std::vector<std::string> parts;
    for (const auto& [key, value] : pairs) {
      const std::string name = key.as_text() ? *key.as_text() : write(key, level);
      parts.push_back(quoted(name, budget_) + style_.colon + write(value, level + 1));
    }
    return enclosed("{", parts, "}", level);
  }

  std::string enclosed(const char* open, const std::vector<std::string>& parts, const char* end,
                       int64_t level) {
    if (parts.empty()) return std::string(open) + end;
    const auto line = [&](int64_t deep) {
      if (style_.indent < 0) return std::string();
      return "\n" + std::string(static_cast<size_t>(style_.indent * deep), ' ');
    };
    std::string made = open + line(level + 1);
    for (size_t i = 0; i < parts.size(); ++i) {
      budget_.charge(parts[i].size() + static_cast<size_t>(std::max<int64_t>(0, style_.indent) * level));
      made += (i > 0 ? style_.comma + line(level + 1) : "") + parts[i];
    }
    return made + line(level) + end;
  }

  const JsonStyle& style_;
  Budget& budget_;
};

}  // namespace

std::string to_json(const Value& value, const JsonStyle& style, Budget& budget) {
  return Writer(style, budget).write(value, 0);
}

}  // namespace hijack::jinja
