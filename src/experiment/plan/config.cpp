#include "src/experiment/plan/config.h"

#include "src/base/error.h"

// toml++ 3.3 asserts what a hostile file can violate ("[,"), and takes it for granted where NDEBUG is
// defined: here a violated assertion is an error in every build.
namespace hijack {
[[noreturn]] static void refuse_toml() {
  throw Error("this is not valid TOML; check the brackets of its tables");
}
}  // namespace hijack
#undef NDEBUG
#define TOML_ASSERT(expr) ((expr) ? static_cast<void>(0) : ::hijack::refuse_toml())
#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include "defenses/make_defense.h"
#include "src/base/file.h"
#include "src/experiment/plan/methods.h"
#include "src/experiment/plan/shipped.h"
#include "src/experiment/plan/surrogates.h"
#include "src/experiment/plan/test_sets.h"
#include "src/experiment/plan/without_images.h"

namespace hijack {
namespace {

using nlohmann::json;

constexpr int64_t kMaxConfigBytes = 1 << 20;

json from_node(const toml::node& node, const std::string& where) {
  if (const auto* table = node.as_table()) {
    json object = json::object();
    for (const auto& [key, value] : *table) object[std::string(key.str())] = from_node(value, where);
    return object;
  }
  if (const auto* array = node.as_array()) {
    json list = json::array();
    for (const auto& value : *array) list.push_back(from_node(value, where));
    return list;
  }
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* integer = node.as_integer()) return integer->get();
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* truth = node.as_boolean()) return truth->get();
  throw Error(where + ":" + std::to_string(node.source().begin.line) +
              ": dates and times are not used here.");
}

void require(bool holds, const std::string& field, const std::string& what) {
  if (!holds) throw Error(flag_name(field) + " must be " + what + ".");
}

