#include "src/experiment/run/search.h"

#include "src/experiment/plan/methods.h"

namespace hijack {

std::optional<Found> search(const TrialParts& parts) {
  switch (method_of(parts.config)) {
    case Method::kImage:
      return search_image(parts);
    case Method::kTypographic:
      return search_lettering(parts);
    case Method::kGcg:
      return search_suffix(parts);
    case Method::kScaling:
      return search_scaling(parts);
    case Method::kJoint:
      return search_jointly(parts);
  }
  TORCH_CHECK(false, "a method without a search");
}

}  // namespace hijack
