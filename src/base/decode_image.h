#pragma once
#include <string>
#include <string_view>

#include "src/base/image.h"

namespace hijack {

/// What load_image gives for a file of these bytes; `where` names them in messages.
Tensor decode_image(std::string_view bytes, const std::string& where, const ImageLimits& limits = {});

}  // namespace hijack