void check_numbers(const AttackConfig& config) {
  require(config.optimizer.steps >= 1 && config.optimizer.steps <= 10'000'000, "steps", "from 1 to 10000000");
  require(config.restarts >= 0 && config.restarts <= 1000, "restarts", "from 0 to 1000");
  require(config.queries >= 0 && config.queries <= 100'000, "queries", "from 0 to 100000");
  require(config.query_smoothing > 0 && config.query_smoothing <= 1, "query_smoothing",
          "above 0 and at most 1");
  require(config.augmentation.draws >= 1 && config.augmentation.draws <= 1000, "draws", "from 1 to 1000");
  require(config.train >= 0, "train", "0 or more");
  require(config.validation >= 0, "validation", "0 or more");
  require(config.test >= 0, "test", "0 or more");
  require(config.batch >= 0, "batch", "0 or more");
  require(config.validate_every >= 0, "validate_every", "0 or more");
  require(config.stop_at > 0, "stop_at", "above 0");
  require(config.checkpoint_every >= 1, "checkpoint_every", "1 or more");
  require(config.max_new_tokens >= 0 && config.max_new_tokens <= 4096, "max_new_tokens",
          "from 1 to 4096, or 0 for what the behavior needs");
  require(config.threads >= 0 && config.threads <= 1024, "threads", "from 0 to 1024");
  image_batch_from_name(config.image_batch);
  if (config.objective.hardest_of > 1 && config.batch == 0)
    throw Error(
        "--hardest-of chooses the contexts of a step among more than --batch takes, and all are taken: "
        "give a --batch.");
}

void check_files(const AttackConfig& config) {
  for (const std::string& image : config.images)
    if (!std::filesystem::is_regular_file(image)) throw Error("There is no image file '" + image + "'.");
  if (config.seeds.empty()) throw Error("No seed was given; name one with --seed 0.");
  if (!std::filesystem::is_directory(config.model))
    throw Error("There is no model folder '" + config.model +
                "'; --model takes a Hugging Face checkpoint folder.");
  if (!config.vision_tower.empty() && !std::filesystem::is_directory(config.vision_tower))
    throw Error("There is no folder '" + config.vision_tower +
                "'; --vision-tower takes a CLIP or SigLIP folder.");
  if (!config.adapter.empty() && !std::filesystem::is_directory(config.adapter))
    throw Error("There is no folder '" + config.adapter +
                "'; --adapter takes a LoRA adapter that PEFT saved.");
  for (const std::string& image : config.held_out_images)
    if (!std::filesystem::is_regular_file(image)) throw Error("There is no image file '" + image + "'.");
  const std::string& font = config.typographic.font;
  if (!font.empty()) Font::from_file(font);
  for (const auto& [flag, models] :
       {std::pair("--ensemble", &config.ensemble), {"--transfer", &config.transfer}})
    for (const std::string& model : *models)
      if (!std::filesystem::is_directory(model))
        throw Error("There is no model folder '" + model + "'; " + flag +
                    " takes Hugging Face checkpoint folders.");
  const std::string& picture = config.objective.feature_image;
  for (const std::string* file : {&picture, &config.scaling.picture})
    if (!file->empty() && !std::filesystem::is_regular_file(*file))
      throw Error("There is no image file '" + *file + "'.");
  if (!asks_nobody(config) && !std::filesystem::is_regular_file(config.contexts))
    throw Error("There is no contexts file '" + config.contexts + "'.");
  const std::string& templates = config.augmentation.templates;
  if (!templates.empty() && !std::filesystem::is_regular_file(templates))
    throw Error("There is no file of chat templates '" + templates + "'; --templates takes one, or shipped.");
  const std::string& targets = config.behavior.targets;
  if (!targets.empty() && !std::filesystem::is_regular_file(targets))
    throw Error("There is no file of targets '" + targets + "'.");
  const std::string& mask = config.constraint.mask;
  if (!mask.empty() && !std::filesystem::is_regular_file(mask))
    throw Error("There is no mask file '" + mask + "'.");
}

/// Rows tell models apart by name.
void check_transfer(const AttackConfig& config) {
  std::set<std::string> names = {model_name(config.model)};
  for (const std::string& folder : config.transfer)
    if (!names.insert(model_name(folder)).second)
      throw Error(
          "--transfer '" + folder +
          "' has the same name as another model of this attack; rename or link the folder, so that rows "
          "can tell them apart.");
}

/// Optimizers that compare losses between steps need the same contexts at each.
void check_optimizer(AttackConfig& config, const std::set<std::string>& given) {
  // Where a patch or mask lies is checked once the model's image size is known.
  const Constraint constraint = read_constraint(config.constraint);
  const bool around_surrogates = uses_surrogates(config);
  const auto cycle = static_cast<int64_t>(around_surrogates ? config.surrogate.folders.size() + 1
                                                            : config.ensemble.size() + 2);
  if (config.optimizer.name == "cwa" && config.optimizer.steps < cycle)
    throw Error("The optimizer cwa moves the image once in " + std::to_string(cycle) +
                " steps: --steps must be at least that.");
  if (config.optimizer.name == "cwa" && config.restarts > 0 && config.optimizer.steps % cycle != 0)
    throw Error("The optimizer cwa works in cycles of " + std::to_string(cycle) +
                " steps: with --restarts, --steps must be a multiple of that.");
  if (!make_optimizer(config.optimizer, constraint)->needs_deterministic_objective()) return;
  if (config.augmentation.any())
    throw Error("The optimizer " + config.optimizer.name + " compares losses between steps, but " +
                (config.augmentation.names.empty() ? "--templates changes the chats"
                                                   : "--augment changes the image") +
                " at random at each: use pgd.");
  if (config.cropa.radius > 0)
    throw Error("The optimizer " + config.optimizer.name +
                " compares losses between steps, but adversarial prompts (--cropa-radius) change them: use "
                "pgd.");
  if (config.universal && config.photo_batch != 0)
    throw Error("The optimizer " + config.optimizer.name +
                " compares losses between steps and needs the same photos at each: set --photo-batch 0.");
  if (config.behavior.name == "corpus")
    throw Error("The optimizer " + config.optimizer.name +
                " compares losses between steps, but behavior corpus draws a target at each: use pgd.");
  if (!given.contains("batch")) config.batch = 0;
  if (config.batch != 0 && (config.train == 0 || config.batch < config.train))
    throw Error("The optimizer " + config.optimizer.name +
                " compares losses between steps and needs the same contexts at each: set --batch 0.");
}

/// How a victim is asked for scores.
void check_scores(const AttackConfig& config) {
  if (config.victim_scores != "reply" && config.victim_scores != "first-token")
    throw Error("--victim-scores is '" + config.victim_scores.substr(0, 40) +
                "', but must be reply or first-token.");
  const std::string& score = config.query_score;
  if (score != "auto" && score != "log-likelihood" && score != "success")
    throw Error("--query-score is '" + score.substr(0, 40) +
                "', but must be auto, log-likelihood or success.");
  if (config.victim.empty() && score != AttackConfig().query_score)
    throw Error("--query-score is about a model behind an API: name it with --victim.");
}

/// A victim behind an API scores given replies or shows its own, and nothing else.
void check_victim(AttackConfig& config, const Behavior& behavior) {
  check_scores(config);
  if (config.victim.empty()) return;
  config.victim = parse_endpoint(config.victim, "--victim").name();  // without login
  config.asking.check();
  const std::string why = ": the victim behind an API gives no gradients.";
  if (config.method != "image") throw Error("--victim works with method image, not " + config.method + why);
  if (config.images.empty()) throw Error("--victim needs --image: it is shown pictures.");
  if (config.defense.adaptive) throw Error("--adaptive attacks through a defense by its gradients" + why);
  if (!config.ensemble.empty()) throw Error("--ensemble averages over models with weights" + why);
  const Constraint constraint = read_constraint(config.constraint);
  if (config.queries == 0 && make_optimizer(config.optimizer, constraint)->uses_gradient())
    throw Error("The optimizer " + config.optimizer.name +
                " follows gradients: take --optimizer square, or --queries 20 (RGF)" + why);
  for (const ObjectiveTerm& term : parse_objective(config.objective, behavior))
    if (term.name != "behavior")
      throw Error("--victim works with objective behavior, not " + term.name +
                  ": the API scores given replies or shows its own, and nothing else.");
}

/// Adversarial prompts need a loss that reads prompts, and its gradient.
void check_prompts(const AttackConfig& config, const Behavior& behavior) {
  check(config.cropa);
  if (!config.augmentation.templates.empty() && config.method != "image" && config.method != "joint")
    throw Error("--templates augments the search of an image: method " + config.method +
                " has no use for it.");
  if (config.cropa.radius == 0) return;
  if (config.method != "image")
    throw Error("adversarial prompts (--cropa-radius) work against an image: use --method image, not " +
                config.method + ".");
  if (config.queries > 0)
    throw Error(
        "adversarial prompts (--cropa-radius) need the gradient that --queries does without: leave one out.");
  const auto terms = parse_objective(config.objective, behavior);
  if (std::none_of(terms.begin(), terms.end(), reads_prompts))
    throw Error(
        "adversarial prompts (--cropa-radius) have no effect on an objective of features, which reads no "
        "prompt: use objective behavior.");
}

}  // namespace

