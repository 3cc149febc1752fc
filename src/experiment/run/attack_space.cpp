#include "src/experiment/run/attack_space.h"

#include "attacks/wrappers/universal.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/experiment/run/shown_images.h"
#include "src/experiment/run/submitted_image.h"

namespace hijack {
namespace {

std::vector<Tensor> read_photos(const VisionLanguageModel& model, const AttackConfig& config,
                                const std::vector<std::string>& files) {
  std::vector<Tensor> photos;
  for (const std::string& file : files)
    photos.push_back(in_attack_space(model, config, file).to(model.device()));
  return photos;
}

void check_sizes(const std::vector<Tensor>& photos, const Tensor& first) {
  for (const Tensor& photo : photos)
    if (photo.sizes() != first.sizes())
      throw Error("a universal image needs photos of one size, but one has " + std::to_string(photo.size(3)) +
                  " x " + std::to_string(photo.size(2)) + " pixels and the first " +
                  std::to_string(first.size(3)) + " x " + std::to_string(first.size(2)) +
                  ": use --space input, or scale them.");
}

}  // namespace

Tensor in_attack_space(const VisionLanguageModel& model, const AttackConfig& config,
                       const std::string& file) {
  return as_submitted(model, config.space, load_image(file));
}

std::vector<Tensor> attacked_photos(const VisionLanguageModel& model, const AttackConfig& config) {
  std::vector<Tensor> photos;
  for (const auto* files : {&config.images, &config.held_out_images})
    for (const std::string& file : *files) photos.push_back(in_attack_space(model, config, file));
  return photos;
}

void check_photos(const VisionLanguageModel& model, const AttackConfig& config) {
  if (config.images.empty()) return;
  const auto photos = read_photos(model, config, config.images);
  make_constraint(config.constraint, photos[0].size(2), photos[0].size(3));
  if (!config.universal) return;
  check_sizes(photos, photos[0]);
  check_sizes(read_photos(model, config, config.held_out_images), photos[0]);
}

AttackSpace::AttackSpace(const VisionLanguageModel& model, const AttackConfig& config_in)
    : config(config_in), photos(read_photos(model, config, config.images)) {
  if (photos.empty()) {  // a language model
    photos.resize(1);
    constraint = LinfBall{0};
    return;
  }
  check_sizes(photos, photos[0]);
  if (config.universal) held_out = read_photos(model, config, config.held_out_images);
  check_sizes(held_out, photos[0]);
  constraint = make_constraint(config.constraint, photos[0].size(2), photos[0].size(3));
  origin = config.universal ? carrier_for(constraint, photos[0]) : photos[0];
  if (!moving()) return;
  place_in_attack = {moving()->top, moving()->left};
  place_in_file = hijack::place_in_file(*moving(), origin, config.seeds[0]);
}

std::string AttackSpace::described() const {
  std::string text = describe(constraint);
  constexpr std::string_view kInput = "(model input space)";
  if (config.space == "photo" && text.ends_with(kInput))
    text.replace(text.size() - kInput.size(), kInput.size(), "(photo space)");
  if (config.universal) text += ", universal over " + std::to_string(photos.size()) + " photos";
  return text;
}

Tensor AttackSpace::shown(const Tensor& image, const Tensor& photo) const {
  if (!config.universal) return image;
  const at::NoGradGuard no_grad;
  return quantize(with_change(constraint, image, origin, photo));  // sums of lattice points, rounding aside
}

}  // namespace hijack
