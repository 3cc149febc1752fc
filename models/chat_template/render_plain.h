#pragma once
#include <string>

#include "models/query.h"

namespace hijack {

/// Models without template: the texts, each on lines of its own.
std::string render_plain(const Query& query);

}  // namespace hijack
