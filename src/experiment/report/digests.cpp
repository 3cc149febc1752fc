#include "src/experiment/report/aggregate.h"

namespace hijack::report {
namespace {

bool is_digest(const nlohmann::json& value) {
  if (!value.is_string()) return false;
  const auto& text = value.get_ref<const std::string&>();
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// "inputs / a.safetensors / sha256" -> "a.safetensors".
std::string trimmed(std::string path) {
  constexpr std::string_view kFirst = "inputs / ", kLast = " / sha256";
  if (path.ends_with(kLast)) path.resize(path.size() - kLast.size());
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
