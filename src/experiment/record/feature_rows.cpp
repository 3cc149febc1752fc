#include "src/experiment/record/feature_rows.h"

#include "src/base/json.h"
#include "src/experiment/record/row_reader.h"

namespace hijack {
namespace {

using nlohmann::json;

json latent_json(const LatentRow& row) {
  json examples = json::array();
  for (const LatentExample& one : row.examples)
    examples.push_back(
        {{"context", one.context}, {"token", one.token}, {"value", number_or_null(one.value)}});
  return {{"latent", row.latent},
          {"clean", number_or_null(row.clean)},
          {"noise", number_or_null(row.noise)},
          {"hijack", number_or_null(row.hijack)},
          {"difference", number_or_null(row.difference)},
          {"auroc", number_or_null(row.auroc)},
          {"low", number_or_null(row.low)},
          {"high", number_or_null(row.high)},
          {"p", number_or_null(row.p)},
          {"q", number_or_null(row.q)},
          {"examples", examples},
          {"heat_map", row.heat_map}};
}

json tokens_json(const TokenFeatures& row) {
  json latents = json::array();
  for (const LatentRow& one : row.latents) latents.push_back(latent_json(one));
  return {{"tokens", row.tokens},
          {"cluster", row.cluster},
          {"clusters", row.clusters},
          {"tested", row.tested},
          {"found", row.found},
          {"noise_found", row.noise_found},
          {"shuffled_found", row.shuffled_found},
          {"l0", number_or_null(row.l0)},
          {"variance_clean", number_or_null(row.variance_clean)},
          {"variance_noise", number_or_null(row.variance_noise)},
          {"variance_hijack", number_or_null(row.variance_hijack)},
          {"latents", latents}};
}

LatentRow read_latent(const RowReader& fields) {
  LatentRow row{.latent = fields.integer("latent", 0)};
  row.clean = fields.real("clean"), row.noise = fields.real("noise"), row.hijack = fields.real("hijack");
  row.difference = fields.real("difference");
  row.auroc = fields.real("auroc"), row.low = fields.real("low"), row.high = fields.real("high");
  row.p = fields.real("p"), row.q = fields.real("q");
  const json& examples = fields.array("examples");
  for (size_t i = 0; i < examples.size(); ++i) {
    const RowReader one = fields.item(examples[i], "examples", i);
    row.examples.push_back({one.text("context"), one.text("token"), one.real("value")});
  }
  row.heat_map = fields.inner_path_or_empty("heat_map");
  return row;
}

TokenFeatures read_tokens(const RowReader& fields) {
  TokenFeatures row{.tokens = fields.text("tokens"), .cluster = fields.text("cluster")};
  row.clusters = fields.integer("clusters", 0), row.tested = fields.integer("tested", 0);
  row.found = fields.integer("found", 0), row.noise_found = fields.integer("noise_found", 0);
  row.shuffled_found = fields.integer("shuffled_found", 0);
  row.l0 = fields.real("l0");
  row.variance_clean = fields.real("variance_clean"), row.variance_noise = fields.real("variance_noise");
  row.variance_hijack = fields.real("variance_hijack");
  const json& latents = fields.array("latents");
  for (size_t i = 0; i < latents.size(); ++i)
    row.latents.push_back(read_latent(fields.item(latents[i], "latents", i)));
  return row;
}

ClampRow read_clamp(const RowReader& fields) {
  ClampRow row{.tokens = fields.text("tokens"), .what = fields.text("what")};
  for (const double latent : fields.reals("latents")) row.latents.push_back(static_cast<int64_t>(latent));
  const Tally tally = fields.tally();
  row.n = tally.n, row.exact = tally.exact, row.substring = tally.substring, row.draws = tally.draws;
  return row;
}

}  // namespace

json to_json(const FeatureRow& row) {
  json all = {{"sae", row.sae},
              {"sae_sha256", row.sae_sha256},
              {"architecture", row.architecture},
              {"hook", row.hook},
              {"layer", row.layer},
              {"width", row.width},
              {"latents", row.latents},
              {"trained_on", row.trained_on},
              {"same_model", row.same_model},
              {"trials", row.trials},
              {"contexts", row.contexts},
              {"held_out", row.held_out},
              {"reply_tokens", row.reply_tokens},
              {"loss_recovered", number_or_null(row.loss_recovered)},
              {"kl", number_or_null(row.kl)},
              {"kl_recovered", number_or_null(row.kl_recovered)},
              {"ce_clean", number_or_null(row.ce_clean)},
              {"ce_patched", number_or_null(row.ce_patched)},
              {"ce_zero", number_or_null(row.ce_zero)}};
  all["tokens"] = json::array(), all["clamps"] = json::array();
  for (const TokenFeatures& one : row.tokens) all["tokens"].push_back(tokens_json(one));
  for (const ClampRow& one : row.clamps)
    all["clamps"].push_back({{"tokens", one.tokens},
                             {"what", one.what},
                             {"latents", one.latents},
                             {"n", one.n},
                             {"exact", one.exact},
                             {"contained", one.substring},
                             {"draws", one.draws}});
  return all;
}

FeatureRow features_from_json(const json& row_json, const std::string& where) {
  const RowReader fields(row_json, where);
  FeatureRow row{.sae = fields.text("sae"), .sae_sha256 = fields.text("sae_sha256")};
  row.architecture = fields.text("architecture"), row.hook = fields.text("hook");
  row.layer = fields.integer("layer", 0), row.width = fields.integer("width", 1);
  row.latents = fields.integer("latents", 1);
  row.trained_on = fields.text("trained_on"), row.same_model = fields.boolean("same_model");
  row.trials = fields.integer("trials", 0), row.contexts = fields.integer("contexts", 0);
  row.held_out = fields.integer("held_out", 0), row.reply_tokens = fields.integer("reply_tokens", 0);
  row.loss_recovered = fields.real("loss_recovered");
  row.kl = fields.real("kl"), row.kl_recovered = fields.real("kl_recovered");
  row.ce_clean = fields.real("ce_clean"), row.ce_patched = fields.real("ce_patched");
  row.ce_zero = fields.real("ce_zero");
  const json& tokens = fields.array("tokens");
  for (size_t i = 0; i < tokens.size(); ++i)
    row.tokens.push_back(read_tokens(fields.item(tokens[i], "tokens", i)));
  const json& clamps = fields.array("clamps");
  for (size_t i = 0; i < clamps.size(); ++i)
    row.clamps.push_back(read_clamp(fields.item(clamps[i], "clamps", i)));
  return row;
}

}  // namespace hijack
