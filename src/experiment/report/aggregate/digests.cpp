#include "src/experiment/report/aggregate/aggregate.h"

namespace hijack::report {
namespace {

bool is_digest(const nlohmann::json& value) {
  if (!value.is_string()) return false;
  const auto& text = value.get_ref<const std::string&>();
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// "inputs / inputs/1a2b-cat.png / sha256" -> "inputs/1a2b-cat.png"; "models / 3fa2c1… / files /
/// a.safetensors" -> "a.safetensors of model 3fa2c1".
std::string trimmed(std::string path) {
  constexpr std::string_view kFirst = "inputs / ", kLast = " / sha256", kModels = "models / ",
                             kFiles = " / files / ";
  constexpr size_t kDigits = 6;
  if (path.ends_with(kLast)) path.resize(path.size() - kLast.size());
  const size_t files = path.find(kFiles);
  if (path.starts_with(kModels) && files != std::string::npos)
    return path.substr(files + kFiles.size()) + " of model " + path.substr(kModels.size(), kDigits);
  return path.starts_with(kFirst) ? path.substr(kFirst.size()) : path;
}

void collect(const nlohmann::json& value, const std::string& path, std::vector<Digest>& found) {
  constexpr size_t kMost = 200;
  if (found.size() >= kMost) return;
  if (is_digest(value)) found.push_back({trimmed(path), value.get<std::string>()});
  if (!value.is_structured()) return;
  for (const auto& [key, inner] : value.items())
    collect(inner, path.empty() ? key : path + " / " + key, found);
}

}  // namespace

std::vector<Digest> digests(const nlohmann::json& manifest) {
  std::vector<Digest> found;
  collect(manifest, "", found);
  return found;
}

}  // namespace hijack::report
