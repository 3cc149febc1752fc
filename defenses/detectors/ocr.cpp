#include "defenses/detectors/ocr.h"

#include "defenses/image/blur.h"
#include "src/base/error.h"
#include "src/base/tensor_math.h"

namespace hijack {
namespace {

constexpr double kSide = 672;               // of the shorter side that the reader sees
constexpr double kNeighborhood = 1 / 28.0;  // deviation of the Gaussian, as a share of the shorter side

int64_t characters(const std::string& text) {
  return std::count_if(text.begin(), text.end(),
                       [](const char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; });
}

}  // namespace

void Ocr::Parameters::check() const {
  check_choice("contrast", contrast, {"plain", "normalized"});
  check_range("shortest", static_cast<double>(shortest), 1, 100);
  check_range("confidence", confidence, 0, 100);
  limit.check();
}

Ocr::Ocr(const Parameters& parameters, const DefenseResources& resources) : parameters_(parameters) {
  parameters_.check();
  fit_on_images(parameters_.limit, resources);
}

SubmissionDetector::Verdict Ocr::judge(const Tensor& image) const {
  Tensor gray = luma(image.cpu().to(at::kFloat));
  const auto shorter = static_cast<double>(std::min(gray.size(2), gray.size(3)));
  if (parameters_.contrast == "normalized")
    gray = normalize_contrast(gray, std::max(1.0, shorter * kNeighborhood));
  const double scale = std::max(1.0, kSide / shorter);
  const auto larger = [&](int64_t side) { return std::lround(static_cast<double>(side) * scale); };
  if (scale > 1)
    gray = at::upsample_bicubic2d(gray, {larger(gray.size(2)), larger(gray.size(3))}, false).clamp(0, 1);
  Verdict verdict;
  for (const ReadWord& word : reader_.read(gray.squeeze(0).squeeze(0))) {
    const int64_t found = characters(word.text);
    if (found < parameters_.shortest || word.confidence < parameters_.confidence) continue;
    verdict.score += static_cast<double>(found);
    verdict.note += (verdict.note.empty() ? "read: " : " ") + word.text;
  }
  return verdict;
}

Tensor normalize_contrast(const Tensor& gray, double sigma) {
  const Tensor centered = gray - gaussian_blur(gray, sigma);
  const Tensor deviation = gaussian_blur(centered.square(), sigma).sqrt();
  return (0.5 + 0.25 * centered / (deviation + 1 / 510.0)).clamp(0, 1);
}

}  // namespace hijack
