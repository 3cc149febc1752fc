#define PCRE2_CODE_UNIT_WIDTH 8
#include "models/tokenizer/pattern.h"

#include <pcre2.h>

#include "src/base/error.h"
#include "src/base/unicode.h"

namespace hijack::tokenizer {
namespace {

constexpr size_t kLongestExpression = 64 << 10;
constexpr uint32_t kMatchSteps = 20'000'000;  // a hostile pattern fails within about a second
constexpr uint32_t kMatchDepth = 1'000'000;
constexpr uint32_t kMatchHeapKiB = 256 << 10;

std::string message_of(int code) {
  PCRE2_UCHAR text[256];
  return pcre2_get_error_message(code, text, sizeof text) < 0 ? "error " + std::to_string(code)
                                                              : reinterpret_cast<const char*>(text);
}

void add(std::vector<Match>& parts, size_t& previous, size_t begin, size_t end) {
  if (previous != begin) parts.push_back({previous, begin, false});
  parts.push_back({begin, end, true});
  previous = end;
}

}  // namespace

/// What PCRE2 hands out, released by its own functions.
template <class T, void (*release)(T*)>
struct Released {
  void operator()(T* pointer) const { release(pointer); }
};
using MatchData = std::unique_ptr<pcre2_match_data, Released<pcre2_match_data, pcre2_match_data_free>>;

struct Pattern::Compiled {
  std::string expression;
  std::unique_ptr<pcre2_code, Released<pcre2_code, pcre2_code_free>> code;
  std::unique_ptr<pcre2_match_context, Released<pcre2_match_context, pcre2_match_context_free>> context;

  /// The leftmost match at or after `start`; false when there is none.
  bool find(std::string_view text, size_t start, pcre2_match_data* data, Match& match) const {
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    int found = pcre2_match(code.get(), subject, text.size(), start, PCRE2_NO_UTF_CHECK, data, context.get());
    if (found == PCRE2_ERROR_JIT_STACKLIMIT)  // the interpreter keeps its stack on the heap
      found = pcre2_match(code.get(), subject, text.size(), start, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data,
                          context.get());
    if (found == PCRE2_ERROR_NOMATCH) return false;
    if (found < 0)
      throw Error("the tokenizer's pattern '" + expression + "' cannot be matched on this text (" +
                  message_of(found) + "); use another tokenizer or a shorter text");
    const size_t* bounds = pcre2_get_ovector_pointer(data);
    match = {bounds[0], bounds[1], true};
    return true;
  }
};

std::vector<Match> cover_characters(std::string_view text, bool (*matches)(char32_t)) {
  std::vector<Match> parts;
  size_t previous = 0;
  for (size_t at = 0; at < text.size();) {
    const auto c = unicode::decode(text, at);
    if (matches(c.value)) {
      if (previous < at) parts.push_back({previous, at, false});
      parts.push_back({at, at + c.length, true});
      previous = at + c.length;
    }
    at += c.length;
  }
  if (previous < text.size()) parts.push_back({previous, text.size(), false});
  return parts;
}

Pattern Pattern::literal(std::string text) {
  Pattern pattern;
  pattern.literal_ = std::move(text);
  return pattern.literal_.empty() ? regex("", "pattern") : pattern;
}

Pattern Pattern::regex(const std::string& expression, const std::string& where) {
  if (expression.size() > kLongestExpression) throw Error(where + ": a pattern is longer than 64 KiB");
  const std::string translated = translated_regex(expression, where);
  auto compiled = std::make_shared<Compiled>();
  compiled->expression = unicode::excerpt(expression);
  const std::unique_ptr<pcre2_compile_context, Released<pcre2_compile_context, pcre2_compile_context_free>>
      options(pcre2_compile_context_create(nullptr));
  pcre2_set_newline(options.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  size_t at = 0;
  compiled->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                     PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                                     &error, &at, options.get()));
  if (!compiled->code)
    throw Error(where + ": the pattern '" + compiled->expression + "' is not understood (" +
                message_of(error) + ")");
  pcre2_jit_compile(compiled->code.get(),
                    PCRE2_JIT_COMPLETE);  // where there is no JIT, the interpreter is used
  compiled->context.reset(pcre2_match_context_create(nullptr));
  pcre2_set_match_limit(compiled->context.get(), kMatchSteps);
  pcre2_set_depth_limit(compiled->context.get(), kMatchDepth);
  pcre2_set_heap_limit(compiled->context.get(), kMatchHeapKiB);
  Pattern pattern;
  pattern.compiled_ = std::move(compiled);
  return pattern;
}

bool Pattern::matches_empty() const {
  uint32_t empty = 0;
  if (compiled_) pcre2_pattern_info(compiled_->code.get(), PCRE2_INFO_MATCHEMPTY, &empty);
  return empty != 0;
}

std::vector<Match> Pattern::cover(std::string_view text) const {
  if (text.empty()) return {{0, 0, false}};
  std::vector<Match> parts;
  size_t previous = 0;
  if (!compiled_) {
    for (size_t at = text.find(literal_); at != text.npos; at = text.find(literal_, previous))
      add(parts, previous, at, at + literal_.size());
  } else {
    const MatchData data(pcre2_match_data_create_from_pattern(compiled_->code.get(), nullptr));
    bool any = false;
    Match match;
    for (size_t start = 0; start <= text.size() && compiled_->find(text, start, data.get(), match);) {
      if (match.begin == match.end && any && match.end == previous) {  // no empty match right after a match
        start += start < text.size() ? unicode::decode(text, start).length : 1;
        continue;
      }
      add(parts, previous, match.begin, match.end);
      start = match.end;
      any = true;
    }
  }
  if (previous != text.size()) parts.push_back({previous, text.size(), false});
  return parts;
}

}  // namespace hijack::tokenizer
