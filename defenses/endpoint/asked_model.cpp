#include "defenses/endpoint/asked_model.h"

#include "src/base/error.h"

namespace hijack {

void AskedModelParameters::check() const {
  server.check();
  if (own.given() && !server.endpoint.empty())
    throw Error("Defense parameters 'model' and 'endpoint' both say whom to ask: give one of them.");
}

std::shared_ptr<const LanguageModel> asked_model(const AskedModelParameters& parameters,
                                                 const DefenseResources& resources,
                                                 const std::shared_ptr<const LanguageModel>& otherwise,
                                                 const std::string& defense) {
  if (parameters.own.given()) return own_model(parameters.own, resources, defense)->language_model();
  if (!parameters.server.endpoint.empty()) return std::make_shared<const EndpointModel>(parameters.server);
  return otherwise;
}

}  // namespace hijack
