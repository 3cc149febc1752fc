#pragma once
#include <memory>
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

/// Throws Error where a resource is missing or too small.
std::shared_ptr<const Defense> make_defense(const DefenseSpec& spec, const DefenseResources& resources);

std::vector<std::string> defense_names();

/// For --help: one line per defense and one per parameter with its default.
std::string defense_help();

}  // namespace hijack
