#include "src/experiment/inside/probe.h"

#include <ATen/ATen.h>

#include <map>
#include <set>

#include "models/log_likelihood.h"
#include "src/base/image.h"
#include "src/experiment/plan/identity.h"
#include "src/experiment/plan/machine.h"
#include "src/experiment/record/folder_lock.h"
#include "src/experiment/record/probes.h"
#include "src/experiment/report/values/statistics.h"
#include "src/experiment/run/run_material.h"

namespace hijack {
namespace {

/// An image under which all questions are asked.
struct ProbedImage {
  std::string label;  ///< as ProbeRow::image
  LabeledImage source;
  std::string sha256;
  std::string instruction = {};
};

/// The images of trials, and each photo once.
std::vector<ProbedImage> probed_images(const RunMaterial& material, const std::string& instruction) {
  std::vector<ProbedImage> all;
  std::set<std::string> photos;
  for (const LabeledImage& image : material.images) {
    ProbedImage one{image.label == "typographic" ? "hijack" : image.label, image, file_hash(image.file)};
    if (one.label != "clean") {
      all.push_back(std::move(one));
      continue;
    }
    if (!photos.insert(one.sha256).second) continue;
    one.source.trial.clear();
    all.push_back(one);
    if (instruction.empty()) continue;
    one.label = "instruction", one.instruction = instruction;
    all.push_back(std::move(one));
  }
  return all;
}

std::vector<ProbeQuestion> first_of_groups(const std::vector<ProbeQuestion>& all, int64_t limit) {
  std::map<std::string, int64_t> taken;
  std::vector<ProbeQuestion> some;
  for (const ProbeQuestion& one : all)
    if (limit == 0 || taken[one.group]++ < limit) some.push_back(one);
  return some;
}

/// A question under one image that is still to be asked.
struct OpenProbe {
  const ProbeQuestion* question;
  std::string key;
  Query query;
};

/// What a model says under one image, and how likely it finds answers.
class ProbedModel {
 public:
  ProbedModel(const VisionLanguageModel& model, const std::filesystem::path& image, int64_t max_new_tokens)
      : model_(model),
        pixels_(model.preprocess(load_image(image).to(model.device()))),
        max_new_tokens_(max_new_tokens) {}

  std::vector<Generated> replies(const std::vector<Query>& queries) const {
    return model_.generate(pixels_, queries, {.max_new_tokens = max_new_tokens_});
  }
  /// Of each question's answers, the first one first: none where nothing is to be compared.
  std::vector<std::vector<double>> likelihoods(const std::vector<OpenProbe>& asked) const {
    std::vector<Query> queries;
    std::vector<TokenIds> targets;
    for (const OpenProbe& one : asked)
      for (const std::string& answer : one.question->compared()) {
        queries.push_back(one.query);
        targets.push_back(model_.target_ids(answer));
      }
    const std::vector<double> all = log_likelihoods(model_, pixels_, queries, targets);
    std::vector<std::vector<double>> found;
    auto next = all.begin();
    for (const OpenProbe& one : asked) {
      const auto count = static_cast<std::ptrdiff_t>(one.question->compared().size());
      found.emplace_back(next, next + count);
      next += count;
    }
    return found;
  }

 private:
  const VisionLanguageModel& model_;
  Pixels pixels_;
  int64_t max_new_tokens_;
};

/// likely: log-likelihoods of the answer, and of the others; may be empty.
void compare(ProbeRow& row, const std::vector<double>& likely) {
  if (likely.empty()) return;
  const std::vector<double> others(likely.begin() + 1, likely.end());
  row.margin = likely[0] - mean(others);
  row.preferred = likely[0] > *std::max_element(others.begin(), others.end());
}

class RunProbe {
 public:
  RunProbe(const std::filesystem::path& folder, const ProbeConfig& config, const RunHooks& hooks,
           const std::vector<std::string>& moved_models)
      : config_(config),
        hooks_(hooks),
        questions_(first_of_groups(read_probe_questions(config.questions), config.limit)),
        material_(read_run_material(folder, moved_models, false)),
        lock_(lock_folder(folder)),
        writer_(folder / kProbesFile) {
    for (const ProbeRow& row : read_run(folder).probes) known_.insert(row.key);
    hooks.machine.put_into(material_.config);
    use_threads(material_.config);
    model_ = load_model(material_.config.model, load_options(material_.config, material_.config.model));
  }

