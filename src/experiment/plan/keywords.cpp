#include "src/experiment/plan/keywords.h"

#include <set>

#include "attacks/behaviors/text.h"
#include "src/base/error.h"
#include "src/base/json.h"

namespace hijack {
namespace {

constexpr size_t kMostEntries = 100'000, kMostKeywords = 1000;

std::string stem(const std::string& name) {
  return std::filesystem::path(name).stem().string();
}

PictureKeywords read_entry(const nlohmann::json& entry, const std::string& where) {
  if (!entry.is_object() || !entry.contains("image") || !entry["image"].is_string() ||
      !entry.contains("keywords") || !entry["keywords"].is_array())
    throw Error(where + " must be an object with `image` and a list `keywords`.");
  PictureKeywords found{entry["image"].get<std::string>(), {}};
  if (entry["keywords"].empty() || entry["keywords"].size() > kMostKeywords)
    throw Error(where + " must have from 1 to " + std::to_string(kMostKeywords) + " keywords.");
  for (const nlohmann::json& word : entry["keywords"]) {
    if (!word.is_string() || strip(word.get<std::string>()).empty())
      throw Error(where + " has a keyword that is no text, or an empty one.");
    found.keywords.push_back(simplified(word.get<std::string>()));
  }
  return found;
}

}  // namespace

std::vector<PictureKeywords> read_keywords(const std::filesystem::path& file) {
  const nlohmann::json root = read_json(file);
  if (!root.is_array() || root.empty() || root.size() > kMostEntries)
    throw Error(file.string() +
                " must be a list of {\"image\": ..., \"keywords\": [...]}, as M-Attack's keywords.json.");
  std::vector<PictureKeywords> all;
  std::set<std::string> known;
  for (const nlohmann::json& entry : root) {
    const std::string where = file.string() + ": entry " + std::to_string(all.size() + 1);
    all.push_back(read_entry(entry, where));
    if (!known.insert(stem(all.back().image)).second)
      throw Error(where + " is about a picture that stands there before.");
  }
  return all;
}

const PictureKeywords* keywords_of(const std::vector<PictureKeywords>& all,
                                   const std::vector<std::string>& pictures) {
  if (all.size() == 1) return &all.front();
  for (const std::string& picture : pictures)
    for (const PictureKeywords& one : all)
      if (stem(one.image) == stem(picture)) return &one;
  return nullptr;
}

double keyword_share(const std::vector<std::string>& keywords, const std::string& reply) {
  const std::string text = simplified(reply);
  const auto found = std::count_if(keywords.begin(), keywords.end(),
                                   [&](const std::string& word) { return contains_words(text, word); });
  return static_cast<double>(found) / static_cast<double>(std::max<size_t>(1, keywords.size()));
}

}  // namespace hijack
