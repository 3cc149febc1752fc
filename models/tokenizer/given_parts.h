#pragma once
#include <memory>
#include <string>

#include "models/tokenizer.h"
#include "models/tokenizer/normalizer.h"
#include "models/tokenizer/word_model.h"

namespace hijack::tokenizer {

/// Parts that take the place of those that tokenizer.json would name; nullptr: the file's.
struct GivenParts {
  std::unique_ptr<const WordModel> model;
  std::shared_ptr<const Normalizer> normalizer;
};

/// root: a parsed tokenizer.json. Throws Error as Tokenizer::from_json.
std::shared_ptr<const Tokenizer> make_tokenizer(const nlohmann::json& root, const std::string& where,
                                                GivenParts given);

}  // namespace hijack::tokenizer
