#pragma once
#include <string>

#include "models/tokenizer/json_reader.h"

namespace hijack::tokenizer {

/// The options of Metaspace, which is a pre-tokenizer and a decoder.
struct Metaspace {
  enum class Scheme { first, never, always };
  std::string replacement;
  Scheme scheme = Scheme::always;
  bool split = true;
};

/// Also reads the older `add_prefix_space`. Throws Error.
Metaspace make_metaspace(const nlohmann::json& component, const std::string& where);

}  // namespace hijack::tokenizer
