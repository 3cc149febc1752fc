#pragma once
#include <set>
#include <string>
#include <vector>

#include "src/experiment/plan/config.h"

// Attacks on language models: a suffix of the prompt, and no image anywhere (Zou et al. 2023, Jain et al.
// 2023).

namespace hijack {

/// Throws Error where a config names photos for a model that takes none, none for a model that does, or a
/// second model (ensemble, transfer) of the other kind; where it attacks a language model by anything but a
/// suffix; and for every setting in `given` that is about images then. The folders must exist.
void check_images_of(const AttackConfig& config, const std::set<std::string>& given);

/// "'build/models/smollm2' is a language model, which takes no images".
std::string language_model_named(const std::string& folder);

/// Throws Error for a defense that looks at images, in front of the language model in `folder`.
void check_defenses_without_images(const std::vector<std::string>& defenses, const std::string& folder);

}  // namespace hijack
