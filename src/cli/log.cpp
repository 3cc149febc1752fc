#include "src/cli/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace hijack::cli {

void start_log() {
  spdlog::set_default_logger(spdlog::stderr_color_mt("hijack"));
  spdlog::set_pattern("%H:%M:%S %^%l%$ %v");
}

void silence_notes() {
  spdlog::set_level(spdlog::level::warn);
}
bool notes_are_silent() {
  return !spdlog::should_log(spdlog::level::info);
}

void log_line(const std::string& text) {
  spdlog::info("{}", text);
}
void log_warning(const std::string& text) {
  spdlog::warn("{}", text);
}

}  // namespace hijack::cli
