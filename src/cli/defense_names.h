#pragma once
#include <string>
#include <vector>

namespace hijack::cli {

/// Notes the present name of defenses that the user called by a former one ("mask_vote:copies=4").
void note_former_names(const std::vector<std::string>& defenses);

}  // namespace hijack::cli
