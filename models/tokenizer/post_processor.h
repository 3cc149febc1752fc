#pragma once
#include <functional>
#include <memory>
#include <string>

#include "models/tokenizer.h"
#include "models/tokenizer/json_reader.h"

namespace hijack::tokenizer {

/// Adds special tokens around an encoded text. Immutable.
class PostProcessor {
 public:
  virtual ~PostProcessor() = default;
  virtual Encoding process(Encoding encoding, bool add_special_tokens) const = 0;
};

/// Sequence, TemplateProcessing, ByteLevel (which would trim offsets: here they stay whole); null does
/// nothing. Throws Error for anything else, and for a template whose ids `is_known` does not know.
std::shared_ptr<const PostProcessor> make_post_processor(const nlohmann::json& component,
                                                         const std::function<bool(uint32_t)>& is_known,
                                                         const std::string& where);

}  // namespace hijack::tokenizer
