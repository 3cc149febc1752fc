#include "src/experiment/inside/train_detector.h"

#include <ATen/ATen.h>

#include <numeric>

#include "defenses/detectors/hidden_detect.h"
#include "defenses/detectors/linear_probe.h"
#include "defenses/detectors/mahalanobis.h"
#include "defenses/detectors/trained_file.h"
#include "defenses/detectors/unrelated_question_list.h"
#include "defenses/detectors/unrelated_questions.h"
#include "src/base/error.h"
#include "src/base/json.h"
#include "src/base/registry.h"
#include "src/experiment/inside/fits.h"
#include "src/experiment/inside/refusal_window.h"

namespace hijack {
namespace {

Tensor question_features(const DetectorExamples& examples, const DetectorTrainConfig& config) {
  return QuestionFeatures(examples.model, config.tokens).of(examples.submissions(), examples.replies());
}

/// Columns of questions by kind, for the paper's ablations.
std::vector<std::pair<std::string, std::vector<int64_t>>> question_groups() {
  std::vector<std::pair<std::string, std::vector<int64_t>>> groups = {{"about lying", {}},
                                                                      {"not about lying", {}},
                                                                      {"confession", {}},
                                                                      {"knowable", {}},
                                                                      {"confusion and unknowable", {}}};
  int64_t column = 0;
  for (const UnrelatedQuestion& question : unrelated_questions()) {
    const std::string kind = question.kind;
    const bool lying = kind == "confession" || kind == "psychological" || kind == "ethics";
    groups[lying ? 0 : 1].second.push_back(column);
    if (kind == "confession") groups[2].second.push_back(column);
    if (kind == "knowable") groups[3].second.push_back(column);
    if (kind == "confusion" || kind == "unknowable") groups[4].second.push_back(column);
    ++column;
  }
  return groups;
}

/// The runs to learn from, and those to be tested on.
struct Lessons {
  DetectorExamples train;
  std::optional<DetectorExamples> test;
};

Lessons read_lessons(const DetectorTrainConfig& config) {
  Lessons lessons{read_examples(config.runs, config.moved_models), {}};
  lessons.train.check_enough();
  if (!config.test_runs.empty())
    lessons.test = read_examples(config.test_runs, config.moved_models, &lessons.train);
  return lessons;
}

std::map<std::string, std::string> metadata_of(const DetectorExamples& examples,
                                               const TrainedDetector& trained) {
  std::map<std::string, std::string> metadata = {{"model", examples.model_name},
                                                 {"model_sha256", examples.model_sha256},
                                                 {"measured", to_json(trained).dump()}};
  if (trained.layer >= 0) metadata["layer"] = std::to_string(trained.layer);
  return metadata;
}

void count_examples(TrainedDetector& trained, const DetectorExamples& examples) {
  for (const DetectorExample& one : examples.all) ++trained.examples[one.label];
}

using Note = std::function<void(const std::string&)>;

/// The first line, from whether each answer is yes (the paper's features for models without likelihoods).
SeparationRow binary_row(const FeatureTable& train, const FeatureTable* test) {
  const auto binary = [](FeatureTable table) {
    table.features = (table.features > 0).to(at::kDouble);
    return table;
  };
  std::vector<int64_t> all(static_cast<size_t>(train.features.size(1)));
  std::iota(all.begin(), all.end(), int64_t{0});
  const FeatureTable learned = binary(train), tested = binary(test ? *test : train);
  return Learner(learned, test ? &tested : nullptr, logistic_fit).ablation("yes or no only", all);
}

TrainedDetector train_questions(const DetectorTrainConfig& config, const Note& note) {
  Lessons lessons = read_lessons(config);
  DetectorExamples& asked = lessons.test ? *lessons.test : lessons.train;
  add_swaps(asked, config.lies);
  add_lies(asked, config.lies);
  const auto features = [&](const DetectorExamples& examples) {
    note("48 questions after each of " + std::to_string(examples.all.size()) + " replies");
    FeatureTable table = table_of(examples);
    table.features = question_features(examples, config);
    return table;
  };
  const FeatureTable train = features(lessons.train);
  std::optional<FeatureTable> test;
  if (lessons.test) test = features(*lessons.test);
  const Learner learner(train, test ? &*test : nullptr, logistic_fit);
  TrainedDetector trained{.rows = learner.rows()};
  count_examples(trained, asked);
  for (const auto& [name, columns] : question_groups())
    trained.rows.push_back(learner.ablation(name, columns));
  trained.rows.push_back(binary_row(train, test ? &*test : nullptr));
  const FeatureTable lesson = train.of(train.rows(kTaught));
  auto metadata = metadata_of(lessons.train, trained);
  metadata["tokens"] = std::to_string(config.tokens);
  save_trained(config.out, config.detector, fit_logistic(lesson.features, lesson.hijacked()).tensors(),
               metadata);
  return trained;
}

/// States of all layers [n,K,D], and a table of one of them.
class LayerTables {
 public:
  LayerTables(const DetectorExamples& examples, const std::vector<int64_t>& layers,
              const std::string& detector)
      : plain_(table_of(examples)),
        states_(LastStates({.model = examples.model}, layers, detector).of(examples.submissions())) {}
  FeatureTable at(size_t index) const {
    FeatureTable table = plain_;
    table.features = states_.select(1, static_cast<int64_t>(index)).to(at::kDouble);
    return table;
  }

