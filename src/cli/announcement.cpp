#include "src/cli/announcement.h"

#include <chrono>

#include "src/cli/log.h"

namespace hijack::cli {

Announcement::Announcement(std::vector<std::string> lines)
    : lines_(std::move(lines)), waiting_([this](const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, stop, std::chrono::seconds(2), [this] { return lines_.empty(); });
        if (!stop.stop_requested()) print();
      }) {}

Announcement::~Announcement() {
  waiting_.request_stop();
}

void Announcement::begun() {
  const std::scoped_lock lock(mutex_);
  print();
}

void Announcement::print() {
  for (const std::string& line : lines_) log_line(line);
  lines_.clear();
}

}  // namespace hijack::cli
