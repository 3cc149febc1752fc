#include "src/base/unicode_forms.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>
#include <new>

#include "src/base/newer_characters.h"
#include "src/base/unicode.h"

namespace hijack::unicode {

std::string nfkc(std::string_view text) {
  utf8proc_uint8_t* mapped = nullptr;
  constexpr int kForm = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT;
  const auto length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                   static_cast<utf8proc_ssize_t>(text.size()), &mapped,
                                   static_cast<utf8proc_option_t>(kForm));
  const std::unique_ptr<utf8proc_uint8_t, void (*)(void*)> owner(mapped, std::free);
  if (length < 0) throw std::bad_alloc();  // the text is well-formed: nothing else can fail
  return {reinterpret_cast<const char*>(mapped), static_cast<size_t>(length)};
}

bool extends_compatible_segment(char32_t c) {
  return (c >= 0x3131 && c <= 0x318E) || (c >= 0xFF9E && c <= 0xFFDC);
}

bool is_unknown_to_nfkc(char32_t c) {
  return c == 0x32FF || (c >= 0xA7F2 && c <= 0xA7F4) || c == 0xAB69 || (c >= 0x10781 && c <= 0x107BA) ||
         c == 0x1F16C || (c >= 0x1FBF0 && c <= 0x1FBF9);
}

namespace {

/// A mark of Unicode 15 to 17, which utf8proc may not know.
bool is_newer_mark(char32_t c) {
  return (c >= 0x1ACF && c <= 0x1AEB) || newer_category(c) == "Mn";
}

}  // namespace

size_t grapheme_end(std::string_view text, size_t at) {
  CodePoint before = decode(text, at);
  at += before.length;
  utf8proc_int32_t state = 0;
  while (at < text.size()) {
    const CodePoint next = decode(text, at);
    const bool apart = !is_newer_mark(next.value) &&
                       utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(before.value),
                                                        static_cast<utf8proc_int32_t>(next.value), &state);
    if (apart) break;
    before = next;
    at += next.length;
  }
  return at;
}

}  // namespace hijack::unicode
