#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/query.h"
#include "src/base/tensor.h"

namespace hijack {

/// A picture [1,3,H,W] on the lattice as a data: URL of its PNG file; "" for an undefined tensor.
std::string data_url(const Tensor& image);

/// A request for POST /chat/completions: the query's texts, and the picture before the text of the first
/// turn, where chat templates have it. seed: sent as its upper 31 bits, as numbers of JSON are exact up to
/// 2^53 only.
nlohmann::json chat_body(const std::string& model, const Query& query, const std::string& image_url,
                         const GenerateOptions& options, uint64_t seed);

/// A request that has the beginning of a reply scored as vLLM does it: it is the last message, to be
/// continued.
nlohmann::json scoring_body(const std::string& model, const Query& query, const std::string& image_url,
                            const std::string& reply);

/// A request for one token, with the 20 likeliest ones in its place.
nlohmann::json first_token_body(const std::string& model, const Query& query, const std::string& image_url);

/// The reply of an answer; cut where the server says that it reached max_tokens. Throws Error.
Generated reply_of(const nlohmann::json& answer);

}  // namespace hijack
