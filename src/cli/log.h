#pragma once
#include <string>

namespace hijack::cli {

/// Log lines go to stderr, results to stdout.
void start_log();
/// --quiet: notes and progress are left out from here on; warnings stay.
void silence_notes();
bool notes_are_silent();
void log_line(const std::string& text);
void log_warning(const std::string& text);

}  // namespace hijack::cli
