#pragma once
#include <filesystem>

#include "src/base/tensor.h"
#include "src/experiment/record/results.h"

// Images read back from a run folder are those that its rows tell about, or nothing is said about them.

namespace hijack {

enum class Images {
  all,      ///< every image of the trial must be there
  present,  ///< those that are there must be right: results are passed on without their images
};

/// Compares the image files of a trial with the hashes in its row. Throws Error that names the first that
/// differs or is missing.
void check_images(const std::filesystem::path& folder, const TrialRow& trial, Images which);

/// Throws Error for a row that names images where its trial has none, or none where it has.
void check_has_images(const std::filesystem::path& folder, const TrialRow& trial, bool has_images);

/// Measures the distance of a trial's (first) image again, [1,3,H,W] both. Throws Error when the sizes
/// differ, or when it is not the distance in the row.
void check_budget(const std::filesystem::path& folder, const TrialRow& trial, const Tensor& image,
                  const Tensor& origin);

/// read_run, for a report: throws Error, too, when an image that lies in the folder is not that of its row.
RunRecord read_verified_run(const std::filesystem::path& folder);

}  // namespace hijack
