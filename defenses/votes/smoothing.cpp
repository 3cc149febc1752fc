#include "defenses/votes/smoothing.h"

#include "src/base/distributions.h"
#include "src/base/error.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

constexpr double kAbstainThreshold = 0.5;

std::string rounded(double value) {
  std::ostringstream text;
  text.precision(3);
  text << value;
  return text.str();
}

}  // namespace

void Smoothing::Parameters::check() const {
  check_range("sigma", sigma, 0.01, 255);
  check_range("copies", static_cast<double>(copies), 1, 100000);
  check_range("selection", static_cast<double>(selection), 1, 1000);
  check_range("alpha", alpha, 1e-9, 0.5);
  if (abstain && clopper_pearson_low(copies, copies, alpha) <= kAbstainThreshold)
    throw Error("Defense 'smoothing' with abstain rejects everything: even " + std::to_string(copies) +
                " equal replies certify nothing at alpha " + rounded(alpha) + "; raise copies.");
}

Smoothing::Smoothing(const Parameters& parameters)
    : CopyVote(parameters.selection + parameters.copies, parameters.seed), parameters_(parameters) {
  parameters_.check();
}

Tensor Smoothing::changed(const Tensor& image, Random& random) const {
  const Tensor noise = uploaded(random.normal_tensor(image.sizes()), image.options().dtype(at::kFloat));
  return (image + noise * (parameters_.sigma / 255)).clamp(0, 1);
}

std::vector<Calibration> Smoothing::calibrations() const {
  if (!parameters_.abstain) return {};
  return {{.name = name(), .threshold = kAbstainThreshold, .ceiling = 1}};
}

Reply Smoothing::decided(const std::vector<Reply>& replies, StageTrace& stage) const {
  const auto all = std::span(replies);
  const auto chosen = static_cast<size_t>(parameters_.selection);
  const Reply& top = replies[majority(all.first(chosen)).member];
  // Counted on fresh copies: the bound would not hold on those that chose the reply.
  const int64_t votes = votes_for(top, all.subspan(chosen));
  const double low = clopper_pearson_low(votes, parameters_.copies, parameters_.alpha);
  const double radius = certified_radius(parameters_.sigma, low);
  stage.note = std::to_string(votes) + " of " + std::to_string(parameters_.copies) +
               " copies agree, probability at least " + rounded(low);
  stage.note += radius > 0 ? ", certified l2 radius " + rounded(radius / 255) : ", no certificate";
  if (!parameters_.abstain) return top;
  stage.score = 1 - low;
  stage.threshold = kAbstainThreshold;
  stage.rejected = radius == 0;
  return stage.rejected ? Reply{.text = kRejectionText, .rejected = true} : top;
}

double certified_radius(double sigma, double low) {
  return low > 0.5 ? sigma * normal_quantile(low) : 0;
}

}  // namespace hijack
