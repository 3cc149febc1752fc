#include <array>
#include <set>

#include "models/tokenizer/pattern.h"
#include "src/base/error.h"

// Oniguruma and PCRE2 agree on what tokenizers use, but for some classes and for syntax where they differ
// silently. The first are written out, the second refused by name.
namespace hijack {
namespace {

// White_Space and its complement, as class members (PCRE2's \s would also take U+180E).
constexpr std::string_view kSpace =
    R"(\x09-\x0D\x20\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";
constexpr std::string_view kNotSpace =
    R"(\x00-\x08\x0E-\x1F\x21-\x{84}\x{86}-\x{9F}\x{A1}-\x{167F}\x{1681}-\x{1FFF}\x{200B}-\x{2027})"
    R"(\x{202A}-\x{202E}\x{2030}-\x{205E}\x{2060}-\x{2FFF}\x{3001}-\x{10FFFF})";
// Oniguruma's \w: Alphabetic, M, Nd, Pc (PCRE2 10.42 has only L, N and "_").
constexpr std::string_view kWord =
    R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{24B6}-\x{24E9}\x{1F130}-\x{1F149}\x{1F150}-\x{1F169}\x{1F170}-\x{1F189})";

const std::set<std::string, std::less<>>& binary_properties() {
  static const std::set<std::string, std::less<>> names = {
      "Any",         "Alphabetic", "Uppercase", "Lowercase", "White_Space", "Emoji",
      "Ideographic", "ASCII",      "Math",      "Dash",      "Hex_Digit",   "Extended_Pictographic"};
  return names;
}

class Translator {
 public:
  Translator(std::string_view in, const std::string& where) : in_(in), where_(where) {}

  std::string run() {
    if (in_.find('\0') != in_.npos) refuse("a NUL");
    while (at_ < in_.size()) step();
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(where_ + ": unsupported component: " + what + " in the regular expression '" +
                std::string(in_.substr(0, 200)) + "'");
  }
  char peek(size_t ahead = 0) const { return at_ + ahead < in_.size() ? in_[at_ + ahead] : '\0'; }
  void copy(size_t n = 1) {
    out_ += in_.substr(at_, n);
    at_ += n;
  }

  void step() {
    switch (peek()) {
      case '\\':
        return escape(false);
      case '[':
        return character_class();
      case '(':
        return group();
      case '{':
        return interval();
      default:
        return copy();
    }
  }

  void group() {
    if (peek(1) == '*') refuse("(*");
    if (peek(1) != '?') return copy();
    const char kind = peek(2);
    if (kind == ':' || kind == '=' || kind == '!' || kind == '>') return copy(3);
    if (kind == '<' && (peek(3) == '=' || peek(3) == '!')) return copy(4);
    flags();
  }

  void
  flags() {  // (?i:...), (?m:...) = PCRE2's (?s:...); (?i) only where both agree on its reach: at the start
    const bool first = at_ == 0;
    std::string letters;
    size_t end = at_ + 2;
    for (; end < in_.size() && (in_[end] == 'i' || in_[end] == 'm' || in_[end] == '-'); ++end)
      letters += in_[end] == 'm' ? 's' : in_[end];
    const char close = end < in_.size() ? in_[end] : '\0';
    if (letters.empty() || letters.back() == '-' || (close != ':' && !(close == ')' && first)))
      refuse("the group '" + std::string(in_.substr(at_, 4)) + "'");
    out_ += "(?" + letters + close;
    at_ = end + 1;
  }

  void interval() {
    size_t end = at_ + 1;
    while (end < in_.size() && (std::isdigit(static_cast<unsigned char>(in_[end])) || in_[end] == ',')) ++end;
    if (end >= in_.size() || in_[end] != '}' || end == at_ + 1) refuse("the brace '{'");
    const std::string_view bounds = in_.substr(at_ + 1, end - at_ - 1);
    const char next = end + 1 < in_.size() ? in_[end + 1] : '\0';
    if (next == '+') refuse("a possessive interval");
    if (next == '?' && bounds.find(',') == bounds.npos) refuse("a lazy fixed interval");
    out_ += bounds.front() == ',' ? "{0" + std::string(bounds) + "}" : "{" + std::string(bounds) + "}";
    at_ = end + 1;
  }

