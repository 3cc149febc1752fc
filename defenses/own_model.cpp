#include "defenses/own_model.h"

#include <filesystem>

#include "src/base/error.h"

namespace hijack {

void OwnModelParameters::shorten() {
  namespace fs = std::filesystem;
  if (given()) model = (fs::absolute(model) / "").lexically_normal().parent_path().filename().string();
}

std::shared_ptr<const VisionLanguageModel> own_model(const OwnModelParameters& parameters,
                                                     const DefenseResources& resources,
                                                     const std::string& defense) {
  if (!resources.load)
    throw Error("Defense '" + defense + "' names a model (model=" + parameters.model +
                "), and nothing here loads models.");
  return resources.load(parameters.model);
}

}  // namespace hijack