  /// False when stopped.
  bool all() {
    const at::NoGradGuard no_gradients;
    const std::vector<ProbedImage> images = probed_images(material_, config_.instruction);
    for (size_t i = 0; i < images.size(); ++i) {
      if (hooks_.stop.stop_requested()) return false;
      if (hooks_.on_note)
        hooks_.on_note(images[i].label + " " + images[i].source.name + ", " + std::to_string(i + 1) + " of " +
                       std::to_string(images.size()) + " images");
      if (!under(images[i])) return false;
    }
    return true;
  }

 private:
  OpenProbe open_probe(const ProbedImage& image, const ProbeQuestion& question) const;
  bool under(const ProbedImage& image);
  void ask(const ProbedModel& model, const ProbedImage& image, std::vector<OpenProbe> some);

  const ProbeConfig& config_;
  const RunHooks& hooks_;
  std::vector<ProbeQuestion> questions_;
  RunMaterial material_;
  std::shared_ptr<const VisionLanguageModel> model_;
  FolderLock lock_;
  RowWriter writer_;
  std::set<std::string> known_;
};

OpenProbe RunProbe::open_probe(const ProbedImage& image, const ProbeQuestion& question) const {
  Query query = question.query;
  if (!image.instruction.empty())
    query.system = image.instruction + (query.system.empty() ? "" : " " + query.system);
  const nlohmann::json asked = {
      {"model", material_.model_sha256}, {"image", image.sha256},     {"label", image.label},
      {"trial", image.source.trial},     {"system", query.system},    {"after", question.after},
      {"prompt", query.prompt},          {"group", question.group},   {"pair", question.pair},
      {"answer", question.answer},       {"others", question.others}, {"exact_case", question.exact_case},
      {"tokens", config_.max_new_tokens}};
  return {&question, digest_of(asked), std::move(query)};
}

/// False when stopped.
bool RunProbe::under(const ProbedImage& image) {
  std::vector<OpenProbe> open;
  for (const ProbeQuestion& question : questions_) {
    OpenProbe one = open_probe(image, question);
    if (known_.insert(one.key).second) open.push_back(std::move(one));
  }
  if (open.empty()) return true;
  const ProbedModel model(*model_, image.source.file, config_.max_new_tokens);
  for (size_t begin = 0; begin < open.size(); begin += kRepliesAtOnce) {
    if (hooks_.stop.stop_requested()) return false;
    const auto end =
        open.begin() + static_cast<std::ptrdiff_t>(std::min(begin + kRepliesAtOnce, open.size()));
    ask(model, image, {open.begin() + static_cast<std::ptrdiff_t>(begin), end});
  }
  return true;
}

void RunProbe::ask(const ProbedModel& model, const ProbedImage& image, std::vector<OpenProbe> some) {
  std::vector<Query> first;
  for (const OpenProbe& one : some)
    if (!one.question->after.empty())
      first.push_back({.prompt = one.question->after, .system = one.query.system});
  std::vector<Generated> answered;
  if (!first.empty()) answered = model.replies(first);
  size_t turn = 0;
  std::vector<Query> queries;
  for (OpenProbe& one : some) {
    if (!one.question->after.empty()) one.query.earlier = {{one.question->after, answered.at(turn++).text}};
    queries.push_back(one.query);
  }
  const std::vector<Generated> replies = model.replies(queries);
  const std::vector<std::vector<double>> likely = model.likelihoods(some);
  for (size_t i = 0; i < some.size(); ++i) {
    const ProbeQuestion& question = *some[i].question;
    ProbeRow row{.key = some[i].key,
                 .trial = image.source.trial,
                 .photo = image.source.photo,
                 .image = image.label,
                 .group = question.group,
                 .pair = question.pair,
                 .prompt = question.query.prompt,
                 .answer = question.answer,
                 .reply = replies[i].text,
                 .cut = replies[i].cut,
                 .said = question.answered_by(replies[i].text)};
    compare(row, likely[i]);
    writer_.write(to_json(row));
  }
}

}  // namespace

bool probe_run(const std::filesystem::path& folder, const ProbeConfig& config, const RunHooks& hooks,
               const std::vector<std::string>& moved_models) {
  check(config);
  return RunProbe(folder, config, hooks, moved_models).all();
}

}  // namespace hijack
