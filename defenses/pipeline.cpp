#include "defenses/pipeline.h"

namespace hijack {

Responder protect(DefenseStack stack, Responder model) {
  Responder responder = std::move(model);
  for (auto stage = stack.rbegin(); stage != stack.rend(); ++stage) {
    TORCH_CHECK(*stage != nullptr, "a defense of the pipeline is null");
    responder = [defense = *stage, next = std::move(responder)](const std::vector<Submission>& submissions) {
      return defense->answer(submissions, next);
    };
  }
  return responder;
}

std::string stack_name(const DefenseStack& stack) {
  std::string joined;
  for (const auto& defense : stack) joined += (joined.empty() ? "" : " + ") + defense->name();
  return joined.empty() ? "none" : joined;
}

Tensor stack_surrogate(const DefenseStack& stack, const Tensor& image, Random& random) {
  Tensor result = image;
  for (const auto& defense : stack) result = defense->surrogate(result, random);
  return result;
}

std::vector<Query> stack_queries(const DefenseStack& stack, std::vector<Query> queries) {
  for (const auto& defense : stack) queries = defense->surrogate_queries(queries);
  return queries;
}

std::vector<std::shared_ptr<const LanguageModel>> stack_prompt_scorers(const DefenseStack& stack) {
  std::vector<std::shared_ptr<const LanguageModel>> all;
  for (const auto& defense : stack)
    if (auto one = defense->prompt_scorer(); one && std::find(all.begin(), all.end(), one) == all.end())
      all.push_back(std::move(one));
  return all;
}

Decoding stack_decoding(const DefenseStack& stack) {
  Decoding decoding;
  for (auto stage = stack.rbegin(); stage != stack.rend(); ++stage) (*stage)->change_decoding(decoding);
  return decoding;
}

std::shared_ptr<const VisionLanguageModel> stack_model(const DefenseStack& stack,
                                                       std::shared_ptr<const VisionLanguageModel> model) {
  return with_decoding(std::move(model), stack_decoding(stack));
}

std::vector<Calibration> stack_calibrations(const DefenseStack& stack) {
  std::vector<Calibration> all;
  for (const auto& defense : stack)
    for (Calibration& calibration : defense->calibrations()) all.push_back(std::move(calibration));
  return all;
}

}  // namespace hijack
