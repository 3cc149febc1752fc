#include "src/experiment/report/values/text.h"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "src/base/unicode.h"

namespace hijack::report {
namespace {

bool is_bidi_control(char32_t value) {
  return value == 0x200E || value == 0x200F || value == 0x061C || (value >= 0x202A && value <= 0x202E) ||
         (value >= 0x2066 && value <= 0x2069);
}

/// One character, visible and harmless.
void append(std::string& out, std::string_view text, size_t at, size_t length) {
  const char32_t value = unicode::decode(text, at).value;
  if (is_bidi_control(value)) {
    char name[16];
    std::snprintf(name, sizeof name, "[U+%04X]", static_cast<unsigned>(value));
    out += name;
  } else if (value < 0x20 && value != '\n' && value != '\t') {
    unicode::append(out, 0x2400 + value);
  } else if (value == 0x7F) {
    unicode::append(out, 0x2421);
  } else if (value >= 0x80 && value < 0xA0) {
    out += unicode::kReplacement;
  } else {
    out += text.substr(at, length);
  }
}

std::string format(const char* pattern, double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, pattern, value);
  return buffer;
}

constexpr const char* kNone = "–";

}  // namespace

std::string clean_text(std::string_view text, size_t limit) {
  std::string out;
  size_t characters = 0, left_out = 0;
  for (size_t at = 0, bad = 0; at < text.size();) {
    const size_t length = unicode::sequence_length(text, at, &bad);
    if (characters++ >= limit)
      ++left_out;
    else if (length == 0)
      out += unicode::kReplacement;
    else
      append(out, text, at, length);
    at += std::max<size_t>(length, 1);
  }
  if (left_out) out += "… (" + std::to_string(left_out) + " more characters)";
  return out;
}

std::string html(std::string_view text, size_t limit) {
  std::string out;
  for (const char c : clean_text(text, limit)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string markdown(std::string_view text, size_t limit) {
  std::string out;
  for (const char c : clean_text(text, limit)) {
    if (c == '\n' || c == '\t')
      out += ' ';
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (std::string_view("\\`*_{}[]|#!~$").find(c) != std::string_view::npos)
      (out += '\\') += c;
    else
      out += c;
  }
  return out;
}

std::string csv(std::string_view text) {
  std::string out = "\"";
  if (!text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos) out += '\'';
  for (const char c : clean_text(text, SIZE_MAX)) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

std::string percent(double rate) {
  if (!std::isfinite(rate)) return kNone;
  const double value = 100 * rate;
  if (value > 0 && value < 0.05) return "< 0.1%";
  if (value < 100 && value > 99.95) return "> 99.9%";
  // Whole percents, except where rounding would claim 0 or 100 that was not measured.
  const bool near_end = (value > 0 && value < 0.95) || (value > 99.05 && value < 100);
  return format(near_end ? "%.1f%%" : "%.0f%%", value);
}

std::string percent(const Interval& interval) {
  std::string low = percent(interval.low);
  low.pop_back();  // "90–98%"
  return low + "–" + percent(interval.high);
}

std::string points(double difference) {
  if (!std::isfinite(difference)) return kNone;
  const std::string size = format("%.0f", std::abs(100 * difference));
  if (size == "0") return "±0 pp";
  return (difference < 0 ? "−" : "+") + size + " pp";
}

std::string points_size(double difference) {
  return std::isfinite(difference) ? format("%.1f pp", 100 * difference) : kNone;
}

std::string decimal(double value) {
  if (!std::isfinite(value)) return kNone;
  const double size = std::abs(value);
  if (value == std::round(value) && size < 1e6) return format("%.0f", value);
  if (size >= 1e6 || size < 1e-3) return format("%.2e", value);
  return format(size >= 100 ? "%.0f" : size >= 10 ? "%.1f" : size >= 1 ? "%.2f" : "%.3f", value);
}

std::string exact_number(double value) {
  return std::isfinite(value) ? nlohmann::json(value).dump() : "";
}

std::string p_value(double p) {
  if (!std::isfinite(p)) return kNone;
  return p < 0.001 ? "< 0.001" : format(p < 0.1 ? "%.3f" : "%.2f", p);
}

std::string duration(double seconds) {
  if (!std::isfinite(seconds)) return kNone;
  if (seconds < 10) return decimal(seconds) + " s";
  const auto whole = static_cast<int64_t>(std::llround(std::min(seconds, 1e12)));
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3600) return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
  return std::to_string(whole / 3600) + " h " + std::to_string(whole % 3600 / 60) + " min";
}

}  // namespace hijack::report
