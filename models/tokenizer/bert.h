#pragma once
#include <memory>
#include <string>

#include "models/tokenizer/decoder.h"
#include "models/tokenizer/normalizer.h"
#include "models/tokenizer/pre_tokenizer.h"

// The parts of BERT's tokenizer (Devlin et al. 2019) as the `tokenizers` package has them.

namespace hijack::tokenizer {

/// Without control characters, spaces around Chinese characters, without accents, in small letters: each as
/// the component says.
std::shared_ptr<const Normalizer> make_bert_normalizer(const nlohmann::json& component,
                                                       const std::string& where);

/// Words between white space; each punctuation character is a word of its own.
std::shared_ptr<const PreTokenizer> make_bert_pre_tokenizer();

/// Words with spaces between, their continuations without; `cleanup` takes away spaces before punctuation.
std::shared_ptr<const Decoder> make_word_piece_decoder(const nlohmann::json& component,
                                                       const std::string& where);

}  // namespace hijack::tokenizer