 private:
  FeatureTable plain_;
  Tensor states_;
};

/// The layers that may be taken: the one that was asked for, or all.
std::vector<int64_t> candidate_layers(const DetectorTrainConfig& config, const VisionLanguageModel& model) {
  const int64_t layers = state_hooks_of(model).layers();
  if (config.layer >= 0)
    return check_hook({HookPoint::kResidual, config.layer}, layers), std::vector{config.layer};
  std::vector<int64_t> all;
  for (int64_t layer = 1; layer <= layers; ++layer) all.push_back(layer);
  return all;
}

/// Which of the layers tells held-out prompts of the lessons apart best, by logistic regression.
size_t best_layer(const LayerTables& tables, size_t count) {
  size_t best = 0;
  double most = -1;
  for (size_t k = 0; k < count && count > 1; ++k) {
    const FeatureTable table = tables.at(k);
    std::vector<int64_t> all(static_cast<size_t>(table.features.size(1)));
    std::iota(all.begin(), all.end(), int64_t{0});
    const double found = Learner(table, nullptr, logistic_fit).ablation("one layer", all).found.auroc;
    if (found > most) most = found, best = k;
  }
  return best;
}

TrainedDetector train_states(const DetectorTrainConfig& config, const Note& note) {
  const Lessons lessons = read_lessons(config);
  const std::vector<int64_t> layers = candidate_layers(config, *lessons.train.model);
  note("states of " + std::to_string(layers.size()) + (layers.size() == 1 ? " layer" : " layers") +
       " before each of " + std::to_string(lessons.train.all.size()) + " replies");
  const LayerTables tables(lessons.train, layers, config.detector);
  const size_t chosen = best_layer(tables, layers.size());
  const FeatureTable train = tables.at(chosen);
  std::optional<FeatureTable> test;
  if (lessons.test) test = LayerTables(*lessons.test, {layers[chosen]}, config.detector).at(0);
  const bool probe = config.detector == LinearProbe::kName;
  const Learner learner(train, test ? &*test : nullptr, probe ? logistic_fit : contrast_fit);
  TrainedDetector trained{.rows = learner.rows(), .layer = layers[chosen]};
  count_examples(trained, lessons.test ? *lessons.test : lessons.train);
  const FeatureTable lesson = train.of(train.rows(kTaught));
  save_trained(config.out, config.detector,
               probe ? fit_logistic(lesson.features, lesson.hijacked()).tensors()
                     : contrast_of(lesson.features, lesson.hijacked()).tensors(),
               metadata_of(lessons.train, trained));
  return trained;
}

struct Trainable {
  const char* name;
  TrainedDetector (*train)(const DetectorTrainConfig&, const Note&);
};

const Registry<Trainable>& trainables() {
  static const Registry<Trainable> table("detector that learns",
                                         {{UnrelatedQuestions::kName, train_questions},
                                          {HiddenDetect::kName, train_refusal_window},
                                          {LinearProbe::kName, train_states},
                                          {Mahalanobis::kName, train_states}});
  return table;
}

}  // namespace

std::vector<std::string> trainable_detectors() {
  return trainables().names();
}

TrainedDetector train_detector(const DetectorTrainConfig& config, const Note& note) {
  const Trainable& wanted = trainables().at(config.detector);
  if (config.out.empty()) throw Error("--out needs the name of a file.");
  return wanted.train(config, note);
}

nlohmann::json to_json(const TrainedDetector& trained) {
  nlohmann::json rows = nlohmann::json::array();
  for (const SeparationRow& row : trained.rows)
    rows.push_back({{"what", row.what},
                    {"features", row.features},
                    {"negatives", row.found.negatives},
                    {"positives", row.found.positives},
                    {"auroc", number_or_null(row.found.auroc)},
                    {"low", number_or_null(row.found.interval.low)},
                    {"high", number_or_null(row.found.interval.high)},
                    {"found_at_1", row.found.found_at_1},
                    {"found_at_5", row.found.found_at_5}});
  nlohmann::json json = {{"rows", rows}, {"examples", trained.examples}};
  if (trained.layer >= 0) json["layer"] = trained.layer;
  if (trained.last > 0) json["window"] = {trained.first, trained.last};
  return json;
}

}  // namespace hijack
