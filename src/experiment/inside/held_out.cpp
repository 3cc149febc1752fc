#include "src/experiment/inside/held_out.h"

#include <ATen/ATen.h>

#include <map>
#include <set>

#include "src/base/error.h"
#include "src/base/random.h"
#include "src/experiment/inside/feature_sources.h"
#include "src/experiment/inside/learner.h"
#include "src/experiment/plan/identity.h"
#include "src/experiment/record/folder_lock.h"
#include "src/experiment/record/inside.h"

namespace hijack {
namespace {

constexpr int64_t kFewestTaught = 4;
constexpr int kShufflesInside = 5;
constexpr const char* kHijacks = "hijack from clean and noise";

/// The taught examples, at most `prompts` of each image; what several trials share (the photo as it is) once
/// for each behavior.
void thin(DetectorExamples& examples, int64_t prompts) {
  std::map<std::string, int64_t> taken;
  std::set<std::string> shared;
  std::vector<DetectorExample> kept;
  for (DetectorExample& one : examples.all) {
    if (std::find(kTaught.begin(), kTaught.end(), one.label) == kTaught.end()) continue;
    if (one.label == "clean" && !shared
                                     .insert(one.trial->behavior + "\n" + one.trial->source_image + "\n" +
                                             key_of(one.submission.query))
                                     .second)
      continue;
    if (taken[one.trial->id + " " + one.label]++ < prompts) kept.push_back(std::move(one));
  }
  examples.all = std::move(kept);
}

/// Which examples are tested by what learned from which others.
struct Fold {
  std::vector<int64_t> train, test;
};

class Folds {
 public:
  explicit Folds(const DetectorExamples& examples) {
    for (const DetectorExample& one : examples.all) {
      behaviors_.insert(one.trial->behavior);
      photos_.insert(one.trial->source_image);
    }
    if (behaviors_.size() == 1 && photos_.size() == 1)
      throw Error(
          "the run has one behavior and one photo: a detector is measured on others than it has learned "
          "from, so give it a run with at least two of either.");
    for (const std::string& behavior : behaviors_)
      for (const std::string& photo : photos_) add(examples, behavior, photo);
  }
  const std::vector<Fold>& all() const { return folds_; }
  std::string held_out() const {
    return photos_.size() == 1 ? "behavior" : behaviors_.size() == 1 ? "photo" : "behavior and photo";
  }

 private:
  void add(const DetectorExamples& examples, const std::string& behavior, const std::string& photo) {
    Fold fold;
    for (size_t i = 0; i < examples.all.size(); ++i) {
      const TrialRow& trial = *examples.all[i].trial;
      const bool own_behavior = trial.behavior == behavior, own_photo = trial.source_image == photo;
      const auto index = static_cast<int64_t>(i);
      if (own_behavior && own_photo) fold.test.push_back(index);
      if ((behaviors_.size() == 1 || !own_behavior) && (photos_.size() == 1 || !own_photo))
        fold.train.push_back(index);
    }
    if (!fold.test.empty()) folds_.push_back(std::move(fold));
  }

  std::set<std::string> behaviors_, photos_;
  std::vector<Fold> folds_;
};

/// Scores of all examples, each by what has not seen its behavior or photo; NaN where nothing else teaches
/// both kinds (other behaviors failed). labels bool [n]: what is taught.
std::vector<double> held_out_scores(const FeatureSource& source, const Tensor& labels, const Folds& folds) {
  std::vector<double> scores(static_cast<size_t>(labels.size(0)), NAN);
  for (const Fold& fold : folds.all()) {
    const Tensor train = at::tensor(fold.train, at::kLong), test = at::tensor(fold.test, at::kLong);
    const Tensor features = source.features.index_select(0, train), taught = labels.index_select(0, train);
    const int64_t hijacks = taught.sum().item<int64_t>();
    if (std::min(hijacks, taught.size(0) - hijacks) < kFewestTaught) continue;
    const Scorer scorer = source.fit(features, taught);
    const Tensor honest = scorer(features.index_select(0, taught.logical_not().nonzero().squeeze(1)));
    const double middle = honest.mean().item<double>(), spread = std::max(honest.std().item<double>(), 1e-9);
    const std::vector<double> found = as_list(scorer(source.features.index_select(0, test)));
    for (size_t k = 0; k < found.size(); ++k)
      scores[static_cast<size_t>(fold.test[k])] = (found[k] - middle) / spread;
  }
  return scores;
}

/// The rows of one detector.
class InsideTable {
 public:
  InsideTable(const DetectorExamples& examples, const FeatureSource& source, const Folds& folds,
              std::string measured)
      : examples_(examples), source_(source), folds_(folds), measured_(std::move(measured)) {}

  std::vector<InsideRow> rows() {
    const FeatureTable labels = table_of(examples_);
    scores_ = source_.learns() ? held_out_scores(source_, labels.hijacked(), folds_) : source_.scores;
    std::set<std::pair<std::string, std::string>> settings;
    for (const DetectorExample& one : examples_.all)
      settings.emplace(one.trial->behavior, one.trial->constraint);
    for (const auto& [behavior, constraint] : settings) add_hijacks(behavior, constraint);
    add_hijacks("", "");
    add("noise from clean (control)", "", "", of({"clean"}, "", ""), of({"noise"}, "", ""));
    if (source_.learns()) add_shuffled(labels);
    return std::move(rows_);
  }

