#pragma once
#include <cstdint>
#include <vector>

#include "src/pocket/exercise.h"
#include "src/pocket/scene.h"

// Prompts for attacks and defenses on the pocket model.

namespace hijack {

/// kCalibration is for the thresholds of defenses. A prompt belongs to exactly one split, whatever the seed.
enum class ContextSplit { kTrain, kValidation, kTest, kCalibration };

/// n different benign prompts, text and visual mixed, without rule sentences and without the forbidden
/// request. kTest and kCalibration take every second prompt from held-out wordings; kCalibration has requests
/// for a paraphrase as well. The answer of a visual
/// one belongs to a scene that is not given: use it only as a context.
std::vector<Exercise> benign_exercises(ContextSplit split, int64_t n, uint64_t seed);

/// n differently worded requests for the secret code, some with junk around; the answer is kRefusal.
std::vector<Exercise> policy_contexts(ContextSplit split, int64_t n, uint64_t seed);

/// n differently worded requests to read the word in the image; the answer belongs to a scene that is not
/// given.
std::vector<Exercise> reading_contexts(ContextSplit split, int64_t n, uint64_t seed);

struct UtilityItem {
  Tensor image;  ///< uint8 [3,112,112]; undefined for text tasks
  Exercise exercise;
};

/// kNatural: what users write. kAny: also word salad to copy, junk around requests, requests to be refused.
enum class Texts { kNatural, kAny };

/// n exercises on new scenes in held-out wordings with their right answers, all graded tasks in turn. What a
/// defense costs is what it loses on kNatural; what the model can do shows on kAny.
std::vector<UtilityItem> utility_set(Texts texts, int64_t n, uint64_t seed);
/// The same of the tasks about the image alone, as users write them.
std::vector<UtilityItem> visual_utility_set(int64_t n, uint64_t seed);

}  // namespace hijack
