// hijack_together: what is asked of a model many at a time, beside the same one by one, alternating in one
// run.
//
//   hijack_together MODEL_DIR what=paraphrase,paraphrase_greedy,smoothvlm,jailguard,smoothing,eot,lockstep
//   rounds=3 prompts=25 threads=1
//
// paraphrase: `prompts` prompts of everyday life restated by the model's decoder (the defense's defaults),
// each alone and all together, drawn or greedy. The others need a model with images, and are about one photo
// with
// --image-batch 1 and auto: smoothvlm, 20 copies; jailguard, 8; smoothing, 2 + 20; eot, loss and gradient of
// a step with 8 draws of noise and crop and 8 contexts; lockstep, 6 steps of attacks on 16 photos with 8
// contexts (lockstep_one_context: with 1). Prints one line of JSON for each: median processor
// seconds of both, their ratio, the ratios of the rounds, and whether the replies were equal (eot: the
// largest relative difference of the gradients; lockstep: which values of the images differ). Drawn replies
// have the same random numbers; a draw that falls beside the border between two tokens may fall on the other
// one, because other sums round otherwise.
#include <ATen/Parallel.h>

#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>

#include "attacks/attack.h"
#include "attacks/loop/evaluate.h"
#include "attacks/objectives/behavior_matching.h"
#include "attacks/wrappers/augmentation.h"
#include "defenses/kinds.h"
#include "defenses/make_defense.h"
#include "defenses/pipeline.h"
#include "models/load_model.h"
#include "models/prefix/images_at_once.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "src/experiment/parallel/lockstep.h"
#include "src/experiment/plan/shipped.h"
#include "src/experiment/run/defense_setup.h"

namespace hijack {
namespace {

using nlohmann::json;
using Texts = std::vector<std::string>;

struct Settings {
  std::shared_ptr<const VisionLanguageModel> model;
  std::filesystem::path folder;
  size_t prompts = 25;
  int64_t rounds = 3;

