#pragma once
#include <string>
#include <string_view>

#include "src/experiment/report/values/statistics.h"

// Text for the reports. Replies, prompts and file names are hostile: they may hold markup, bytes that are not
// UTF-8, control characters or bidirectional overrides.

namespace hijack::report {

/// Valid UTF-8 in which nothing can reorder or hide its surroundings: bytes outside UTF-8 become U+FFFD,
/// control characters their visible pictures (U+2400...), bidirectional controls "[U+202E]". Line feeds and
/// tabs stay. Longer than `limit` characters: cut, with the number of characters left out.
std::string clean_text(std::string_view text, size_t limit = 4000);

/// clean_text, safe as HTML text and inside quoted attributes.
std::string html(std::string_view text, size_t limit = 4000);
/// clean_text, safe inside a cell of a Markdown table: no markup, no line break.
std::string markdown(std::string_view text, size_t limit = 400);
/// A quoted CSV field; a leading = + - @ is defused so that no spreadsheet runs it.
std::string csv(std::string_view text);

/// "96%", "0.4%", "99.7%"; "–" for NaN.
std::string percent(double rate);
/// "90–98%".
std::string percent(const Interval& interval);
/// Signed percentage points: "+3 pp", "−41 pp", "±0 pp".
std::string points(double difference);
/// The size of a spread: "1.9 pp".
std::string points_size(double difference);
/// About three significant digits, never in exponent form between 0.001 and 1e6; "–" for NaN.
std::string decimal(double value);
/// The shortest text that reads back as the same number; empty where it is not finite.
std::string exact_number(double value);
/// "0.003", "< 0.001".
std::string p_value(double p);
/// "42 s", "3 min 5 s", "2 h 4 min", "0.012 s".
std::string duration(double seconds);

}  // namespace hijack::report
