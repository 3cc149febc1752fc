#include "models/chat_template/jinja/lexer.h"

#include <algorithm>

#include "models/chat_template/jinja/literals.h"
#include "models/chat_template/jinja/texts.h"
#include "src/base/error.h"
#include "src/base/unicode.h"

namespace hijack::jinja {
namespace {

/// Line ends as "\n", without the last one.
std::string with_plain_lines(std::string_view source) {
  std::string made;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    made += source[i] == '\r' ? '\n' : source[i];
  }
  if (made.ends_with('\n')) made.pop_back();
  return made;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(with_plain_lines(source)) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) outside();
    put(TokenType::end, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw Error(at_line(line_, what)); }
  void put(TokenType type, std::string text) { tokens_.push_back({type, std::move(text), line_}); }
  std::string_view rest() const { return std::string_view(source_).substr(at_); }
  bool ahead(std::string_view text) const { return rest().starts_with(text); }

  void advance(size_t bytes) {
    line_ +=
        static_cast<size_t>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                       source_.begin() + static_cast<std::ptrdiff_t>(at_ + bytes), '\n'));
    at_ += bytes;
    if (bytes > 0) line_starting_ = source_[at_ - 1] == '\n';
  }

  void skip_space() { advance(leading_space(rest())); }

  /// The text before the tag at `tag`, whose first character inside is `sign`.
  void put_data(size_t tag, char sign, bool print) {
    std::string_view text = rest().substr(0, tag - at_);
    if (sign == '-') {
      text = without_space_at_end(text);
    } else if (sign != '+' && !print) {
      const size_t newline = text.rfind('\n');
      const size_t from = newline == text.npos ? 0 : newline + 1;
      if ((from > 0 || line_starting_) && leading_space(text.substr(from)) == text.size() - from)
        text = text.substr(0, from);
    }
    if (!text.empty()) put(TokenType::data, std::string(text));
    advance(tag - at_);
  }

  /// The first tag at or after `from`.
  size_t next_tag(size_t from) const {
    for (size_t at = source_.find('{', from); at != source_.npos; at = source_.find('{', at + 1))
      if (at + 1 < source_.size() && std::string_view("{%#").find(source_[at + 1]) != std::string_view::npos)
        return at;
    return source_.npos;
  }

  void outside() {
    const size_t tag = next_tag(at_);
    if (tag == source_.npos) {
      put(TokenType::data, std::string(rest()));
      return advance(rest().size());
    }
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : ' ';
    const char kind = source_[tag + 1];
    put_data(tag, sign, kind == '{');
    const size_t opening = sign == '-' || sign == '+' ? 3 : 2;
    if (kind == '#') return comment(opening);
    if (kind == '%' && raw(opening)) return;
    put(kind == '{' ? TokenType::begin_print : TokenType::begin_block, "");
    advance(opening);
    inside(kind == '{');
  }

  /// Past an end of a tag that may take white space after it, e.g. "%}", whose sign stands before it.
  void close(std::string_view end, bool trims) {
    if (ahead("-")) {
      advance(1 + end.size());
      return skip_space();
    }
    const bool keeps = ahead("+");
    advance((keeps ? 1 : 0) + end.size());
    if (trims && !keeps && ahead("\n")) advance(1);
  }

  bool at_end(std::string_view end, bool plus) const {
    const std::string_view here = rest();
    return here.starts_with(end) || (here.starts_with('-') && here.substr(1).starts_with(end)) ||
           (plus && here.starts_with('+') && here.substr(1).starts_with(end));
  }

  void comment(size_t opening) {
    advance(opening);
    while (at_ < source_.size() && !at_end("#}", true)) advance(1);
    if (at_ >= source_.size()) fail("a comment has no end");
    close("#}", true);
  }

  /// "{% raw %}...{% endraw %}" whose first tag opens with `opening` characters here.
  bool raw(size_t opening) {
    std::string_view after = rest().substr(opening);
    const auto word = [&](std::string_view text) {
      after.remove_prefix(leading_space(after));
      if (!after.starts_with(text)) return false;
      after.remove_prefix(text.size());
      return true;
    };
    if (!word("raw")) return false;
    after.remove_prefix(leading_space(after));
    if (!after.starts_with("-%}") && !after.starts_with("%}")) return false;
    advance(rest().size() - after.size());
    close("%}", false);
    for (size_t tag = source_.find("{%", at_); tag != source_.npos; tag = source_.find("{%", tag + 2)) {
      after = std::string_view(source_).substr(tag + 2);
      const char sign = after.empty() ? ' ' : after.front();
      if (sign == '-' || sign == '+') after.remove_prefix(1);
      if (!word("endraw")) continue;
      after.remove_prefix(leading_space(after));
      if (!after.starts_with("%}") && !after.starts_with("-%}") && !after.starts_with("+%}")) continue;
      put_data(tag, sign, false);
      advance(rest().size() - after.size());
      close("%}", true);
      return true;
    }
    fail("{% raw %} has no end");
  }

  void inside(bool print) {
    std::string open;  // brackets
    const std::string_view end = print ? "}}" : "%}";
    while (true) {
      skip_space();
      if (at_ >= source_.size()) fail(print ? "{{ has no end" : "{% has no end");
      if (open.empty() && at_end(end, !print)) break;
      if (!literal()) symbol(open);
    }
    put(print ? TokenType::end_print : TokenType::end_block, "");
    close(end, !print);
  }

  /// A name, a number or a string.
  bool literal() {
    const bool after_dot = !tokens_.empty() && tokens_.back().is(".") && at_ > 0 && source_[at_ - 1] == '.';
    const Literal found = literal_at(rest(), after_dot);
    if (found.length == 0) return false;
    if (!found.problem.empty()) fail(found.problem);
    put(found.type, found.text);
    advance(found.length);
    return true;
  }

  void symbol(std::string& open) {
    static constexpr std::string_view kSymbols[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                                    "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                                    ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
    for (const std::string_view one : kSymbols) {
      if (!ahead(one)) continue;
      static constexpr std::string_view kOpening = "([{", kClosing = ")]}";
      if (kOpening.find(one) != kOpening.npos) open += kClosing[kOpening.find(one)];
      if (kClosing.find(one) != kClosing.npos) {
        if (open.empty() || open.back() != one.front()) fail("'" + std::string(one) + "' has no beginning");
        open.pop_back();
      }
      put(TokenType::symbol, std::string(one));
      return advance(one.size());
    }
    fail("'" + source_.substr(at_, unicode::decode(source_, at_).length) + "' is not part of the language");
  }

  std::string source_;
  size_t at_ = 0, line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::string at_line(size_t line, const std::string& what) {
  return "line " + std::to_string(line) + ": " + what;
}

std::vector<Token> tokens_of(std::string_view source) {
  return Lexer(source).run();
}

}  // namespace hijack::jinja
