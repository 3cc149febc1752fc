#pragma once
#include <cstddef>
#include <filesystem>
#include <string_view>

namespace hijack {

/// A private, writable view of a whole file: what is written stays in memory.
class Mapping {
 public:
  /// Throws Error for what is empty, not a regular file, or cannot be read.
  explicit Mapping(const std::filesystem::path& file);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  char* start() const { return start_; }
  size_t size() const { return size_; }
  std::string_view bytes() const { return {start_, size_}; }

 private:
  char* start_ = nullptr;
  size_t size_ = 0;
};

}  // namespace hijack
