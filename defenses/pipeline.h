#pragma once
#include <memory>
#include <string>
#include <vector>

#include "defenses/defense.h"
#include "models/decoding.h"

namespace hijack {

/// Defenses in the order in which a submission meets them: the first is the outermost.
using DefenseStack = std::vector<std::shared_ptr<const Defense>>;

/// `model` behind `stack`, as one responder. Each reply's trace lists the stages that its submission met,
/// outermost first: the stages behind a rejection are missing.
Responder protect(DefenseStack stack, Responder model);

/// "none", or the names joined by " + ", outermost first.
std::string stack_name(const DefenseStack& stack);

/// The surrogates of all stages one after the other: [1,3,H,W] -> [1,3,H,W].
Tensor stack_surrogate(const DefenseStack& stack, const Tensor& image, Random& random);

/// What the model behind the stack is asked, as an attacker expects it (Defense::surrogate_queries).
std::vector<Query> stack_queries(const DefenseStack& stack, std::vector<Query> queries);

/// Whose scores of prompts a stack looks at, none twice (Defense::prompt_scorer).
std::vector<std::shared_ptr<const LanguageModel>> stack_prompt_scorers(const DefenseStack& stack);

/// What the stages do inside of the model, the innermost first.
Decoding stack_decoding(const DefenseStack& stack);

/// The model as it replies behind the stack: itself, where no stage changes its decoding. Throws Error where
/// one does and the model does not let it, or has no such layer.
std::shared_ptr<const VisionLanguageModel> stack_model(const DefenseStack& stack,
                                                       std::shared_ptr<const VisionLanguageModel> model);

/// All thresholds of the stack.
std::vector<Calibration> stack_calibrations(const DefenseStack& stack);

}  // namespace hijack
