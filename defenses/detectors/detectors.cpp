#include "defenses/detectors/detectors.h"

#include "defenses/calibration.h"
#include "src/base/error.h"

namespace hijack {
namespace {

/// The submissions with images, each content once.
struct Distinct {
  std::vector<Submission> submissions;
  std::vector<std::optional<size_t>> position;  ///< of each original; none without image
};

Distinct distinct_with_image(const std::vector<Submission>& all) {
  Distinct result;
  std::map<uint64_t, size_t> seen;
  for (const Submission& submission : all) {
    if (!submission.image.defined()) {
      result.position.emplace_back();
      continue;
    }
    const auto [found, fresh] = seen.try_emplace(content_key(submission), result.submissions.size());
    if (fresh) result.submissions.push_back(submission);
    result.position.emplace_back(found->second);
  }
  return result;
}

std::vector<std::string> texts_of(const std::vector<Reply>& replies) {
  std::vector<std::string> texts;
  for (const Reply& reply : replies) texts.push_back(reply.text);
  return texts;
}

}  // namespace

void ThresholdParameters::check() const {
  check_range("threshold", threshold, 0, 1e6);
  check_range("quantile", quantile, 0, 1);
}

void FittedDetector::fit(const ThresholdParameters& parameters, const DefenseResources& resources,
                         const Scores& scores) {
  if (parameters.threshold > 0) {
    calibration_ = {.name = name(), .threshold = parameters.threshold, .ceiling = ceiling()};
    return;
  }
  const double alpha = wanted_alpha(parameters.quantile, resources);
  const auto most = static_cast<size_t>(most_calibration_scores(alpha));
  std::vector<Submission> benign;
  std::set<uint64_t> seen;
  for (const Submission& submission : resources.benign)
    if (submission.image.defined() && benign.size() < most && seen.insert(score_key(submission)).second)
      benign.push_back(submission);
  // before the model is asked anything
  check_calibration_size(name(), counted(), static_cast<int64_t>(benign.size()), alpha);
  resources.tell_fit(name(), benign.size());
  calibration_ = calibrate(name(), scores(benign), alpha, ceiling());
  calibration_.fitted_on = submissions_sha256(benign);
}

Responder calibration_responder(const DefenseResources& resources, const std::string& defense) {
  if (resources.respond) return resources.respond;
  throw Error("Defense '" + defense +
              "' has no model whose replies to benign submissions it could fit its threshold on: set "
              "the threshold yourself.");
}

std::vector<Reply> SubmissionDetector::answer(const std::vector<Submission>& submissions,
                                              const Responder& next) const {
  const Distinct distinct = distinct_with_image(submissions);
  const std::vector<Verdict> found =
      distinct.submissions.empty() ? std::vector<Verdict>{} : verdicts(distinct.submissions, next);
  TORCH_CHECK(found.size() == distinct.submissions.size(), name(), " judged ", found.size(), " of ",
              distinct.submissions.size(), " submissions");
  std::vector<StageTrace> stages;
  for (const auto& position : distinct.position) {
    StageTrace stage{.stage = name(), .threshold = threshold(), .note = "no image"};
    if (position) {
      const Verdict& verdict = found[*position];
      stage.score = verdict.score;
      stage.rejected = !(verdict.score <= threshold());  // NaN is rejected
      stage.note = verdict.note;
    }
    stages.push_back(std::move(stage));
  }
  return pass_unrejected(submissions, std::move(stages), next);
}

std::vector<SubmissionDetector::Verdict> ImageDetector::verdicts(const std::vector<Submission>& submissions,
                                                                 const Responder&) const {
  const at::NoGradGuard no_grad;
  std::map<uint64_t, Verdict> done;  // many submissions share one image
  std::vector<Verdict> all;
  for (const Submission& submission : submissions) {
    const auto [found, fresh] = done.try_emplace(content_key(submission.image));
    if (fresh) found->second = judge(submission.image);
    all.push_back(found->second);
  }
  return all;
}

void SubmissionDetector::fit_on_submissions(const ThresholdParameters& parameters,
                                            const DefenseResources& resources) {
  fit(parameters, resources, [&](const std::vector<Submission>& benign) {
    std::vector<double> scores;
    for (const Verdict& verdict : verdicts(benign, {})) scores.push_back(verdict.score);
    return scores;
  });
}

void ImageDetector::fit_on_images(const ThresholdParameters& parameters, const DefenseResources& resources) {
  fit_on_submissions(parameters, resources);
}

std::vector<ReplyDetector::Replacement> ReplyDetector::replacements(const std::vector<Submission>& flagged,
                                                                    const Responder&) const {
  return std::vector<Replacement>(
      flagged.size(), {.reply = {.text = kRejectionText, .rejected = true}, .rejected = true, .note = {}});
}

std::vector<Reply> ReplyDetector::answer(const std::vector<Submission>& submissions,
                                         const Responder& next) const {
  std::vector<Reply> replies = pass_on(submissions, next);
  std::vector<StageTrace> stages(replies.size(), {.stage = name(), .threshold = threshold()});
  std::vector<size_t> looked_at, flagged;
  std::vector<Submission> scored, flagged_submissions;
  std::vector<std::string> texts;
  for (size_t i = 0; i < replies.size(); ++i) {
    if (!submissions[i].image.defined() || replies[i].rejected) {
      stages[i].note = replies[i].rejected ? "rejected further in" : "no image";
      continue;
    }
    looked_at.push_back(i);
    scored.push_back(submissions[i]);
    texts.push_back(replies[i].text);
  }
  const std::vector<double> found = scored.empty() ? std::vector<double>{} : scores(scored, texts);
  TORCH_CHECK(found.size() == scored.size(), name(), " scored ", found.size(), " of ", scored.size());
  for (size_t k = 0; k < found.size(); ++k) {
    stages[looked_at[k]].score = found[k];
    if (found[k] <= threshold()) continue;  // NaN is flagged
    flagged.push_back(looked_at[k]);
    flagged_submissions.push_back(scored[k]);
  }
  std::vector<Replacement> instead =
      flagged.empty() ? std::vector<Replacement>{} : replacements(flagged_submissions, next);
  TORCH_CHECK(instead.size() == flagged.size(), name(), " replaced ", instead.size(), " of ", flagged.size());
  for (size_t k = 0; k < flagged.size(); ++k) {
    replies[flagged[k]] = std::move(instead[k].reply);
    stages[flagged[k]].rejected = instead[k].rejected;
    stages[flagged[k]].note = std::move(instead[k].note);
  }
  for (size_t i = 0; i < replies.size(); ++i) add_stage(replies[i], std::move(stages[i]));
  return replies;
}

void ReplyDetector::fit_on_replies(const ThresholdParameters& parameters, const DefenseResources& resources) {
  fit(parameters, resources, [&](const std::vector<Submission>& benign) {
    return scores(benign, texts_of(pass_on(benign, calibration_responder(resources, name()))));
  });
}

}  // namespace hijack
