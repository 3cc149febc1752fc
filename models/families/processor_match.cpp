#include "models/families/processor_match.h"

#include <nlohmann/json.hpp>

#include "src/base/error.h"
#include "src/base/json.h"

namespace hijack {
namespace {

constexpr const char* kAdvice = "; the files do not belong together: copy them from one model's page";

}  // namespace

void check_view(const std::filesystem::path& folder, const VisionConfig& tower, int64_t height,
                int64_t width) {
  if (height == tower.image_size && width == tower.image_size) return;
  const std::string side = std::to_string(tower.image_size);
  throw Error(folder.string() + ": the image processor makes images of " + std::to_string(width) + "x" +
              std::to_string(height) + " pixels, but the vision tower of config.json takes " + side + "x" +
              side + kAdvice);
}

void check_image_tokens(const std::filesystem::path& folder, std::optional<int64_t> room, int64_t given) {
  if (!room || *room == given) return;
  throw Error(folder.string() + ": the processor makes room for " + std::to_string(*room) +
              " tokens of a view, but the network of config.json gives " + std::to_string(given) + kAdvice);
}

std::optional<int64_t> room_for_view(const std::filesystem::path& folder, int64_t height, int64_t width) {
  const nlohmann::json settings = processor_settings(folder);
  const auto patch = processor_number(settings, "patch_size");
  if (!patch) return {};
  const bool drops_one = settings.value("vision_feature_select_strategy", nlohmann::json()) == "default";
  return (height / *patch) * (width / *patch) +
         processor_number(settings, "num_additional_image_tokens").value_or(0) - (drops_one ? 1 : 0);
}

nlohmann::json processor_settings(const std::filesystem::path& folder) {
  const auto file = folder / "processor_config.json";
  if (!std::filesystem::is_regular_file(file)) return nlohmann::json::object();
  nlohmann::json settings = read_json(file);
  return settings.is_object() ? settings : nlohmann::json::object();
}

std::optional<int64_t> processor_number(const nlohmann::json& settings, const char* key) {
  const auto found = settings.find(key);
  if (found == settings.end() || !found->is_number_integer()) return {};
  const auto number = found->get<int64_t>();
  return number > 0 ? std::optional(number) : std::nullopt;
}

}  // namespace hijack