  void character_class() {
    copy();
    if (peek() == '^') copy();
    if (peek() == ']') refuse("an empty class");
    while (peek() != ']') {
      if (at_ >= in_.size()) refuse("a class that does not end");
      if (peek() == '[') refuse("a class within a class");
      if (peek() == '&' && peek(1) == '&') refuse("an intersection of classes");
      if (peek() == '\\')
        escape(true);
      else
        copy();
    }
    copy();
  }

  void escape(bool in_class) {
    const char c = peek(1);
    const auto named = [&](std::string_view members) {
      out_ += in_class ? std::string(members) : "[" + std::string(members) + "]";
      at_ += 2;
    };
    if (c == 's') return named(kSpace);
    if (c == 'S') return named(kNotSpace);
    if (c == 'w') return named(kWord);
    if (c == 'p' || c == 'P') return property();
    if (c == 'x') return hexadecimal();
    if (c == 'W' && !in_class) {
      out_ += "[^" + std::string(kWord) + "]";
    } else if ((c == 'b' || c == 'B') && !in_class) {
      const std::string w = "[" + std::string(kWord) + "]";
      const std::string edge = "(?:(?<=" + w + ")(?!" + w + ")|(?<!" + w + ")(?=" + w + "))";
      out_ += c == 'b' ? edge : "(?!" + edge + ")";
    } else if (c == 'v') {
      out_ += R"(\x0B)";
    } else if (std::string_view("dDrntfa").find(c) != std::string_view::npos && c != '\0') {
      return copy(2);
    } else if ((c == 'A' || c == 'z' || c == 'Z') && !in_class) {
      return copy(2);
    } else if (c != '\0' && static_cast<unsigned char>(c) < 0x80 &&
               !std::isalnum(static_cast<unsigned char>(c))) {
      return copy(2);
    } else {
      refuse("the escape '\\" + std::string(1, c) + "'");
    }
    at_ += 2;
  }

  void property() {
    const size_t end = in_.find('}', at_);
    if (peek(2) != '{' || end == in_.npos) refuse("a property without braces");
    std::string name(in_.substr(at_ + 3, end - at_ - 3));
    const std::string negation = !name.empty() && name[0] == '^' ? "^" : "";
    name = name.substr(negation.size());
    if (name.empty() ||
        name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_") != name.npos)
      refuse("the property '" + name + "'");
    // PCRE2 reads \p{Han} as the script extensions, Oniguruma as the script.
    const bool plain = name.size() <= 2 || binary_properties().contains(name);
    out_ += std::string(in_.substr(at_, 2)) + "{" + negation + (plain ? "" : "sc:") + name + "}";
    at_ = end + 1;
  }

  void hexadecimal() {
    const bool braces = peek(2) == '{';
    size_t end = at_ + (braces ? 3 : 2);
    const size_t begin = end, longest = braces ? 6 : 2;
    while (end < in_.size() && end - begin < longest && std::isxdigit(static_cast<unsigned char>(in_[end])))
      ++end;
    if (end == begin || (braces && (end >= in_.size() || in_[end] != '}'))) refuse("the escape '\\x'");
    const std::string digits(in_.substr(begin, end - begin));
    if (!braces && std::stoul(digits, nullptr, 16) > 0x7F) refuse("a byte escape '\\x" + digits + "'");
    out_ += "\\x{" + digits + "}";
    at_ = end + (braces ? 1 : 0);
  }

  std::string_view in_;
  const std::string& where_;
  size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string translated_regex(std::string_view expression, const std::string& where) {
  return Translator(expression, where).run();
}

}  // namespace hijack