std::string model_name(const std::string& folder) {
  return (std::filesystem::absolute(folder) / "").lexically_normal().parent_path().filename().string();
}

void for_each_model(AttackConfig& config, const std::function<void(std::string& folder)>& each) {
  for (std::string* folder : {&config.model, &config.vision_tower, &config.adapter})
    if (!folder->empty()) each(*folder);
  for (auto* folders :
       {&config.ensemble, &config.transfer, &config.surrogate.folders, &config.surrogate.held_out})
    for (std::string& folder : *folders) each(folder);
  for (std::string& defense : config.defense.defenses) defense = with_own_model(defense, each);
}

std::vector<std::string> toml_names(const std::filesystem::path& folder, const std::string& what) {
  if (!std::filesystem::is_directory(folder))
    throw Error("there is no folder of " + what + " '" + folder.string() + "'.");
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

json read_toml(const std::filesystem::path& file) {
  const std::string text = read_file(file, kMaxConfigBytes);
  try {
    return from_node(toml::parse(text, file.string()), file.string());
  } catch (const toml::parse_error& error) {
    const auto& at = error.source().begin;
    // the parser's own words are about its rules of grammar
    const bool twice = error.description().find("redefine") != std::string_view::npos;
    throw Error(
        file.string() + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ": " +
        (twice ? "this name was given a value before; give it one."
               : "this is not valid TOML; a line is written as name = value, with texts in double quotes."));
  } catch (const Error& error) {
    throw Error(file.string() + ": " + error.what());
  }
}

void find_beside(AttackConfig& config, const std::filesystem::path& folder) {
  const auto find = [&](std::string& path) {
    const std::filesystem::path beside = folder / path;
    if (std::filesystem::path(path).is_relative() && std::filesystem::exists(beside)) path = beside.string();
  };
  if (folder.empty()) return;
  for_each_file(config, find);
  for_each_model(config, [&](std::string& model) {
    if (!is_named_model(model)) find(model);
  });
}

/// Files for other commands are TOML, too.
static void refuse_tables(const json& content, const std::string& file) {
  const auto is_there = [&](const char* key) { return content.contains(key); };
  if (is_there("title") && is_there("departs"))
    throw Error(file + " is a recipe: run it with hijack reproduce " + file + ".");
  if (is_there("paper") && is_there("departs"))
    throw Error(file + " is a preset; --config takes the fields of its table [attack] at the top level.");
  if (is_there("attack") || is_there("grid"))
    throw Error(file + " has tables [attack] or [[grid]], so it is an experiment: run it with hijack run " +
                file + "; --config takes fields at the top level.");
}

std::set<std::string> read_config(const std::filesystem::path& file, AttackConfig& config) {
  const json content = read_toml(file);
  refuse_tables(content, file.string());
  const auto given = set_fields(fields_of(config), content, file.string());
  find_beside(config, file.parent_path());
  return given;
}

void resolve(AttackConfig& config, const std::set<std::string>& given) {
  check_numbers(config);
  settle_surrogates(config, given);
  config.model = model_folder(config.model).string();
  for_each_model(config, [](std::string& model) { model = model_folder(model).string(); });
  if (!given.contains("target")) config.behavior.target = default_target(config.behavior.name, config.model);
  check(config.defense);
  check(config.sampling, config.behavior.name);
  const auto behavior = make_behavior(config.behavior);
  check_surrogates(config, *behavior);
  const bool lettered = config.method == "scaling" && config.scaling.picture.empty();
  if ((config.method == "typographic" || lettered) && config.typographic.font.empty())
    config.typographic.font = system_font().string();
  check_method(config, *behavior);
  check_prompts(config, *behavior);
  if (config.augmentation.templates == "shipped")
    config.augmentation.templates = shipped_templates().string();
  for (const std::string& name : config.augmentation.names) parse_augmentation(name);
  check_optimizer(config, given);
  check_victim(config, *behavior);
  config.contexts = contexts_file(config.contexts).string();
  if (config.contexts.empty() && !asks_nobody(config))
    config.contexts = default_contexts(config.behavior.name, config.model).string();
  check_files(config);
  check_images_of(config, given);
  check_transfer(config);
}

}  // namespace hijack
