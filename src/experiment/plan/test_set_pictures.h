#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "src/experiment/plan/test_sets.h"

// Test sets of pictures: each case with its own one, as its authors lay them out.

namespace hijack {

struct PictureCase {
  TestCase one;
  std::filesystem::path picture;
  /// What is asked about it.
  const std::string& prompt() const { return one.with_image.empty() ? one.prompt : one.with_image; }
};

/// The chosen cases with their pictures, which must all be there: below the set's folder (or that of the file
/// that was named, or one folder up), at the place that the set names, or where its authors' archives put
/// them: MM-SafetyBench's imgs/NN-Name/SD_TYPO, FigStep's images/SafeBench, VLGuard's test and train, POPE's
/// val2014, HarmBench's multimodal_behavior_images (whose files are PNG whatever they are called). Throws
/// Error as read_test_set; for a set or a case without pictures, for one that is missing, and for names that
/// lead out of the folder.
std::vector<PictureCase> read_picture_cases(const TestSetChoice& choice);

}  // namespace hijack
