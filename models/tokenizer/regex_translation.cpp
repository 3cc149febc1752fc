#include <set>

#include "models/tokenizer/pattern.h"
#include "src/base/error.h"
#include "src/base/newer_characters.h"
#include "src/base/unicode.h"

// Oniguruma and PCRE2 agree on what tokenizers use, but for some classes and for syntax where they differ
// silently. The first are written out, the second refused by name.
namespace hijack::tokenizer {
namespace {

// White_Space and its complement, as class members (PCRE2's \s would also take U+180E).
constexpr std::string_view kSpace =
    R"(\x09-\x0D\x20\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";
constexpr std::string_view kNotSpace =
    R"(\x00-\x08\x0E-\x1F\x21-\x{84}\x{86}-\x{9F}\x{A1}-\x{167F}\x{1681}-\x{1FFF}\x{200B}-\x{2027})"
    R"(\x{202A}-\x{202E}\x{2030}-\x{205E}\x{2060}-\x{2FFF}\x{3001}-\x{10FFFF})";
// Oniguruma's \w: Alphabetic, M, Nd, Pc (PCRE2 10.42 has only L, N and "_"), and outside of classes the
// Latin-1 characters with a numeric value too.
std::string word(bool in_class) {
  const auto newer = [](const char* category) { return unicode::newer_members(category); };
  return std::string(in_class ? "" : R"(\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE})") +
         R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{24B6}-\x{24E9}\x{1F130}-\x{1F149}\x{1F150}-\x{1F169}\x{1F170}-\x{1F189})" +
         newer("L") + newer("M") + newer("Nd") + newer("Nl") + newer("Pc");
}

// Categories without those that newer characters would have to leave (C, Cn).
bool is_category(std::string_view name) {
  static const std::set<std::string_view> names = {
      "L",  "M",  "N",  "P",  "S",  "Z",  "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No",
      "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Co"};
  return names.contains(name);
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
                unicode::excerpt(in_) + "'");
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
        caseless_.push_back(caseless_.back());
        return group();
      case ')':
        if (caseless_.size() > 1) caseless_.pop_back();
        return copy();
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
    const size_t minus = letters.find('-');
    if (const size_t i = letters.find('i'); i != letters.npos) caseless_.back() = i < minus;
    if (close == ')') {  // (?i): for the rest of the expression
      const bool caseless = caseless_.back();
      caseless_.assign(1, caseless);
    }
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

  void named_class(std::string_view members, bool negated, bool in_class) {
    if (in_class && negated)
      refuse("the negated class '" + std::string(in_.substr(at_, 3)) + "' within a class");
    if (!in_class) out_ += negated ? "[^" : "[";
    out_ += members;
    if (!in_class) out_ += ']';
  }

  void word_boundary(bool negated) {
    const std::string w = "[" + word(false) + "]";
    const std::string edge = "(?:(?<=" + w + ")(?!" + w + ")|(?<!" + w + ")(?=" + w + "))";
    out_ += negated ? "(?!" + edge + ")" : edge;
  }

  void escape(bool in_class) {
    const char c = peek(1);
    const auto is_one_of = [c](std::string_view set) { return c != '\0' && set.find(c) != set.npos; };
    if (is_one_of("pP")) return property(in_class);
    if (c == 'x' || c == 'u') return hexadecimal();
    if (is_one_of("rntfa")) return copy(2);
    if (!in_class && is_one_of("Az")) return copy(2);
    if (c > ' ' && c < 0x7F && !std::isalnum(static_cast<unsigned char>(c))) return copy(2);
    if (is_one_of("sS"))
      named_class(c == 's' ? kSpace : kNotSpace, false, in_class);
    else if (is_one_of("wW"))
      named_class(word(in_class), c == 'W', in_class);
    else if (is_one_of("dD"))
      named_class(R"(\p{Nd})" + unicode::newer_members("Nd"), c == 'D', in_class);
    else if (!in_class && is_one_of("bB"))
      word_boundary(c == 'B');
    else if (c == 'v')
      out_ += R"(\x0B)";
    else
      refuse("the escape '\\" + std::string(1, c) + "'");
    at_ += 2;
  }

  void property(bool in_class) {
    const size_t end = in_.find('}', at_);
    if (peek(2) != '{' || end == in_.npos) refuse("a property without braces");
    std::string name(in_.substr(at_ + 3, end - at_ - 3));
    const bool caret = name.starts_with('^');
    if (caret) name.erase(0, 1);
    const bool negated = caret != (peek(1) == 'P');
    if (caseless_.back() && (name == "Lu" || name == "Ll" || name == "Lt"))
      refuse("\\p{" + name + "} without regard to case");  // PCRE2 changed its meaning in 10.43
    if (is_category(name)) {
      named_class("\\p{" + name + "}" + unicode::newer_members(name), negated, in_class);
    } else if (const auto* newer = unicode::newer_script_members(name)) {
      // PCRE2 reads \p{Han} as the script extensions, Oniguruma as the script.
      named_class("\\p{sc:" + name + "}" + std::string(*newer), negated, in_class);
    } else {
      refuse("the property '" + name + "'");
    }
    at_ = end + 1;
  }

  /// \x41, \x{1F600} and \u00E9.
  void hexadecimal() {
    const bool four = peek(1) == 'u', braces = !four && peek(2) == '{';
    size_t end = at_ + (braces ? 3 : 2);
    const size_t begin = end, longest = braces ? 6 : four ? 4 : 2;
    while (end < in_.size() && end - begin < longest && std::isxdigit(static_cast<unsigned char>(in_[end])))
      ++end;
    const std::string digits(in_.substr(begin, end - begin));
    if (digits.empty() || (four && digits.size() < 4) || (braces && (end >= in_.size() || in_[end] != '}')))
      refuse("the escape '\\" + std::string(1, peek(1)) + "'");
    const unsigned long value = std::stoul(digits, nullptr, 16);
    if (!braces && !four && value > 0x7F) refuse("a byte escape '\\x" + digits + "'");
    if (value >= 0xD800 && value < 0xE000) refuse("half a character, '" + digits + "'");
    out_ += "\\x{" + digits + "}";
    at_ = end + (braces ? 1 : 0);
  }

  std::string_view in_;
  const std::string& where_;
  size_t at_ = 0;
  std::string out_;
  std::vector<bool> caseless_ = {false};  // by open group
};

}  // namespace

std::string translated_regex(std::string_view expression, const std::string& where) {
  return Translator(expression, where).run();
}

}  // namespace hijack::tokenizer
