#pragma once
#include <filesystem>
#include <memory>
#include <stop_token>

#include "models/endpoint/victim.h"
#include "src/experiment/plan/endpoint_config.h"
#include "src/experiment/run/runner.h"

// A victim behind an API in the place of the attacked model.

namespace hijack {

/// What asks an endpoint for a run. Its budget of calls is that of the run folder (calls.jsonl), for this
/// endpoint and model. Throws Error as EndpointClient does.
std::shared_ptr<const EndpointClient> client_for_run(const EndpointParameters& endpoint,
                                                     const AskingConfig& asking,
                                                     const std::filesystem::path& run,
                                                     const std::stop_token& stop);

/// Gives the victim for every plan. The model that the plan attacks gives sizes and tokens only: its weights
/// are not read.
ModelSource victim_models(std::shared_ptr<const EndpointClient> client);

/// Gives the victims that plans name (AttackConfig::victim), each asked by one client.
ModelSource named_victims(const Machine& machine);

/// "http://127.0.0.1:8000/v1#MODEL" of a victim; "" for a model with weights.
std::string victim_name(const VisionLanguageModel& model);

}  // namespace hijack
