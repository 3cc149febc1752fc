#include "src/experiment/record/recorded_images.h"

#include "src/base/error.h"
#include "src/experiment/plan/identity.h"

namespace hijack {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& what) {
  throw Error("'" + file.string() + "' " + what + "; put the old file back, or run the trial again.");
}

}  // namespace

void check_images(const std::filesystem::path& folder, const TrialRow& trial, Images which) {
  for (const std::string& name : {trial.image_file, trial.origin_file})
    if (!without_images(trial) && !trial.files.contains(name) &&
        (which == Images::all || std::filesystem::exists(folder / name)))
      refuse(folder / name, "has no hash in the row of its trial");
  for (const auto& [name, hash] : trial.files) {
    const std::filesystem::path file = folder / name;
    if (!std::filesystem::exists(file) && which == Images::present) continue;
    if (!std::filesystem::is_regular_file(file)) refuse(file, "is missing");
    if (file_hash(file) != hash) refuse(file, "is not the file that trial " + trial.id + " saved");
  }
}

void check_has_images(const std::filesystem::path& folder, const TrialRow& trial, bool has_images) {
  if (without_images(trial) != has_images && trial.files.empty() != has_images) return;
  throw Error("'" + (folder / "trials.jsonl").string() + "': trial " + trial.id +
              (has_images ? " names no image, but is an attack on one" : " names images, but has none") +
              "; put the old file back, or run the trial again.");
}

void check_budget(const std::filesystem::path& folder, const TrialRow& trial, const Tensor& image,
                  const Tensor& origin) {
  const std::filesystem::path file = folder / trial.image_file;
  if (image.sizes() != origin.sizes()) refuse(file, "has another size than the clean image of its trial");
  const Budget& recorded = trial.photos.empty() ? trial.budget : trial.photos.front().budget;
  const Budget now = measure_budget(Box{}, image, origin);
  constexpr double kRounding = 1e-3;
  if (std::abs(now.max_difference_255 - recorded.max_difference_255) > kRounding ||
      std::abs(now.l2 - recorded.l2) > kRounding * std::max(1.0, recorded.l2))
    refuse(file, "differs from the clean image by another amount than its row says");
}

RunRecord read_verified_run(const std::filesystem::path& folder) {
  RunRecord run = read_run(folder);
  for (const TrialRow& trial : run.trials) check_images(folder, trial, Images::present);
  return run;
}

}  // namespace hijack
