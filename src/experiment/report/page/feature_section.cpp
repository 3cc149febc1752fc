#include "src/experiment/report/page/feature_section.h"

#include "src/experiment/report/values/text.h"

namespace hijack::report {
namespace {

constexpr const char* kWhatIsThis =
    "<p>Between two layers, a model holds a list of numbers for every token. A <b>sparse autoencoder</b> is "
    "a dictionary for such lists: it writes each as a sum of a few out of many fixed directions, its "
    "<b>latents</b>. Often a latent stands for something that a person can name. Here is which latents the "
    "attacked image switches on or off, compared to the clean photo and to the photo with noise of equal "
    "size, and whether the attack still works when they are held still.</p>";

std::string measured_line(const FeatureRow& row) {
  return "<p class=\"facts\">" + html(row.sae, 120) + ": " + html(row.architecture, 40) + ", " +
         std::to_string(row.latents) + " latents for states of width " + std::to_string(row.width) + ", " +
         html(row.hook, 40) + " of layer " + std::to_string(row.layer) +
         (row.trained_on.empty() ? "" : ", learned from tokens: " + html(row.trained_on, 40)) +
         (row.same_model ? "" : "; its folder does not say of which model's files it is") +
         " · how good is the dictionary: with its sums in the place of the states, the model predicts its "
         "own replies with a loss of " +
         decimal(row.ce_patched) + " nats a token (" + decimal(row.ce_clean) + " as it is, " +
         decimal(row.ce_zero) + " with nothing in their place): <b>" + percent(row.loss_recovered) +
         "</b> of the loss recovered, KL " + decimal(row.kl) + " nats · " + std::to_string(row.trials) +
         (row.trials == 1 ? " image, " : " images, ") + std::to_string(row.contexts) +
         " contexts chose the latents, " + std::to_string(row.held_out) +
         " others were kept for the check</p>";
}

std::string verdict(const TokenFeatures& features) {
  const std::string found = "<b>" + std::to_string(features.found) + "</b> of " +
                            std::to_string(features.tested) + " active latents differ";
  return "<p>On <b>" + html(features.tokens, 40) + " tokens</b>: " + found +
         " under the attack both from the clean photo and from noise, with 5% false discoveries allowed "
         "(sign flips over " +
         std::to_string(features.clusters) + " clusters, each a " + html(features.cluster, 60) +
         "; Benjamini and Hochberg). With shuffled labels, which should find nothing: " +
         std::to_string(features.shuffled_found) +
         ". What noise alone changes: " + std::to_string(features.noise_found) +
         ". The dictionary explains " + percent(features.variance_clean) + " of the variance on clean, " +
         percent(features.variance_noise) + " on noisy and " + percent(features.variance_hijack) +
         " on attacked images, with " + decimal(features.l0) + " latents a token." +
         (features.tokens == "image"
              ? " Neighboring places of an image resemble each other, so that the test "
                "takes small differences for surer than they are."
              : "") +
         "</p>";
}

Cell examples_cell(const LatentRow& row) {
  Cell cell;
  for (const LatentExample& one : row.examples) {
    cell.text +=
        (cell.text.empty() ? "" : " | ") + clean_text(one.token, 30) + " in " + clean_text(one.context, 80);
    cell.markup += (cell.markup.empty() ? "" : "<br>") + ("<q>" + html(one.token, 30)) + "</q> in " +
                   html(one.context, 80);
  }
  return cell;
}

ReportTable latents_table(const TokenFeatures& features, const std::string& name) {
  const bool text = features.tokens != "image";
  ReportTable table{name, {"Latent", "Clean", "Noise", "Attack", "AUROC", "95% interval", "q"}, 1};
  if (text) table.head.emplace_back("Where it is strongest under the attack");
  for (const LatentRow& one : features.latents) {
    Cell interval{decimal(one.low) + " to " + decimal(one.high)};
    interval.fields = {{"low", exact_number(one.low)}, {"high", exact_number(one.high)}};
    Cell q{p_value(one.q)};
    q.number = one.q;
    if (one.q > 0.05) q.notes = {"may be chance"};
    table.rows.push_back({number_cell(static_cast<double>(one.latent)), number_cell(one.clean),
                          number_cell(one.noise), number_cell(one.hijack), number_cell(one.auroc), interval,
                          q});
    table.rows.back().front().text = std::to_string(one.latent);
    if (text) table.rows.back().push_back(examples_cell(one));
  }
  table.caption =
      "Mean strength on " + features.tokens +
      " tokens (by how much the latent moves the state), largest differences first. AUROC: how "
      "often it is stronger under the attack than without (.5: no difference). q: the share of false "
      "discoveries among latents at least as sure as this one.";
  return table;
}

std::string heat_maps(const RunRecord& run, const TokenFeatures& features, PageBudget& budget) {
  constexpr size_t kShown = 6;
  std::string figures;
  size_t shown = 0;
  for (const LatentRow& one : features.latents) {
    if (one.heat_map.empty() || shown == kShown) continue;
    ++shown;
    figures +=
        "<figure>" +
        run_picture(run, one.heat_map, "Where latent " + std::to_string(one.latent) + " is active", budget) +
        "<figcaption><strong>Latent " + std::to_string(one.latent) + "</strong><span>clean | attacked" +
        (one.q > 0.05 ? ", may be chance" : "") + "</span></figcaption></figure>";
  }
  return figures.empty() ? ""
                         : "<div class=\"pictures\">" + figures +
                               "</div><p class=\"quiet\">Red to yellow: where on the photo the latent is "
                               "active, on one scale for both pictures.</p>";
}

Rate share_of(const ClampRow& row, int64_t count) {
  Rate rate;
  rate.add("clamped", 0, count, row.n, row.draws);
  return rate;
}

ReportTable clamps_table(const FeatureRow& row, const std::string& name) {
  ReportTable table{name, {"Held still", "At tokens", "Obeys", "Contains it"}, 2};
  for (const ClampRow& one : row.clamps) {
    const int64_t each = static_cast<int64_t>(one.latents.size()) / std::max<int64_t>(one.draws, 1);
    Cell what{one.what == "nothing"            ? "nothing: the attack as it is"
              : one.what == "clean image"      ? "nothing, clean photo"
              : one.what == "random direction" ? "states moved by as much, in a random direction"
              : one.what == "strongest"        ? "the " + std::to_string(each) + " strongest latents"
                                               : std::to_string(each) + " random active latents"};
    if (one.draws > 1) what.notes = {std::to_string(one.draws) + " draws"};
    table.rows.push_back({what,
                          {one.tokens.empty() ? "–" : one.tokens},
                          rate_cell(share_of(one, one.exact)),
                          rate_cell(share_of(one, one.substring))});
  }
  table.caption =
      "Does the attack need what it changes? Replies to contexts that did not choose the latents, while "
      "these are held at their mean on clean photos. The controls: if holding any latents broke the attack, "
      "random ones would, too; if any change of that size did, so would one in a random direction.";
  return table;
}

std::string one_dictionary(const RunRecord& run, const FeatureRow& row, const std::string& number,
                           PageBudget& budget) {
  std::string out = measured_line(row);
  for (const TokenFeatures& features : row.tokens) {
    out += verdict(features);
    if (!features.latents.empty())
      out += html_table(latents_table(features, "latents-" + features.tokens + number));
    out += heat_maps(run, features, budget);
  }
  return row.clamps.empty() ? out : out + html_table(clamps_table(row, "clamped" + number));
}

}  // namespace

std::string feature_section(const std::vector<RunRecord>& runs, PageBudget& budget) {
  std::string body;
  size_t count = 0;
  for (const RunRecord& run : runs) {
    std::map<std::string, const FeatureRow*> latest;
    for (const FeatureRow& row : run.features) latest[row.sae_sha256] = &row;
    for (const FeatureRow& row : run.features) {
      if (latest.at(row.sae_sha256) != &row) continue;
      body += one_dictionary(run, row, count == 0 ? "" : "-" + std::to_string(count + 1), budget);
      ++count;
    }
  }
  return body.empty() ? "" : section("features", "Inside the model", kWhatIsThis + body);
}

}  // namespace hijack::report
