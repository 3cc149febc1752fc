#include "defenses/text/paraphrase.h"

#include <mutex>

#include "src/base/error.h"
#include "src/base/text.h"

namespace hijack {
namespace {

constexpr const char* kPlace = "{prompt}";
constexpr size_t kRemembered = 10'000;  // restatements of a few hundred bytes

}  // namespace

void Paraphrase::Parameters::check() const {
  check_range("temperature", temperature, 0, 10);
  asked.check();
  check_range("max_tokens", static_cast<double>(max_tokens), 1, 100000);
  if (pattern.find(kPlace) == std::string::npos)
    throw Error("Defense parameter 'pattern' must have {prompt} where the user's prompt goes.");
}

struct Paraphrase::Memo {
  std::mutex mutex;
  std::map<std::string, Generated> said;
};

Paraphrase::Paraphrase(const Parameters& parameters, const DefenseResources& resources)
    : parameters_(parameters),
      paraphraser_(asked_model(parameters.asked, resources, resources.paraphraser, kName)),
      memo_(std::make_shared<Memo>()) {
  parameters_.check();
  parameters_.asked.make_public();
  if (!paraphraser_) throw Error("Defense 'paraphrase' needs a language model that restates prompts.");
}

/// A draw must not depend on what else is asked: each request has the stream that it has alone.
uint64_t Paraphrase::seed_of(const Query& request) const {
  const uint64_t seed = Random(parameters_.seed).fork(kName, content_key(request)).bits();
  const bool server = !parameters_.asked.server.endpoint.empty();  // is sent the seed itself
  return server ? seed : Random(seed).fork_seed("reply");
}

std::vector<Generated> Paraphrase::restatements(const std::vector<Query>& requests) const {
  std::vector<Query> fresh;
  std::vector<std::string> keys;
  const std::lock_guard lock(memo_->mutex);
  if (memo_->said.size() > kRemembered) memo_->said.clear();
  std::set<std::string> wanted;
  for (const Query& request : requests) {
    keys.push_back(key_of(request));
    if (!memo_->said.contains(keys.back()) && wanted.insert(keys.back()).second) fresh.push_back(request);
  }
  const std::vector<Generated> texts = asked(fresh);
  for (size_t i = 0; i < fresh.size(); ++i) memo_->said[key_of(fresh[i])] = texts.at(i);
  std::vector<Generated> all;
  for (const std::string& key : keys) all.push_back(memo_->said.at(key));
  return all;
}

std::vector<Generated> Paraphrase::asked(const std::vector<Query>& requests) const {
  GenerateOptions options{.max_new_tokens = parameters_.max_tokens, .temperature = parameters_.temperature};
  std::vector<Generated> texts;
  for (size_t begin = 0; begin < requests.size(); begin += kRepliesAtOnce) {
    const auto some = std::span(requests).subspan(begin, std::min(kRepliesAtOnce, requests.size() - begin));
    options.seeds.clear();
    if (randomized())
      for (const Query& request : some) options.seeds.push_back(seed_of(request));
    for (Generated& text : paraphraser_->generate(some, options)) texts.push_back(std::move(text));
  }
  return texts;
}

std::vector<Query> Paraphrase::surrogate_queries(const std::vector<Query>& queries) const {
  Paraphrase greedy = *this;
  greedy.parameters_.temperature = 0;
  greedy.memo_ = std::make_shared<Memo>();
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
