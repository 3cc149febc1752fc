#pragma once
#include <string>
#include <vector>

#include "src/experiment/report/aggregate/trials.h"

// Trials grouped by setting, and how settings are named. Pointers refer to the runs given.

namespace hijack::report {

/// A field in which settings differ and that model, behavior, constraint, optimizer and defense do not tell.
struct Difference {
  std::string name;   ///< "steps"
  std::string value;  ///< "60"
  std::string label;  ///< "steps=60"
  /// Without it another setting would carry the same name; the others accompany what the columns tell, as
  /// steps that differ between optimizers.
  bool needed = false;
};

/// Trials that differ only in seed and photo: those with one setting_digest. A trial without a digest (of an
/// older version) is a setting of its own.
struct Setting {
  std::string digest;
  nlohmann::json fields;  ///< of the setting, identity.h; null in rows of older versions
  std::string model;      ///< "pocket (weights 3fa2c1)" where models of one name differ in their weights
  std::string behavior, constraint, constraint_name, optimizer;
  std::string defense;    ///< in front of the model; "none"
  bool adaptive = false;  ///< the attack knew it
  double epsilon_255 = 0;
  int64_t patch_size = 0;
  std::vector<Difference> differences;  ///< the same fields in every setting
  /// Without those that are counted twice. Of trials with one adversarial image only the first is pooled.
  std::vector<TrialRef> trials;
  Pools success;   ///< by split
  Pools controls;  ///< by control; the clean image once for each photo, as it does not depend on the seed
  /// Of other models that were shown the saved images: "attack", "clean", "noise", by the model's name.
  std::map<std::string, Pools> transfer = {};
  std::vector<double> seed_rates;  ///< exact success on test contexts of each seed, pooled over photos
  double seconds_per_step = 0;     ///< median over trials
};

/// Ordered by defense ("none" first), model, behavior, constraint name, its size, optimizer, and then by what
/// differs, numbers by size.
std::vector<Setting> settings(const std::vector<RunRecord>& runs);
/// Those against the bare model; all of them where there are none.
std::vector<Setting> bare_settings(const std::vector<RunRecord>& runs);

/// "linf 8/255", "linf 8/255, steps=60, adaptive to jpeg:quality=75", "linf 8/255, behind jpeg:quality=75":
/// the constraint with what is needed to tell the setting from others of its model, behavior and optimizer.
std::string setting_label(const Setting& setting);
/// "linf 8/255, adaptive to jpeg:quality=75": without what differs, for tables that have columns for it.
std::string defended_constraint(const Setting& setting);
/// ", steps=60", with nothing where nothing is needed.
std::string needed_label(const Setting& setting);

/// Of the columns that show differences: their names, in order. Empty without settings.
std::vector<std::string> difference_names(const std::vector<Setting>& settings);

/// The constraint without "(model input space)", which the threat model states once.
std::string short_constraint(const std::string& constraint);
/// "l2 12.2" -> 12.2: so that sizes stand in their order, whatever the constraint counts in; -1 without any.
double constraint_size(const std::string& constraint);

/// What a setting's images do on one model.
struct Transfer {
  const Setting* setting = nullptr;
  std::string model;       ///< that was asked
  bool optimized = false;  ///< the images were made with it
  Rate attack, clean, noise;
};
/// Of the settings whose images were shown to other models: first the model they were made with, then the
/// others. Pointers refer to `settings`.
std::vector<Transfer> transfers(const std::vector<Setting>& settings);

}  // namespace hijack::report
