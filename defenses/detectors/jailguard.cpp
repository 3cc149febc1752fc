#include "defenses/detectors/jailguard.h"

#include "defenses/image/mutations.h"
#include "defenses/votes/copy_vote.h"
#include "src/base/image.h"

namespace hijack {
namespace {

constexpr double kFloor = 0.01;  // replies without a common word: KL stays finite

std::map<std::string, double> word_counts(const std::string& text) {
  std::istringstream words(normalized_reply(text));
  std::map<std::string, double> counts;
  for (std::string word; words >> word;) ++counts[word];
  return counts;
}

double dot(const std::map<std::string, double>& a, const std::map<std::string, double>& b) {
  double sum = 0;
  for (const auto& [word, count] : a)
    if (const auto found = b.find(word); found != b.end()) sum += count * found->second;
  return sum;
}

double kullback_leibler(const std::vector<double>& p, const std::vector<double>& q) {
  double sum = 0;
  for (size_t k = 0; k < p.size(); ++k) sum += p[k] * std::log(p[k] / q[k]);
  return std::max(sum, 0.0);  // equal distributions: rounding may give -1e-17
}

/// The order of the replies must not decide whether a score lies above another.
double without_rounding(double value) {
  constexpr double kDigits = 1e12;
  return std::round(value * kDigits) / kDigits;
}

}  // namespace

void JailGuard::Parameters::check() const {
  check_range("copies", static_cast<double>(copies), 2, 100);
  check_choice("mutations", mutations, mutation_sets());
  limit.check();
}

JailGuard::JailGuard(const Parameters& parameters, const DefenseResources& resources)
    : parameters_(parameters) {
  parameters_.check();
  fit(parameters_.limit, resources, [&](const std::vector<Submission>& benign) {
    std::vector<double> scores;
    for (const Verdict& verdict : verdicts(benign, calibration_responder(resources, name())))
      scores.push_back(verdict.score);
    return scores;
  });
}

Tensor JailGuard::surrogate(const Tensor& image, Random& random) const {
  return random.below(parameters_.copies + 1) == 0 ? image : copy(image, random);
}

Tensor JailGuard::copy(const Tensor& image, Random& random) const {
  return mutated(drawn_mutation(parameters_.mutations, random), image, random);
}

SubmissionDetector::Verdict JailGuard::verdict(const Submission& submission, const Responder& next) const {
  at::NoGradGuard no_grad;
  Random random = Random(parameters_.seed).fork(kName, content_key(submission));
  std::vector<Submission> copies;
  for (int64_t i = 0; i < parameters_.copies; ++i)
    copies.push_back({quantize(copy(submission.image, random)), submission.query, submission.draw});
  const std::vector<Reply> replies = pass_on(copies, next);
  std::vector<std::string> texts;
  for (const Reply& reply : replies) texts.push_back(reply.text);
  const Majority best = majority(replies);
  return {.score = reply_divergence(texts),
          .note = std::to_string(best.votes) + " of " + std::to_string(replies.size()) +
                  " mutated copies agree: " + replies[best.member].text};
}

std::vector<SubmissionDetector::Verdict> JailGuard::verdicts(const std::vector<Submission>& submissions,
                                                             const Responder& next) const {
  std::vector<Verdict> all;
  for (const Submission& submission : submissions) all.push_back(verdict(submission, next));
  return all;
}

double word_similarity(const std::string& a, const std::string& b) {
  const auto first = word_counts(a), second = word_counts(b);
  if (first.empty() || second.empty()) return first.empty() && second.empty() ? 1 : 0;
  return dot(first, second) / std::sqrt(dot(first, first) * dot(second, second));
}

double reply_divergence(const std::vector<std::string>& replies) {
  std::vector<std::vector<double>> rows;
  for (const std::string& reply : replies) {
    std::vector<double> row;
    for (const std::string& other : replies) row.push_back(word_similarity(reply, other) + kFloor);
    const double sum = std::accumulate(row.begin(), row.end(), 0.0);
    for (double& value : row) value /= sum;
    rows.push_back(std::move(row));
  }
  double worst = 0;
  for (const auto& p : rows)
    for (const auto& q : rows) worst = std::max(worst, kullback_leibler(p, q));
  return without_rounding(worst);
}

double largest_divergence(int64_t copies) {
  // The divergence is convex in the similarities, so that it is largest where each is 0 or 1: `alike` replies
  // equal the first, `others` equal the second, and the rest have no word in common with either.
  const auto divergence = [&](int64_t alike, int64_t others) {
    std::vector<double> p, q;
    for (int64_t k = 0; k < copies; ++k) {
      p.push_back(kFloor + (k < alike ? 1 : 0));
      q.push_back(kFloor + (k >= alike && k < alike + others ? 1 : 0));
    }
    for (auto* row : {&p, &q}) {
      const double sum = std::accumulate(row->begin(), row->end(), 0.0);
      for (double& value : *row) value /= sum;
    }
    return kullback_leibler(p, q);
  };
  double largest = 0;
  for (int64_t alike = 1; alike < copies; ++alike)
    for (int64_t others = 1; alike + others <= copies; ++others)
      largest = std::max(largest, divergence(alike, others));
  return without_rounding(largest);
}

}  // namespace hijack
