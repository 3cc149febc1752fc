#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "src/base/tensor.h"
#include "src/experiment/plan/test_sets.h"

// Test sets of pictures: each case with its own one, as its authors lay them out.

namespace hijack {

struct PictureCase {
  TestCase one;
  std::filesystem::path picture = {};
  std::string bytes = {};  ///< of the picture's file, where the set has it inside of its own
  /// Decoded, [1,3,H,W]. Throws Error as load_image, naming the case.
  Tensor image() const;
  /// What is asked about it.
  const std::string& prompt() const { return one.with_image.empty() ? one.prompt : one.with_image; }
};

/// The chosen cases with their pictures, which must all be there: below the set's folder (or that of the file
/// that was named, or one folder up), at the place that the set names, or where its authors' archives put
/// them: MM-SafetyBench's imgs/NN-Name/SD_TYPO, FigStep's images/SafeBench, VLGuard's test and train, POPE's
/// val2014, HarmBench's multimodal_behavior_images (whose files are PNG whatever they are called). Throws
/// Error as read_test_set; for a set or a case without pictures, for one that is missing, and for names that
/// lead out of the folder. MMBench's are in its table, in base64, and must be pictures of at most 64 MiB; a
/// row may name another one by its index.
std::vector<PictureCase> read_picture_cases(const TestSetChoice& choice);

/// Whether a reply takes the option of this letter (A to D): its first word is the letter, or else it is the
/// only one of the four that stands alone in it ("The answer is (B)."). An A before a word is an article.
bool takes_option(const std::string& reply, char letter);

}  // namespace hijack
