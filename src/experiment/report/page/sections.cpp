#include "src/experiment/report/page/parts.h"
#include "src/experiment/report/values/text.h"

namespace hijack::report {
namespace {

std::string tile(const std::string& number, const std::string& label, const std::string& detail,
                 const std::string& css = "") {
  return "<div class=\"tile " + css + "\"><b>" + number + "</b><span>" + label + "</span><small>" + detail +
         "</small></div>";
}

std::string rate_tile(const Rate& rate, const std::string& label, const std::string& css = "") {
  if (!rate.n) return tile("–", label, "not measured", css);
  const std::string parts = disagreement(rate);
  return tile(percent(rate.value()), label,
              percent(rate.interval()) + " · " + std::to_string(rate.successes) + "/" +
                  std::to_string(rate.n) + (parts.empty() ? "" : "<br>" + parts),
              css);
}

double exact_rate(const Setting& setting) {
  const Rate test = exact_of(setting.success, "test");
  return test.n ? test.value() : -1;
}

/// The strongest setting, and the controls pooled over all of them.
std::string rate_tiles(const std::vector<Setting>& all) {
  Rate clean, noise;
  const auto add = [](Rate& sum, const Setting& setting, const char* name) {
    for (const Cluster& one : exact_of(setting.controls, name).clusters)
      sum.add(setting.digest + one.photo, one.seed, one.successes, one.n, one.draws);
  };
  for (const Setting& setting : all) add(clean, setting, "clean"), add(noise, setting, "noise");
  const Setting& best = *std::max_element(all.begin(), all.end(), [](const Setting& a, const Setting& b) {
    return exact_rate(a) < exact_rate(b);
  });
  const bool text = without_images(*all[0].trials[0].trial);  // a page of both kinds speaks of images
  const std::string label = all.size() == 1
                                ? (text ? "with the suffix obeyed" : "adversarial image obeyed")
                                : "highest: " + html(best.behavior) + ", " + html(setting_label(best), 60);
  const std::string scope = all.size() > 1 ? ", all settings" : "";
  return rate_tile(exact_of(best.success, "test"), label, "strong") +
         rate_tile(clean, (text ? "prompt alone" : "clean image") + scope) +
         rate_tile(noise, (text ? "random suffix" : "random noise") + scope);
}

std::string size_tile(const std::vector<TrialRef>& trials, size_t settings_count) {
  if (trials.size() > 1)
    return tile(std::to_string(trials.size()), "trials",
                std::to_string(settings_count) + (settings_count == 1 ? " setting" : " settings"));
  const TrialRow& trial = *trials[0].trial;
  if (without_images(trial)) return tile(std::to_string(trial.steps), "steps", html(trial.optimizer));
  return tile(decimal(trial.budget.max_difference_255) + "/255", "largest change of a pixel",
              "measured on the reloaded file");
}

std::string flag_tile(const std::vector<Flag>& flags) {
  const auto serious = std::count_if(flags.begin(), flags.end(),
                                     [](const Flag& flag) { return flag.severity != Severity::information; });
  return tile(std::to_string(serious), serious == 1 ? "sanity flag" : "sanity flags",
              "<a href=\"#flags\">" + std::string(flags.empty() ? "none raised" : "what they mean") + "</a>",
              serious ? "alert" : "");
}

/// Distinct values over all trials, in order of appearance.
template <class Get>
std::vector<std::string> distinct(const std::vector<TrialRef>& trials, const Get& get) {
  std::vector<std::string> values;
  for (const TrialRef& ref : trials) {
    const std::string value = get(ref);
    if (std::find(values.begin(), values.end(), value) == values.end()) values.push_back(value);
  }
  return values;
}

std::string lines(const std::vector<std::string>& values) {
  constexpr size_t kMost = 12;
  std::string out;
  for (size_t i = 0; i < std::min(values.size(), kMost); ++i) out += (i ? "<br>" : "") + values[i];
  if (values.size() > kMost) out += "<br>and " + std::to_string(values.size() - kMost) + " more";
  return out;
}

/// On one line.
std::string listed(const std::vector<std::string>& values) {
  constexpr size_t kMost = 30;
  std::string out;
  for (size_t i = 0; i < std::min(values.size(), kMost); ++i) out += (i ? "; " : "") + values[i];
  return values.size() > kMost ? out + "; and " + std::to_string(values.size() - kMost) + " more" : out;
}

std::string term(const std::string& name, const std::string& description) {
  return "<div><dt>" + name + "</dt><dd>" + description + "</dd></div>";
}

bool is_weights(const Digest& digest) {
  return digest.what.find("weights") != std::string::npos ||
         digest.what.find("safetensors") != std::string::npos;
}

std::string weight_digests(const std::vector<RunRecord>& runs) {
  std::vector<std::string> shown;
  for (const RunRecord& run : runs) {
    for (const Digest& digest : digests(run.manifest)) {
      const std::string line = html(digest.what, 120) + " <code class=\"hash\">" + digest.sha256 + "</code>";
      if (is_weights(digest) && std::find(shown.begin(), shown.end(), line) == shown.end())
        shown.push_back(line);
    }
  }
  return shown.empty() ? "not recorded in the manifest" : lines(shown);
}

std::string measured_change(const TrialRow& trial) {
  if (without_images(trial)) return "";
  return " · measured on the reloaded file: at most <b>" + decimal(trial.budget.max_difference_255) +
         "/255</b>" +
         (trial.budget.respected ? ", budget respected"
                                 : ", <strong class=\"bad\">budget violated: counts as failed</strong>");
}

std::string visibility_of(const TrialRow& trial) {
  const Visibility& seen = trial.visibility;
  if (std::isnan(seen.psnr)) return "";
  const std::string psnr = std::isinf(seen.psnr) ? "no change at all" : "PSNR " + decimal(seen.psnr) + " dB";
  return " · SSIM " + decimal(seen.ssim) + ", " + psnr + ", l2 " + decimal(trial.budget.l2) +
         ", feature distance <abbr title=\"1 − cosine of the attacked model's image tokens, mean over "
         "tokens\">" +
         decimal(seen.feature_distance) + "</abbr>";
}

std::string reading_line(const TrialRow& trial) {
  if (!trial.read_back) return "";
  const ReadBackRow& read = *trial.read_back;
  return "<p class=\"facts\">Read back: " + html(read.reader, 200) + " · from the wanted picture <b>" +
         decimal(read.mean_error_255) + "/255</b> on average, at most " + decimal(read.max_error_255) +
         "/255 (the clean photo: " + decimal(read.clean_error_255) + "/255 on average)</p>";
}

/// What replies shall say: where contexts bring targets of their own, the first of those that were asked.
std::string shown_target(const TrialRef& ref) {
  for (const ContextReplies& pair : held_out_replies(ref))
    if (!pair.attack->target.empty())
      return "each context's own, such as <q>" + html(pair.attack->target, 200) + "</q>";
  return "<q>" + html(ref.trial->target, 200) + "</q>";
}

std::string budget_line(const TrialRef& ref) {
  const TrialRow& trial = *ref.trial;
  const std::string best =
      trial.best_step >= 0 ? ", image of step " + std::to_string(trial.best_step) + " kept" : "";
  return "<p class=\"facts\">" + html(trial.behavior) + " · target " + shown_target(ref) + " · " +
         html(trial.constraint) + measured_change(trial) + visibility_of(trial) + " · " +
         html(trial.optimizer) + ", seed " + std::to_string(trial.seed) + " · " +
         std::to_string(trial.steps) + " steps in " + duration(trial.seconds) + " (" +
         decimal(trial.seconds_per_step) + " s per step)" + best + "</p>";
}

}  // namespace

std::string header(const std::vector<RunRecord>& runs, const std::vector<Flag>& flags,
                   const std::string& look) {
  std::vector<std::string> names;
  for (const RunRecord& run : runs)
    names.push_back(html(run.folder.lexically_normal().filename().string(), 100));
  const std::vector<TrialRef> trials = all_trials(runs);
  const std::vector<Setting> all = bare_settings(runs);
  const std::string tiles = trials.empty() ? "" : rate_tiles(all) + size_tile(trials, all.size());
  return "<header><p class=\"kicker\">hijack report · " + lines(names) + "</p><h1>" + html(headline(runs)) +
         "</h1>" + look + "<div class=\"tiles\">" + tiles + flag_tile(flags) + "</div></header>";
}

std::string threat_model(const std::vector<RunRecord>& runs) {
  const std::vector<TrialRef> trials = all_trials(runs);
  const auto goal = [](const TrialRef& ref) {
    const TrialRow& row = *ref.trial;
    if (row.behavior == "untargeted") return std::string("untargeted: another reply than to the clean image");
    if (row.behavior == "verbose") return std::string("verbose: twice the words of the clean reply or more");
    return html(row.behavior) + ": " + shown_target(ref);
  };
  const auto constraint = [](const TrialRef& ref) { return html(short_constraint(ref.trial->constraint)); };
  const auto model = [](const TrialRef& ref) { return html(ref.trial->model); };
  return "<dl class=\"facts-grid\">" + term("Goal", lines(distinct(trials, goal))) +
         term("Allowed change", listed(distinct(trials, constraint))) +
         term("Space", std::all_of(trials.begin(), trials.end(),
                                   [](const TrialRef& ref) { return without_images(*ref.trial); })
                           ? "tokens behind the user's prompt; the model takes no images"
                           : "pixels of the model input (after resizing and cropping), on the 8-bit lattice; "
                             "the image is saved as PNG, loaded again, and only that file is judged") +
         term("Attacker knows",
              "the weights, gradients and preprocessing of the model (white box) and the training contexts; "
              "not the held-out contexts on which success is reported, and not the defenses (static attack) "
              "unless a row says adaptive") +
         term("Attacker does not control", "the user's prompt, the system prompt and the decoding") +
         term("Model", lines(distinct(trials, model))) + term("SHA-256 of weights", weight_digests(runs)) +
         "</dl>";
}

std::string trial_section(const TrialRef& ref, PageBudget& budget, const std::string& by_defense) {
  const auto distance = mean_edit_distance(ref);
  const auto success = [](const TrialRef& trial) {
    const ReportTable table = success_table(trial);
    return table.rows.empty() ? "<p>No reply was measured.</p>" : html_table(table);
  };
  return budget_line(ref) + reading_line(*ref.trial) + picture_sheet(ref, budget) +
         "<div class=\"columns\"><div>" + success(ref) +
         (distance ? "<p class=\"quiet\">Mean edit distance between held-out replies and the target: " +
                         decimal(*distance) + " characters.</p>"
                   : "") +
         "</div><div>" + loss_figure(ref) + "</div></div>" + replies_table(ref) + by_defense;
}

namespace {

std::string flag_items(const std::vector<Flag>& flags, size_t from, size_t to) {
  std::string out;
  for (size_t i = from; i < to; ++i) {
    const Flag& flag = flags[i];
    out += "<li class=\"" + name(flag.severity) + "\"><p><span class=\"badge\">" + name(flag.severity) +
           "</span> <b>" + html(flag.name) + "</b>" +
           (flag.trial.empty() ? "" : " <code>" + html(flag.trial) + "</code>") + "</p><p>" +
           html(flag.meaning) + "</p><p class=\"quiet\">What to do: " + html(flag.advice) + "</p></li>";
  }
  return out;
}

}  // namespace

std::string flag_list(const std::vector<Flag>& flags) {
  if (flags.empty())
    return "<p>None raised. Checked: budget and change on the reloaded file, falling and finite loss, "
           "convergence, clean and noise controls, cut replies, rows against their replies and digests, "
           "trials and replies counted twice, identical images, success growing with epsilon, unconstrained "
           "success, calibration data and thresholds, number of seeds.</p>";
  std::string out;
  for (size_t i = 0; i < flags.size();) {
    size_t end = i + 1;
    while (end < flags.size() && flags[end].name == flags[i].name && flags[end].severity == flags[i].severity)
      ++end;
    constexpr size_t kShown = 2;
    const size_t first = end - i > kShown + 1 ? i + kShown : end;
    out += "<ul class=\"flags\">" + flag_items(flags, i, first) + "</ul>";
    if (first < end)
      out += "<details><summary>" + html(flags[i].name) + ": " + std::to_string(end - first) +
             " more trials</summary><ul class=\"flags\">" + flag_items(flags, first, end) + "</ul></details>";
    i = end;
  }
  return out;
}

std::string manifests(const std::vector<RunRecord>& runs) {
  constexpr size_t kLongest = 200'000;
  std::string out;
  for (const RunRecord& run : runs)
    out += "<details><summary>manifest.json of " + html(run.folder.lexically_normal().filename().string()) +
           "</summary><pre tabindex=\"0\">" +
           html(run.manifest.dump(2, ' ', false, nlohmann::json::error_handler_t::replace), kLongest) +
           "</pre></details>";
  return out;
}

}  // namespace hijack::report
