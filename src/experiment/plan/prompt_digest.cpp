#include "src/experiment/plan/prompt_digest.h"

#include <nlohmann/json.hpp>

#include "src/experiment/plan/dataset.h"
#include "src/experiment/plan/identity.h"

namespace hijack {

std::string prompt_digest(const Query& query) {
  return digest_of(context_to_json(query));
}

}  // namespace hijack
