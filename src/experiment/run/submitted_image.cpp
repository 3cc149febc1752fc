#include "src/experiment/run/submitted_image.h"

#include "src/base/image.h"
#include "src/base/random.h"
#include "src/experiment/plan/shipped.h"
#include "src/pocket/contexts.h"

namespace hijack {
namespace {

constexpr uint64_t kSceneSeed = 0xca11b;
constexpr size_t kScenesAtOnce = 64;
constexpr double kSmallestWindow = 0.5;
constexpr std::array kPhotos = {"astronaut.png",
                                "calibration/brick.jpg",
                                "calibration/camera.jpg",
                                "calibration/clock.jpg",
                                "calibration/grass.jpg",
                                "calibration/gravel.jpg",
                                "calibration/hubble.jpg",
                                "calibration/retina.jpg",
                                "chelsea.png",
                                "coffee.png",
                                "rocket.jpg"};

std::filesystem::path file_of(const std::string& name) {
  return shipped_data() / "images" / name;
}

/// [1,3,H,W] -> [768], of mean 0 and norm 1; zeros for a picture without contrast.
Tensor thumbnail(const Tensor& image) {
  constexpr int64_t kSide = 16;
  Tensor small = at::adaptive_avg_pool2d(image.cpu().to(at::kDouble), {kSide, kSide}).flatten();
  small = small - small.mean();
  const double norm = small.norm().item<double>();
  constexpr double kFlat = 1e-3;
  return norm > kFlat ? small / norm : at::zeros_like(small);
}

/// A part of a picture [1,3,H,W], mirrored half the time.
Tensor window(const Tensor& image, Random random) {
  const double share = random.uniform(kSmallestWindow, 1);
  const auto length = [&](int64_t side) {
    return std::max<int64_t>(1, std::llround(share * static_cast<double>(side)));
  };
  const int64_t height = length(image.size(2)), width = length(image.size(3));
  const int64_t top = random.between(0, image.size(2) - height);
  const int64_t left = random.between(0, image.size(3) - width);
  const Tensor part = image.narrow(2, top, height).narrow(3, left, width);
  return (random.chance(.5) ? part.flip({3}) : part).contiguous();
}

}  // namespace

Tensor as_submitted(const VisionLanguageModel& model, const std::string& space, const Tensor& image) {
  const Tensor given = image.cpu();
  return space == "photo" ? given : model.to_input_space(given).cpu();
}

bool same_picture(const Tensor& a, const Tensor& b) {
  constexpr double kSame = 0.95;
  const Tensor first = thumbnail(a);
  return (first * thumbnail(b)).sum().item<double>() >= kSame ||
         (first * thumbnail(b.flip({3}))).sum().item<double>() >= kSame;
}

BenignPictures::BenignPictures(std::shared_ptr<const VisionLanguageModel> model, std::string space)
    : model_(std::move(model)), space_(std::move(space)) {}

Tensor BenignPictures::scene(size_t index) {
  for (size_t asked = kScenesAtOnce; index >= scenes_.size(); asked *= 2) {
    size_t found = 0;  // a larger set begins with the smaller one
    for (const UtilityItem& item : utility_set(Texts::kNatural, static_cast<int64_t>(asked), kSceneSeed))
      if (item.image.defined() && found++ == scenes_.size())
        scenes_.push_back(as_submitted(*model_, space_, from_bytes(item.image).unsqueeze(0)));
  }
  return scenes_[index];
}

const Tensor& BenignPictures::whole(const std::string& name) {
  Tensor& image = whole_[name];
  if (!image.defined()) image = load_image(file_of(name));
  return image;
}

std::vector<std::string> BenignPictures::photos_beside(const std::vector<Tensor>& attacked) {
  std::vector<std::string> names;
  for (const char* name : kPhotos) {
    if (!std::filesystem::exists(file_of(name))) continue;
    const Tensor& photo = whole(name);
    const Tensor resized = model_->to_input_space(photo).cpu();  // it may have been cropped on the way
    if (std::none_of(attacked.begin(), attacked.end(), [&](const Tensor& other) {
          return same_picture(other, photo) || same_picture(other, resized);
        }))
      names.emplace_back(name);
  }
  return names;
}

Tensor BenignPictures::photo(const std::string& name, size_t index) {
  Tensor& image = windows_[{name, index}];
  if (!image.defined()) {
    const Random random = Random(kSceneSeed).fork("window of " + name, index);
    image = as_submitted(*model_, space_, index == 0 ? whole(name) : window(whole(name), random));
  }
  return image;
}

}  // namespace hijack
