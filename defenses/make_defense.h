#pragma once
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "defenses/defense.h"
#include "defenses/resources.h"

namespace hijack {

/// "jpeg:quality=75" or "perplexity:window=10,quantile=0.99". A backslash before a comma or a backslash in a
/// value keeps it. Throws Error for unknown defenses and parameters (naming the nearest), for malformed and
/// for out-of-range values: a spec that parses needs nothing but its resources.
DefenseSpec parse_defense(const std::string& text);

/// A spec with its defense's present name: names of earlier versions (mask_vote is smoothvlm now) keep
/// working.
std::string current_defense(const std::string& text);

/// `text` without the login of its endpoint, which this process keeps (address.h): what configs and files
/// hold of a defense. Throws Error as parse_defense.
std::string public_defense(const std::string& text);

/// `text` with the folder of the model that its defense names (`model=DIR`) as `each` leaves it. Specs that
/// name none stay as they are. Throws Error as parse_defense.
std::string with_own_model(const std::string& text, const std::function<void(std::string& folder)>& each);

/// The same for the file that a detector has learned from (`trained=FILE`).
std::string with_trained_file(const std::string& text, const std::function<void(std::string& file)>& each);

/// Throws Error where a resource is missing or too small.
std::shared_ptr<const Defense> make_defense(const DefenseSpec& spec, const DefenseResources& resources);

std::vector<std::string> defense_names();

/// A parameter as `hijack defenses NAME` shows it.
struct DefenseParameter {
  std::string name;
  std::string type;      ///< "TEXT", "N", "X", or "" for true and false
  nlohmann::json value;  ///< default
  std::string help;
};
struct DefenseInfo {
  std::string name;
  std::string kind;          ///< what it works on: "image", "text", "detector" or "votes"
  std::string help;          ///< one sentence: source, and where it departs from it
  bool reads_images = true;  ///< it has nothing to do where there is none
  std::vector<DefenseParameter> parameters = {};
};

/// All defenses, in the order of the table.
std::vector<DefenseInfo> defense_infos();
/// One of them, also by a former name. Throws Error for an unknown name (naming the nearest).
DefenseInfo defense_info(const std::string& name);

}  // namespace hijack
