#pragma once
#include <string>

#include "models/query.h"

namespace hijack {

/// The text of a query as the family's chat template renders it with the generation prompt. The image's place
/// is the family's image token, once, in the first user turn.
/// LLaVA-1.5: "USER: <image>\n{prompt} ASSISTANT:", system text before it.
std::string render_llava(const Query& query, bool with_image);

}  // namespace hijack
