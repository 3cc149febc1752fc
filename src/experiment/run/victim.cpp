#include "src/experiment/run/victim.h"

#include "src/experiment/plan/machine.h"

namespace hijack {

std::shared_ptr<const EndpointClient> client_for_run(const EndpointParameters& endpoint,
                                                     const AskingConfig& asking,
                                                     const std::filesystem::path& run,
                                                     const std::stop_token& stop) {
  asking.check();
  auto budget = std::make_shared<CallBudget>(
      asking.calls, run.empty() ? std::filesystem::path() : run / "calls.jsonl", endpoint.name());
  return std::make_shared<const EndpointClient>(
      asking.parameters(endpoint),
      AskingLimits{.concurrency = asking.concurrency, .budget = std::move(budget), .stop = stop});
}

ModelSource victim_models(std::shared_ptr<const EndpointClient> client) {
  auto kept = std::make_shared<std::pair<std::string, std::shared_ptr<const VisionLanguageModel>>>();
  return [client = std::move(client), kept](const AttackConfig& config) {
    const std::string key = model_key(config) + config.victim_scores;
    if (kept->second && kept->first == key) return kept->second;
    LoadOptions options = load_options(config, config.model);
    options.device = "meta";
    using Scores = EndpointVictim::Scores;
    const Scores scores = config.victim_scores == "reply" ? Scores::kReply : Scores::kFirstToken;
    *kept = {key, std::make_shared<const EndpointVictim>(client, load_model(config.model, options), scores)};
    return kept->second;
  };
}

ModelSource named_victims(const Machine& machine) {
  auto known = std::make_shared<std::map<std::string, ModelSource>>();
  return [machine, known](const AttackConfig& config) {
    ModelSource& source = (*known)[config.victim];
    if (!source)
      source = victim_models(client_for_run(parse_endpoint(config.victim, "--victim"), config.asking,
                                            machine.run, machine.stop));
    return source(config);
  };
}

std::string victim_name(const VisionLanguageModel& model) {
  const EndpointVictim* victim = behind_an_api(model);
  return victim == nullptr ? "" : victim->client().name();
}

}  // namespace hijack
