#include "defenses/text/paraphrase.h"

#include "src/base/error.h"
#include "src/base/text.h"

namespace hijack {
namespace {

constexpr const char* kPlace = "{prompt}";

}  // namespace

void Paraphrase::Parameters::check() const {
  check_range("temperature", temperature, 0, 10);
  asked.check();
  check_range("max_tokens", static_cast<double>(max_tokens), 1, 100000);
  if (pattern.find(kPlace) == std::string::npos)
    throw Error("Defense parameter 'pattern' must have {prompt} where the user's prompt goes.");
}

Paraphrase::Paraphrase(const Parameters& parameters, const DefenseResources& resources)
    : parameters_(parameters),
      paraphraser_(asked_model(parameters.asked, resources, resources.paraphraser, kName)) {
  parameters_.check();
  parameters_.asked.make_public();
  if (!paraphraser_) throw Error("Defense 'paraphrase' needs a language model that restates prompts.");
}

std::vector<Generated> Paraphrase::restatements(const std::vector<Query>& requests) const {
  GenerateOptions options{.max_new_tokens = parameters_.max_tokens, .temperature = parameters_.temperature};
  if (!randomized()) return paraphraser_->generate(requests, options);
  // One at a time: a draw must not depend on what else is in the batch.
  std::vector<Generated> texts;
  for (const Query& request : requests) {
    options.seed = Random(parameters_.seed).fork(kName, content_key(request)).bits();
    texts.push_back(paraphraser_->generate({&request, 1}, options).at(0));
  }
  return texts;
}

std::vector<Query> Paraphrase::surrogate_queries(const std::vector<Query>& queries) const {
  Paraphrase greedy = *this;
  greedy.parameters_.temperature = 0;
  return greedy.TextTransform::surrogate_queries(queries);
}

std::vector<TextTransform::Rewritten> Paraphrase::rewrite(std::span<const Query> queries) const {
  std::vector<Query> requests;
  for (const Query& query : queries)
    requests.push_back({.prompt = filled_pattern(parameters_.pattern, {{kPlace, query.prompt}})});
  const std::vector<Generated> texts = restatements(requests);
  std::vector<Rewritten> done;
  for (size_t i = 0; i < queries.size(); ++i) {
    Rewritten result{.query = queries[i], .note = strip(texts.at(i).text)};
    if (result.note.empty()) {
      result.note = "(empty paraphrase: the original prompt was kept)";
    } else {
      result.query.prompt = result.note;
      // as a deployed system would pass it on, but no restatement of the whole prompt
      if (texts.at(i).cut)
        result.note += " (cut at max_tokens=" + std::to_string(parameters_.max_tokens) + ")";
    }
    done.push_back(std::move(result));
  }
  return done;
}

}  // namespace hijack
