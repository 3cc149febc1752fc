#include "defenses/calibration.h"

#include "src/base/error.h"
#include "src/base/sha256.h"

namespace hijack {
namespace {

constexpr double kRounding = 1e-12;  // relative: 100 * (1 - .01) means 99, and stays there
constexpr double kMostScores = 1e15;
constexpr int64_t kUsualMost = 200;

std::string short_number(double value) {
  std::ostringstream text;
  text.precision(3);
  text << value;
  return text.str();
}

void add(Sha256& hash, const std::string& text) {
  hash.update(std::to_string(text.size()) + ":");
  hash.update(text);
}

void add(Sha256& hash, const Tensor& image) {
  if (!image.defined()) return add(hash, std::string("no image"));
  const Tensor values = image.detach().to(at::kCPU, at::kFloat).contiguous();
  std::string shape;
  for (const int64_t side : values.sizes()) shape += std::to_string(side) + "x";
  add(hash, shape);
  hash.update({static_cast<const char*>(values.const_data_ptr()), values.nbytes()});
}

}  // namespace

int64_t fewest_calibration_scores(double alpha) {
  TORCH_CHECK(alpha >= 0 && alpha < 1, "alpha ", alpha, " is outside [0,1)");
  if (alpha == 0) return kFewestCalibrationScores;
  const double needed = std::ceil(1 / alpha * (1 - kRounding) - 1);
  return std::max(kFewestCalibrationScores, static_cast<int64_t>(std::min(needed, kMostScores)));
}

int64_t most_calibration_scores(double alpha) {
  return std::max(kUsualMost, 2 * fewest_calibration_scores(alpha));
}

double wanted_alpha(double quantile, const DefenseResources& resources) {
  if (quantile <= 0) return resources.false_positive_rate;
  constexpr double kDigits = 1e12;  // 1 - .99 is .01, and is written so
  return std::min(std::round((1 - quantile) * kDigits), kDigits - 1) / kDigits;
}

void check_calibration_size(const std::string& name, const std::string& what, int64_t n, double alpha) {
  const int64_t fewest = fewest_calibration_scores(alpha);
  if (n >= fewest) return;
  std::string text = "Defense '" + name + "' has " + std::to_string(n) + " " + what +
                     " to fit its threshold on, and needs at least " + std::to_string(fewest);
  if (fewest > kFewestCalibrationScores) text += " for a false-positive rate of " + short_number(alpha);
  text += ": give more calibration prompts, ";
  if (n >= kFewestCalibrationScores)
    text += "a larger --false-positive-rate (" + std::to_string(n) + " hold " +
            short_number(std::ceil(1e3 / static_cast<double>(n + 1)) / 1e3) + "), ";
  throw Error(text + "or set the threshold yourself ('threshold=...').");
}

bool same_threshold(double a, double b) {
  constexpr double kRounding = 2e-5, kNothing = 1e-9;  // of float32 logits, as the parity tests take it
  return std::abs(a - b) <= kRounding * std::max(std::abs(a), std::abs(b)) + kNothing;
}

Calibration calibrate(const std::string& name, std::vector<double> benign_scores, double alpha,
                      double ceiling) {
  const auto n = static_cast<int64_t>(benign_scores.size());
  check_calibration_size(name, "benign examples", n, alpha);
  for (double score : benign_scores)
    if (!std::isfinite(score))
      throw Failure("Defense '" + name + "' scored a benign example with a number that is not finite.");
  std::sort(benign_scores.begin(), benign_scores.end());
  const auto above = static_cast<double>(n + 1);
  const auto rank = static_cast<int64_t>(std::ceil(above * (1 - alpha) * (1 - kRounding)));
  const int64_t taken = alpha == 0 ? n : std::clamp<int64_t>(rank, 1, n);
  return {.name = name,
          .threshold = benign_scores[static_cast<size_t>(taken - 1)],
          .alpha = alpha,
          .n = n,
          .false_alarm_bound = static_cast<double>(n + 1 - taken) / above,
          .ceiling = ceiling};
}

std::string submissions_sha256(std::span<const Submission> submissions) {
  Sha256 hash;
  for (const Submission& submission : submissions) {
    add(hash, submission.query.prompt);
    add(hash, submission.query.system);
    add(hash, std::to_string(submission.query.earlier.size()));
    for (const Turn& turn : submission.query.earlier) {
      add(hash, turn.user);
      add(hash, turn.assistant);
    }
    add(hash, submission.image);
  }
  return hash.finish();
}

}  // namespace hijack
