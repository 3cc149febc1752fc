#include "src/experiment/inside/learner.h"

#include <ATen/ATen.h>

#include "src/base/random.h"

namespace hijack {

const std::vector<std::string> kTaught = {"hijack", "clean", "noise"};

std::vector<int64_t> FeatureTable::rows(const std::vector<std::string>& wanted) const {
  std::vector<int64_t> found;
  for (size_t i = 0; i < labels.size(); ++i)
    if (std::find(wanted.begin(), wanted.end(), labels[i]) != wanted.end())
      found.push_back(static_cast<int64_t>(i));
  return found;
}

FeatureTable FeatureTable::of(const std::vector<int64_t>& some) const {
  FeatureTable part{.features = features.index_select(0, at::tensor(some, at::kLong))};
  for (const int64_t i : some) {
    part.labels.push_back(labels[static_cast<size_t>(i)]);
    part.clusters.push_back(clusters[static_cast<size_t>(i)]);
  }
  return part;
}

FeatureTable FeatureTable::columns(const std::vector<int64_t>& some) const {
  return {features.index_select(1, at::tensor(some, at::kLong)), labels, clusters};
}

Tensor FeatureTable::hijacked() const {
  std::vector<int64_t> found;
  for (const std::string& label : labels) found.push_back(label == "hijack");
  return at::tensor(found, at::kLong).to(at::kBool);
}

FeatureTable table_of(const DetectorExamples& examples) {
  FeatureTable table;
  for (const DetectorExample& one : examples.all) {
    table.labels.push_back(one.label);
    table.clusters.push_back(one.submission.query.system.empty() || one.label == "lie"
                                 ? one.submission.query.prompt
                                 : one.submission.query.system + "\n" + one.submission.query.prompt);
  }
  return table;
}

namespace {

constexpr int kShuffles = 10;

std::vector<ClusteredScore> scored(const FeatureTable& table, const std::vector<double>& scores,
                                   const std::vector<std::string>& labels) {
  std::vector<ClusteredScore> found;
  for (const int64_t i : table.rows(labels))
    found.push_back({scores[static_cast<size_t>(i)], table.clusters[static_cast<size_t>(i)]});
  return found;
}

}  // namespace

void add_rows(std::vector<SeparationRow>& rows, const FeatureTable& table, const std::vector<double>& scores,
              const std::string& features) {
  const auto add = [&](const char* what, const std::vector<std::string>& negative,
                       const std::string& positive) {
    const auto low = scored(table, scores, negative), high = scored(table, scores, {positive});
    if (!low.empty() && !high.empty()) rows.push_back({what, features, separation(low, high)});
  };
  add("hijack from clean and noise", {"clean", "noise"}, "hijack");
  if (features != "all") return;
  add("hijack from clean", {"clean"}, "hijack");
  add("hijack from noise", {"noise"}, "hijack");
  add("noise from clean (control)", {"clean"}, "noise");
  add("failed attack from clean", {"clean"}, "failed");
  add("hijack's image with an honest reply, from clean (control)", {"clean"}, "honest");
  add("forced reply over the clean photo, from clean (control)", {"clean"}, "forced");
  add("lie by instruction from clean (control)", {"clean"}, "lie");
  add("hijack from lie by instruction (control)", {"lie"}, "hijack");
}

std::vector<double> as_list(const Tensor& values) {
  const Tensor all = values.to(at::kDouble).cpu().contiguous();
  return {all.data_ptr<double>(), all.data_ptr<double>() + all.numel()};
}

std::vector<double> Learner::held_out(const FeatureTable& train, const FeatureTable* test) const {
  const std::vector<int64_t> taught = train.rows(kTaught);
  const FeatureTable lesson = train.of(taught);
  const Scorer whole = fit_(lesson.features, lesson.hijacked());
  if (test) return as_list(whole(test->features));
  std::vector<double> scores = as_list(whole(train.features));  // of what is not taught
  const auto own = cross_validated_scores(lesson.features, lesson.hijacked(), lesson.clusters, fit_);
  for (size_t k = 0; k < taught.size(); ++k) scores[static_cast<size_t>(taught[k])] = own[k];
  return scores;
}

std::vector<SeparationRow> Learner::rows() const {
  std::vector<SeparationRow> rows;
  add_rows(rows, test_ ? *test_ : train_, held_out(train_, test_), "all");
  rows.push_back({"hijack from clean and noise, labels shuffled (control)", "all", shuffled()});
  return rows;
}

SeparationRow Learner::ablation(const std::string& name, const std::vector<int64_t>& columns) const {
  const FeatureTable train = train_.columns(columns);
  std::vector<SeparationRow> rows;
  if (test_) {
    const FeatureTable test = test_->columns(columns);
    add_rows(rows, test, held_out(train, &test), name);
  } else {
    add_rows(rows, train, held_out(train, nullptr), name);
  }
  return rows.at(0);
}

/// What a training on labels that mean nothing tells apart: nothing, if all is right. The mean of several
/// shuffles, and where 95 % of them lie; shares found are those of the last.
Separation Learner::shuffled() const {
  const FeatureTable lesson = train_.of(train_.rows(kTaught));
  const std::vector<double> right = as_list(lesson.hijacked());
  std::vector<int64_t> labels(right.begin(), right.end());
  Random random = Random(0).fork("shuffled labels");
  Separation all;
  std::vector<double> areas;
  for (int shuffle = 0; shuffle < kShuffles; ++shuffle) {
    random.shuffle(labels);
    const std::vector<double> scores = cross_validated_scores(
        lesson.features, at::tensor(labels, at::kLong).to(at::kBool), lesson.clusters, fit_);
    std::vector<ClusteredScore> low, high;
    for (size_t i = 0; i < scores.size(); ++i)
      (labels[i] != 0 ? high : low).push_back({scores[i], lesson.clusters[i]});
    all = separation(low, high);
    areas.push_back(all.auroc);
  }
  all.auroc = mean(areas);
  all.interval = spread_of(areas);
  return all;
}

}  // namespace hijack
