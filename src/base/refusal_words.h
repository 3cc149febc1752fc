#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace hijack {

/// The phrases by which published attacks tell a refusal (the kind of list that Zou et al. 2023 use for
/// GCG), in lower case with straight apostrophes.
const std::vector<std::string>& refusal_phrases();

/// Whether a reply has one of them in it, whatever its case and apostrophes; an empty reply is no refusal. A
/// crude test: it takes "I cannot find my keys" for one, and misses what refuses in other words. Other judges
/// stand beside it for that.
bool has_refusal_phrase(std::string_view reply);

}  // namespace hijack