  std::vector<Query> queries() const {
    std::vector<Query> all;
    std::istringstream lines(read_file(default_contexts("string", folder)));
    for (std::string line; all.size() < prompts && std::getline(lines, line);)
      all.push_back({.prompt = json::parse(line).at("prompt")});
    return all;
  }
  Tensor photo() const {
    const auto file = std::filesystem::path(HIJACK_SOURCE_DIR) / "samples/images/chelsea.png";
    return model->to_input_space(load_image(file));
  }
};

double processor_seconds(const std::function<void()>& work) {
  const std::clock_t begin = std::clock();
  work();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

json compare(const Settings& settings, const std::function<void()>& alone,
             const std::function<void()>& together) {
  std::vector<double> apart, joint, ratios;
  for (int64_t round = 0; round < settings.rounds; ++round) {
    apart.push_back(processor_seconds(alone));
    joint.push_back(processor_seconds(together));
    ratios.push_back(apart.back() / joint.back());
  }
  return {{"model", settings.folder.filename()},
          {"threads", at::get_num_threads()},
          {"one_by_one_seconds", median(apart)},
          {"together_seconds", median(joint)},
          {"ratio", median(ratios)},
          {"ratios", ratios}};
}

Texts notes_of(const std::vector<TextTransform::Rewritten>& all) {
  Texts notes;
  for (const auto& one : all) notes.push_back(one.note);
  return notes;
}

json paraphrase(const Settings& settings, const std::string& spec) {
  DefenseResources resources;
  resources.paraphraser = settings.model->language_model();
  const auto queries = settings.queries();
  const auto restated = [&](std::span<const Query> some) {  // by a defense that remembers nothing
    const auto made = make_defense(parse_defense(spec), resources);
    return notes_of(dynamic_cast<const TextTransform&>(*made).rewrite(some));
  };
  Texts one_by_one, joint;
  const auto alone = [&] {
    one_by_one.clear();
    for (const Query& query : queries) one_by_one.push_back(restated({&query, 1}).at(0));
  };
  const auto together = [&] { joint = restated(queries); };
  json row = compare(settings, alone, together);
  row["prompts"] = queries.size();
  size_t equal = 0;
  for (size_t i = 0; i < queries.size(); ++i) equal += one_by_one[i] == joint[i];
  row["equal_replies"] = equal;
  return row;
}

/// Both ways of asking several images.
json by_image_batch(const Settings& settings, const std::function<void(bool together)>& work) {
  const auto with = [&](int64_t batch) {
    return [&work, batch] {
      set_image_batch(batch);
      work(batch != 1);
    };
  };
  return compare(settings, with(1), with(kImagesByMemory));
}

json behind(const Settings& settings, const std::string& spec, int64_t copies) {
  const auto defense = make_defense(parse_defense(spec), {});
  const Responder system = protect({defense}, bare_model(settings.model, {48, {}, 0}));
  const std::vector<Submission> asked = {{settings.photo(), settings.queries().at(0)}};
  std::map<bool, Texts> said;
  json row = by_image_batch(settings, [&](bool together) {
    const Reply reply = system(asked).at(0);
    said[together] = {reply.text, reply.trace.at(0).note};
  });
  row["copies"] = copies;
  row["replies_equal"] = said.at(true) == said.at(false);
  return row;
}

json eot(const Settings& settings) {
  const std::shared_ptr<const Behavior> behavior =
      make_behavior({"string", default_target("string", settings.folder)});
  auto queries = settings.queries();
  queries.resize(std::min<size_t>(queries.size(), 8));
  AugmentationConfig config{.names = {"crop=0.8", "noise=8/255"}, .draws = 8};
  Augmented objective(std::make_unique<BehaviorMatching>(settings.model, behavior, queries, /*batch=*/0, 0),
                      config, /*seed=*/0);
  const Tensor photo = settings.photo();
  std::map<bool, Tensor> gradients;
  json row = by_image_batch(settings, [&](bool together) {
    gradients[together] = evaluate(objective, photo, /*step=*/0).gradient;
  });
  const Tensor apart = gradients.at(false);
  row["draws"] = config.draws;
  row["contexts"] = queries.size();
  row["largest_difference"] = ((gradients.at(true) - apart).abs().max() / apart.abs().max()).item<double>();
  return row;
}

/// So many photos, attacked in steps of 8 contexts: with lockstep null one after the other.
std::vector<Tensor> attacked(const Settings& settings, const std::vector<Tensor>& photos, size_t contexts,
                             Lockstep* lockstep) {
  constexpr int64_t kSteps = 6;
  const std::shared_ptr<const Behavior> behavior =
      make_behavior({"string", default_target("string", settings.folder)});
  auto queries = settings.queries();
  queries.resize(std::min<size_t>(queries.size(), contexts));
  const Constraint constraint = LinfBall{8.0 / 255};
  std::vector<Tensor> found(photos.size());
  const auto attack = [&](size_t i, const std::shared_ptr<const VisionLanguageModel>& model,
                          const AttackHooks& hooks) {
    BehaviorMatching objective(model, behavior, queries, /*batch=*/0, /*seed=*/0);
    const auto optimizer = make_optimizer({.steps = kSteps}, constraint);
    AttackState state = start_attack(constraint, photos[i], /*random_start=*/false, /*seed=*/0);
    run_attack(state, objective, *optimizer, constraint, photos[i], {.steps = kSteps, .validate_every = 0},
               hooks);
    found[i] = state.image;
  };
  if (lockstep == nullptr) {
    for (size_t i = 0; i < photos.size(); ++i) attack(i, settings.model, {});
    return found;
  }
  lockstep->run(
      [&](size_t i) {
        LockstepSeat& seat = lockstep->seat(i);
        AttackHooks hooks;
        hooks.gradients = [&seat](const Tensor& loss, const std::vector<Tensor>& wanted) {
          return seat.gradients(loss, wanted);
        };
        attack(i, seat.in_turn(settings.model), hooks);
      },
      [] {});
  return found;
}

json in_lockstep(const Settings& settings, size_t contexts) {
  constexpr size_t kPhotos = 16;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(HIJACK_SOURCE_DIR) /
                                                               "samples/images/calibration"))
    if (entry.path().extension() == ".jpg") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Tensor> photos = {settings.photo()};
  for (const auto& file : files) photos.push_back(settings.model->to_input_space(load_image(file)));
  for (size_t i = 0; photos.size() < kPhotos; ++i) photos.push_back(photos[i].flip({i % 2 == 0 ? 3 : 2}));
  photos.resize(kPhotos);
  std::map<bool, std::vector<Tensor>> found;
  json row = by_image_batch(settings, [&](bool together) {
    Lockstep lockstep(photos.size());
    found[together] = attacked(settings, photos, contexts, together ? &lockstep : nullptr);
  });
  const Tensor differ = (at::cat(found.at(true)) - at::cat(found.at(false))).abs();
  row["photos"] = photos.size();
  row["contexts"] = contexts;
  row["largest_difference_255"] = 255 * differ.max().item<double>();
  row["share_of_values_that_differ"] = differ.gt(1e-6).to(at::kDouble).mean().item<double>();
  return row;
}

json measured(const Settings& settings, const std::string& what) {
  if (what == "paraphrase") return paraphrase(settings, "paraphrase");
  if (what == "paraphrase_greedy") return paraphrase(settings, "paraphrase:temperature=0");
  if (what == "smoothvlm") return behind(settings, "smoothvlm:copies=20", 20);
  if (what == "jailguard") return behind(settings, "jailguard:copies=8,threshold=1", 8);
  if (what == "smoothing") return behind(settings, "smoothing:copies=20,selection=2", 22);
  if (what == "eot") return eot(settings);
  if (what == "lockstep") return in_lockstep(settings, 8);
  if (what == "lockstep_one_context") return in_lockstep(settings, 1);
  throw Error("'" + what + "' is not measured here.");
}

void run(const std::vector<std::string>& arguments) {
  if (arguments.empty()) throw Error("hijack_together MODEL_DIR what=smoothvlm,eot rounds=3: no model.");
  Settings settings;
  settings.folder = model_folder(arguments[0]);
  std::string what = "smoothvlm,jailguard,eot";
  int threads = 1;
  for (const std::string& argument : std::span(arguments).subspan(1)) {
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals), value = argument.substr(equals + 1);
    if (name == "what") what = value;
    if (name == "rounds") settings.rounds = std::stoll(value);
    if (name == "prompts") settings.prompts = std::stoull(value);
    if (name == "threads") threads = std::stoi(value);
  }
  at::set_num_threads(threads);
  settings.model = load_model(settings.folder, {.dtype = "float32"});
  std::istringstream names(what);
  for (std::string name; std::getline(names, name, ',');) {
    json row = measured(settings, name);
    row["what"] = name;
    std::cout << row.dump() << std::endl;
  }
}

}  // namespace
}  // namespace hijack

int main(int count, char** values) {
  try {
    hijack::run({values + 1, values + count});
    return 0;
  } catch (const hijack::Error& error) {
    std::cerr << error.what() << "\n";
    return 2;
  }
}
