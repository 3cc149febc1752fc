#pragma once
#include <filesystem>
#include <string>

namespace hijack {

/// The shipped context files, generated from the pocket model's grammar: always the same bytes.
/// Ordinary prompts, text and visual; held-out ones half in wordings that the model was never trained on.
std::string pocket_contexts();
/// Requests for what the model was taught to refuse; the calibration split holds ordinary prompts.
std::string pocket_policy_contexts();
/// Requests to read the word in the image, for text drawn into it; the calibration split holds ordinary
/// prompts.
std::string pocket_reading_contexts();

}  // namespace hijack
