#include "src/experiment/plan/without_images.h"

#include "defenses/make_defense.h"
#include "models/load_model.h"
#include "src/base/error.h"
#include "src/experiment/plan/methods.h"

namespace hijack {
namespace {

/// Names of the fields that say something about images, or about the search for one.
std::set<std::string> fields_of_images() {
  std::set<std::string> names = {"image",   "held_out_image",  "universal",    "photo_batch", "space",
                                 "views",   "vision_tower",    "random_start", "restarts",    "stop_loss",
                                 "queries", "query_smoothing", "joint_rounds"};
  AttackConfig config;
  const auto add = [&](const Fields& fields) {
    for (const Field& field : fields) names.insert(field.name);
  };
  add(fields_of(config.constraint));
  add(fields_of(config.objective));
  add(fields_of(config.surrogate));
  add(fields_of(config.optimizer));
  add(fields_of(config.augmentation));
  add(fields_of(config.cropa));
  add(fields_of(config.typographic));
  add(fields_of(config.scaling));
  return names;
}

void check_language_model(const AttackConfig& config, const std::set<std::string>& given) {
  if (method_of(config) != Method::kGcg)
    throw Error(language_model_named(config.model) + ": --method " + config.method +
                " needs one; attack its prompts with --method gcg.");
  std::set<std::string> set = given;
  if (!config.images.empty()) set.insert("image");
  if (config.views == "all") set.erase("views");  // a recipe's, whatever its model
  for (const std::string& name : fields_of_images())
    if (set.contains(name))
      throw Error(language_model_named(config.model) + ": leave " + flag_name(name) + " out.");
  if (!config.ensemble.empty())
    throw Error(
        "--ensemble is for images that have to work on several models; method gcg attacks the model '" +
        config.model + "' alone: leave it out.");
}

}  // namespace

std::string language_model_named(const std::string& folder) {
  return "'" + folder + "' is a language model, which takes no images";
}

void check_images_of(const AttackConfig& config, const std::set<std::string>& given) {
  const bool images = takes_images(config.model);
  if (!images)
    check_language_model(config, given);
  else if (config.images.empty())
    throw Error("No image was given; name a photo with --image cat.png.");
  for (const auto& [flag, models] :
       {std::pair("--ensemble", &config.ensemble), {"--transfer", &config.transfer}})
    for (const std::string& model : *models)
      if (takes_images(model) != images)
        throw Error(std::string(flag) + ": " +
                    (images ? language_model_named(model)
                            : "'" + model + "' takes images, but the attack on a language model has none") +
                    "; leave it out.");
  if (!images) check_defenses_without_images(config.defense.defenses, config.model);
}

void check_defenses_without_images(const std::vector<std::string>& defenses, const std::string& folder) {
  for (const std::string& text : defenses) {
    const DefenseInfo info = defense_info(parse_defense(text).name);
    if (info.reads_images)
      throw Error("The defense " + info.name + " looks at images, but " + language_model_named(folder) +
                  ": leave it out.");
  }
}

}  // namespace hijack
