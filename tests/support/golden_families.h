#pragma once
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "src/base/file.h"

namespace hijack::support {

/// One folder of tests/golden of each family with images: {model_type, "llava/clip_gqa"}.
inline std::map<std::string, std::string> golden_families() {
  namespace fs = std::filesystem;
  const fs::path golden = fs::path(HIJACK_SOURCE_DIR) / "tests/golden";
  std::map<std::string, std::string> found;
  for (const auto& family : fs::directory_iterator(golden)) {
    if (!family.is_directory() || family.path().filename() == "text" ||
        family.path().filename() == "encoders")
      continue;
    for (const auto& one : fs::directory_iterator(family)) {
      const fs::path config = one.path() / "config.json";
      if (!fs::is_regular_file(config) || !fs::is_regular_file(one.path() / "expected.json")) continue;
      const std::string type = nlohmann::json::parse(read_file(config)).value("model_type", "");
      const std::string folder = fs::relative(one.path(), golden).string();
      if (type == "llava_llama") continue;  // its tower is not in the folder
      if (!found.contains(type) || folder < found[type]) found[type] = folder;
    }
  }
  return found;
}

}  // namespace hijack::support
