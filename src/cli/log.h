#pragma once
#include <string>

namespace hijack::cli {

/// Log lines go to stderr, results to stdout.
void start_log();
void log_line(const std::string& text);
void log_warning(const std::string& text);

}  // namespace hijack::cli
