#pragma once
#include <string>
#include <vector>

#include "attacks/constraint.h"
#include "attacks/wrappers/moving_patch.h"
#include "models/vision_language_model.h"
#include "src/experiment/plan/config.h"

namespace hijack {

/// The photos of a trial in the space of its attack, and the set around them that images may come from.
/// Images are [1,3,H,W], on the model's device.
struct AttackSpace {
  /// Reads the photos. Throws Error as check_photos does.
  AttackSpace(const VisionLanguageModel& model, const AttackConfig& config);

  const AttackConfig& config;
  std::vector<Tensor>
      photos;  ///< one, or those of a universal image; of a language model one undefined tensor
  std::vector<Tensor> held_out;  ///< photos that a universal image is only judged on
  Constraint constraint;
  Tensor origin;  ///< around which the attack works: the photo, or a universal image's carrier
  Location place_in_attack, place_in_file;  ///< of a moving patch

  /// The constraint, where it is one.
  const MovingPatch* moving() const { return std::get_if<MovingPatch>(&constraint); }
  /// The constraint in words, with the space it is measured in.
  std::string described() const;
  /// What the model is shown for a photo when the attack is at `image`.
  Tensor shown(const Tensor& image, const Tensor& photo) const;
};

/// A photo in the space in which a config attacks.
Tensor in_attack_space(const VisionLanguageModel& model, const AttackConfig& config, const std::string& file);

/// All photos that a config attacks or judges its image on, held-out ones included, in that space.
std::vector<Tensor> attacked_photos(const VisionLanguageModel& model, const AttackConfig& config);

/// Throws Error when the constraint does not fit a photo, or the photos of a universal image differ in size.
void check_photos(const VisionLanguageModel& model, const AttackConfig& config);

}  // namespace hijack