 private:
  std::vector<ClusteredScore> of(const std::vector<std::string>& labels, const std::string& behavior,
                                 const std::string& constraint) const {
    std::vector<ClusteredScore> found;
    for (size_t i = 0; i < examples_.all.size(); ++i) {
      const DetectorExample& one = examples_.all[i];
      const bool setting =
          (behavior.empty() || one.trial->behavior == behavior) &&
          (constraint.empty() || one.label == "clean" || one.trial->constraint == constraint);
      if (setting && !std::isnan(scores_[i]) &&
          std::find(labels.begin(), labels.end(), one.label) != labels.end())
        found.push_back({scores_[i], key_of(one.submission.query)});
    }
    return found;
  }
  void add_hijacks(const std::string& behavior, const std::string& constraint) {
    add(kHijacks, behavior, constraint, of({"clean", "noise"}, behavior, constraint),
        of({"hijack"}, behavior, constraint));
  }
  void add(const std::string& what, const std::string& behavior, const std::string& constraint,
           const std::vector<ClusteredScore>& negatives, const std::vector<ClusteredScore>& positives) {
    if (negatives.empty() || positives.empty()) return;
    const Separation found = separation(negatives, positives);
    rows_.push_back({.measured = measured_,
                     .detector = source_.name,
                     .behavior = behavior,
                     .constraint = constraint,
                     .what = what,
                     .held_out = source_.learns() ? folds_.held_out() : "",
                     .negatives = found.negatives,
                     .positives = found.positives,
                     .auroc = found.auroc,
                     .low = found.interval.low,
                     .high = found.interval.high,
                     .found_at_1 = found.found_at_1,
                     .found_at_5 = found.found_at_5});
  }
  void add_shuffled(const FeatureTable& labels);

  const DetectorExamples& examples_;
  const FeatureSource& source_;
  const Folds& folds_;
  std::string measured_;
  std::vector<double> scores_;
  std::vector<InsideRow> rows_;
};

/// Taught labels that mean nothing, tested on the right ones: nothing may be found. The mean of several
/// shuffles, and where 95 % of them lie.
void InsideTable::add_shuffled(const FeatureTable& labels) {
  const std::vector<double> right = as_list(labels.hijacked());
  std::vector<int64_t> mixed(right.begin(), right.end());
  Random random = Random(0).fork("labels shuffled inside");
  std::vector<double> areas;
  const std::vector<double> true_scores = scores_;
  for (int i = 0; i < kShufflesInside; ++i) {
    random.shuffle(mixed);
    scores_ = held_out_scores(source_, at::tensor(mixed, at::kLong).to(at::kBool), folds_);
    const auto honest = of({"clean", "noise"}, "", ""), hijacks = of({"hijack"}, "", "");
    if (!honest.empty() && !hijacks.empty()) areas.push_back(separation(honest, hijacks).auroc);
  }
  if (areas.size() < 2) return void(scores_ = true_scores);
  add("hijack from clean and noise, labels shuffled (control)", "", "", of({"clean", "noise"}, "", ""),
      of({"hijack"}, "", ""));
  const Interval spread = spread_of(areas);
  rows_.back().auroc = mean(areas), rows_.back().low = spread.low, rows_.back().high = spread.high;
  scores_ = true_scores;
}

}  // namespace

std::vector<InsideRow> measure_inside(const std::filesystem::path& run, const InsideConfig& config,
                                      const RunHooks& hooks, const std::vector<std::string>& moved_models) {
  check(config);
  DetectorExamples examples = read_examples({run.string()}, moved_models, nullptr, hooks.machine);
  thin(examples, config.prompts);
  examples.check_enough();
  const Folds folds(examples);
  for (const std::string& detector : config.detectors) check_detector_name(detector);
  const FolderLock lock = lock_folder(run);
  FeatureSources sources(examples, config, run, moved_models);
  std::vector<InsideRow> all;
  for (const std::string& detector : config.detectors) {
    if (hooks.stop.stop_requested()) return {};
    const FeatureSource source = sources.of(detector);
    const std::string measured = digest_of({{"detector", source.name},
                                            {"sae", config.sae},
                                            {"prompts", config.prompts},
                                            {"tokens", config.tokens}});
    std::vector<InsideRow> rows = InsideTable(examples, source, folds, measured).rows();
    if (std::none_of(rows.begin(), rows.end(), [](const InsideRow& row) { return row.what == kHijacks; }))
      throw Error(detector +
                  " has nothing to learn from: with each behavior and photo held out, too few replies of the "
                  "others were forced.");
    if (hooks.on_note)
      hooks.on_note(detector + ": " + std::to_string(examples.all.size()) + " replies scored");
    all.insert(all.end(), rows.begin(), rows.end());
  }
  RowWriter writer(run / kInsideFile);
  for (const InsideRow& row : all) writer.write(to_json(row));
  return all;
}

}  // namespace hijack
