#include "defenses/detectors/ecso.h"

#include "src/base/error.h"
#include "src/base/text.h"

namespace hijack {

void Ecso::Parameters::check() const {
  score.check();
  limit.check();
  if (describe.empty()) throw Error("Defense parameter 'describe' of 'ecso' is empty.");
  for (const char* place : {"{caption}", "{prompt}"})
    if (answer.find(place) == std::string::npos)
      throw Error(std::string("Defense parameter 'answer' must have ") + place + " in it.");
}

Ecso::Ecso(const Parameters& parameters, const DefenseResources& resources)
    : parameters_(parameters), scorer_(parameters.score, resources, kName) {
  parameters_.check();
  parameters_.score.own.shorten();
  fit_on_replies(parameters_.limit, resources);
}

std::vector<double> Ecso::scores(const std::vector<Submission>& submissions,
                                 const std::vector<std::string>& replies) const {
  return scorer_.scores(submissions, replies);
}

std::vector<ReplyDetector::Replacement> Ecso::replacements(const std::vector<Submission>& flagged,
                                                           const Responder& next) const {
  std::vector<Submission> descriptions, questions;
  for (const Submission& submission : flagged)
    descriptions.push_back(
        {submission.image,
         {.prompt = filled_pattern(parameters_.describe, {{"{prompt}", submission.query.prompt}})},
         submission.draw});
  const std::vector<Reply> captions = pass_on(descriptions, next);
  for (size_t i = 0; i < flagged.size(); ++i) {
    Query query = flagged[i].query;
    query.prompt =
        filled_pattern(parameters_.answer, {{"{caption}", captions[i].text}, {"{prompt}", query.prompt}});
    questions.push_back({.image = {}, .query = std::move(query), .draw = flagged[i].draw});
  }
  std::vector<Replacement> all;
  for (Reply& reply : pass_on(questions, next)) {
    const std::string& caption = captions[all.size()].text;
    all.push_back({.reply = std::move(reply), .note = "flagged; answered from: " + caption});
  }
  return all;
}

}  // namespace hijack
