#include "src/experiment/inside/features.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "models/load_model.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "src/base/random.h"
#include "src/base/tensor_math.h"
#include "src/experiment/inside/clamp_check.h"
#include "src/experiment/inside/heat_map.h"
#include "src/experiment/inside/latent_states.h"
#include "src/experiment/inside/separation.h"
#include "src/experiment/plan/machine.h"
#include "src/experiment/record/folder_lock.h"
#include "src/experiment/run/prepared_behavior.h"
#include "src/experiment/run/run_material.h"

namespace hijack {
namespace {

constexpr size_t kFewestContexts = 20;
constexpr size_t kExamples = 3;       // of a latent
constexpr size_t kMeasured = 16;      // contexts on which the loss is measured
constexpr double kFalseShare = 0.05;  // of what is found

using FeatureNote = std::function<void(const std::string&)>;

/// Images [1,3,H,W] of one trial, by what was done to them.
using TrialImages = std::map<std::string, Tensor>;

class FeatureSearch {
 public:
  FeatureSearch(const FeatureConfig& config, const FeatureNote& note, std::stop_token stop)
      : config_(config),
        note_(note),
        stop_(std::move(stop)),
        sae_(SparseAutoencoder::read(config.sae)),
        material_(read_run_material(config.run, config.moved_models)) {
    choose_contexts();
    AttackConfig asked = material_.config;
    config_.machine.put_into(asked);
    use_threads(asked);
    model_ = load_model(asked.model, load_options(asked, asked.model));
    hook_ = checked_hook(sae_, *model_, material_.model_sha256);
    const TokenChoice learned = tokens_of(sae_);
    for (const auto& [kind, token] : {std::pair("image", TokenKind::kImage), {"text", TokenKind::kLast}})
      if (is_chosen(token, learned)) kinds_.emplace_back(kind);
    if (kinds_.empty())
      throw Error("'" + config.sae.string() +
                  "' learned from tokens of replies alone: what an image changes is looked for in its own "
                  "tokens and in those of the prompt.");
    find_images();
  }

  FeatureRow run() {
    read_states();
    FeatureRow row = head();
    measure_loss(row);
    std::vector<ClampSet> sets;
    for (const std::string& kind : kinds_) row.tokens.push_back(features_of(kind, sets));
    row.clamps = held(sets);
    if (stop_.stop_requested()) throw Failure("stopped; nothing was written.");
    draw_heat_maps(row);
    return row;
  }

 private:
  void choose_contexts() {
    std::vector<Query> test = material_.contexts.test;
    if (config_.limit > 0 && static_cast<int64_t>(test.size()) > config_.limit)
      test.resize(static_cast<size_t>(config_.limit));
    if (test.size() < kFewestContexts)
      throw Error("the run has " + std::to_string(test.size()) + " test contexts to look at, and " +
                  std::to_string(kFewestContexts) +
                  " are the fewest: half of them choose latents, half are kept for the check.");
    for (size_t i = 0; i < test.size(); ++i) (i % 2 ? kept_ : choosing_).push_back(test[i]);
  }

  void find_images() {
    for (const TrialRow& trial : material_.trials) {
      TrialImages images;
      for (const LabeledImage& image : material_.images)
        if (image.trial == trial.id)
          images[image.label == "typographic" ? "hijack" : image.label] = load_image(image.file);
      if (images.contains("clean") && images.contains("hijack"))
        trials_.emplace_back(&trial, std::move(images));
    }
    if (trials_.empty()) throw Error("'" + config_.run.string() + "' has no attacked image with its photo.");
  }

  /// Those of the prompt from which the autoencoder learned.
  TokenChoice text_tokens() const {
    return tokens_of(sae_) == TokenChoice::kLast ? TokenChoice::kLast : TokenChoice::kPrompt;
  }

  void read_states() {
    for (const auto& [trial, images] : trials_) {
      note_("states of " + trial->id);
      TrialStates& states = states_.emplace_back();
      for (const auto& [label, image] : images)
        states[label] = condition_states(*model_, image, choosing_, hook_, text_tokens());
    }
  }

  FeatureRow head() const {
    FeatureRow row{.sae = std::filesystem::absolute(config_.sae).lexically_normal().filename().string(),
                   .sae_sha256 = sha256_file(config_.sae / "sae_weights.safetensors"),
                   .architecture = sae_.architecture,
                   .hook = hook_point_name(hook_.point),
                   .layer = hook_.layer,
                   .width = sae_.width(),
                   .latents = sae_.latents()};
    if (row.sae.empty()) row.sae = config_.sae.parent_path().filename().string();
    row.trained_on = sae_.tokens;
    row.same_model = !sae_.model_sha256.empty();
    row.trials = static_cast<int64_t>(trials_.size());
    row.contexts = static_cast<int64_t>(choosing_.size());
    row.held_out = static_cast<int64_t>(kept_.size());
    return row;
  }

  /// On the model's own replies to the photos that nobody has changed.
  void measure_loss(FeatureRow& row) const {
    note_("loss with the autoencoder in the model's place");
    const at::NoGradGuard no_gradients;
    PatchedLoss loss;
    const std::span<const Query> some = std::span(kept_).first(std::min(kMeasured, kept_.size()));
    for (const auto& [trial, images] : trials_) {
      const Pixels pixels = model_->preprocess(on_device(images.at("clean"), model_->device()));
      loss += patched_loss_of_replies(*model_, pixels, some, 16, sae_, tokens_of(sae_));
    }
    row.reply_tokens = loss.tokens;
    row.loss_recovered = loss.recovered(), row.kl_recovered = loss.kl_recovered();
    row.kl = loss.each(loss.kl_patched);
    row.ce_clean = loss.each(loss.clean), row.ce_patched = loss.each(loss.patched);
    row.ce_zero = loss.each(loss.zero);
  }

  /// What the autoencoder makes of all tokens of a kind in a condition.
  struct Encoded {
    Tensor latents = {};  // [.,S]; undefined without such images
    double variance = std::numeric_limits<double>::quiet_NaN();
  };
  Encoded encoded(const std::string& condition, const std::string& kind) const {
    const Tensor states = all_states(states_, condition, kind);
    if (!states.defined()) return {};
    Encoded all{.latents = sae_.encode(states)};
    all.variance = explained_variance(states, sae_.decode(all.latents));
    return all;
  }

  TokenFeatures features_of(const std::string& kind, std::vector<ClampSet>& sets) const {
    const bool image = kind == "image";
    note_(std::string("latents of ") + kind + " tokens");
    const at::NoGradGuard no_gradients;
    const LatentValues values = image ? image_values(sae_, states_) : text_values(sae_, states_);
    const LatentTests tests = test_latents(values, config_.seed);
    TokenFeatures features{.tokens = kind,
                           .cluster = image ? "place of an image" : "context",
                           .clusters = values.clean.size(0),
                           .tested = static_cast<int64_t>(tests.tested.size()),
                           .found = tests.found(kFalseShare)};
    features.shuffled_found = test_latents(shuffled(values, config_.seed), config_.seed).found(kFalseShare);
    if (values.noise.defined())
      features.noise_found = test_latents({values.clean, {}, values.noise}, config_.seed).found(kFalseShare);
    const Encoded clean = encoded("clean", kind), hijack = encoded("hijack", kind);
    features.l0 = (hijack.latents > 0).sum(-1).to(at::kDouble).mean().item<double>();
    features.variance_clean = clean.variance, features.variance_hijack = hijack.variance;
    features.variance_noise = encoded("noise", kind).variance;
    ClampSet set{.tokens = kind, .at = image ? TokenChoice::kImage : text_tokens()};
    set.clean_mean = clean.latents.mean(0);
    for (const size_t i : strongest(tests)) {
      if (tests.q[i] <= kFalseShare) set.strongest.push_back(tests.tested[i]);
      features.latents.push_back(latent_row(values, tests, i));
    }
    if (!image) add_examples(features.latents);
    const Tensor active = values.hijack.gt(0).any(0);
    for (const int64_t latent : tests.tested)
      if (active[latent].item<bool>() &&
          std::find(set.strongest.begin(), set.strongest.end(), latent) == set.strongest.end())
        set.active.push_back(latent);
    sets.push_back(std::move(set));
    return features;
  }

  /// Places in `tests` of the first config.top latents: those that were found, then the others, by size.
  std::vector<size_t> strongest(const LatentTests& tests) const {
    std::vector<size_t> order(tests.tested.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      const bool one = tests.q[a] <= kFalseShare, other = tests.q[b] <= kFalseShare;
      if (one != other) return one;
      return std::abs(tests.difference[a]) > std::abs(tests.difference[b]);
    });
    order.resize(std::min(order.size(), static_cast<size_t>(config_.top)));
    return order;
  }

  LatentRow latent_row(const LatentValues& values, const LatentTests& tests, size_t i) const {
    LatentRow row{.latent = tests.tested[i]};
    const auto mean = [&](const Tensor& of) {
      return of.defined() ? of.select(1, row.latent).mean().item<double>()
                          : std::numeric_limits<double>::quiet_NaN();
    };
    row.clean = mean(values.clean), row.noise = mean(values.noise), row.hijack = mean(values.hijack);
    row.difference = tests.difference[i], row.p = tests.p[i], row.q = tests.q[i];
    std::vector<ClusteredScore> others, hijacks;
    const auto add = [&](std::vector<ClusteredScore>& scores, const Tensor& of) {
      for (int64_t c = 0; of.defined() && c < of.size(0); ++c)
        scores.push_back({of[c][row.latent].item<double>(), std::to_string(c)});
    };
    add(others, values.clean), add(others, values.noise), add(hijacks, values.hijack);
    const Separation found = separation(others, hijacks, config_.seed);
    row.auroc = found.auroc, row.low = found.interval.low, row.high = found.interval.high;
    return row;
  }

  /// Where each latent is strongest under the hijack, each context once.
  void add_examples(std::vector<LatentRow>& rows) const {
    for (size_t c = 0; c < choosing_.size(); ++c) {
      std::vector<LatentExample> best(rows.size(), LatentExample{.context = choosing_[c].prompt, .value = 0});
      for (const TrialStates& trial : states_) {
        const ConditionStates& hijacked = trial.at("hijack");
        const Tensor all = strengths(sae_, hijacked.text[c]);  // [t,S]
        for (size_t i = 0; i < rows.size(); ++i) {
          const auto [value, place] = all.select(1, rows[i].latent).max(0);
          if (value.item<double>() <= best[i].value) continue;
          best[i].value = value.item<double>();
          best[i].token = model_->tokenizer().decode(
              {&hijacked.ids[c][static_cast<size_t>(place.item<int64_t>())], 1}, false);
        }
      }
      for (size_t i = 0; i < rows.size(); ++i)
        if (best[i].value > 0) rows[i].examples.push_back(std::move(best[i]));
    }
    for (LatentRow& row : rows) {
      std::stable_sort(row.examples.begin(), row.examples.end(),
                       [](const LatentExample& a, const LatentExample& b) { return a.value > b.value; });
      row.examples.resize(std::min(row.examples.size(), kExamples));
    }
  }

  std::vector<ClampRow> held(const std::vector<ClampSet>& sets) const {
    note_("replies with latents held at their clean mean");
    std::vector<ClampTrial> trials;
    for (const auto& [trial, images] : trials_) {
      const Tensor clean = images.at("clean");
      const PreparedBehaviors prepared =
          prepare_behaviors(material_.configs.at(trial->id), material_.contexts, {model_}, clean);
      trials.push_back({images.at("hijack"), clean, prepared.of.at(0),
                        trial->reply_tokens > 0 ? trial->reply_tokens : prepared.reply_tokens});
    }
    return clamp_check(*model_, sae_, trials, sets, kept_, config_.seed, stop_);
  }

  void draw_heat_maps(FeatureRow& row) const {
    const auto& [trial, images] = trials_.front();
    for (TokenFeatures& features : row.tokens) {
      if (features.tokens != "image") continue;
      const Tensor clean = images.at("clean"), hijacked = images.at("hijack");
      const TrialStates& states = states_.front();
      const auto grid = token_grid(states.at("clean").image.size(0), clean.size(2), clean.size(3));
      if (!grid || clean.sizes() != hijacked.sizes()) return;
      std::filesystem::create_directories(config_.run / "features");
      const Tensor calm = strengths(sae_, states.at("clean").image),
                   stirred = strengths(sae_, states.at("hijack").image);  // [n,S]
      for (LatentRow& latent : features.latents) {
        const auto map = [&](const Tensor& all) {
          return all.select(1, latent.latent).view({grid->first, grid->second});
        };
        const Tensor before = map(calm), after = map(stirred);
        const double most = std::max(before.max().item<double>(), after.max().item<double>());
        latent.heat_map =
            "features/" + row.sae_sha256.substr(0, 12) + "-" + std::to_string(latent.latent) + ".png";
        const Tensor both =
            side_by_side(heat_on_photo(clean, before, most), heat_on_photo(hijacked, after, most));
        save_png(from_bytes(to_bytes(enlarged(both).clamp(0, 1))), config_.run / latent.heat_map);
      }
    }
  }

  const FeatureConfig& config_;
  const FeatureNote& note_;
  std::stop_token stop_;
  SparseAutoencoder sae_;
  RunMaterial material_;
  std::shared_ptr<const VisionLanguageModel> model_;
  Hook hook_;
  std::vector<std::string> kinds_;
  std::vector<Query> choosing_, kept_;
  std::vector<std::pair<const TrialRow*, TrialImages>> trials_;
  std::vector<TrialStates> states_;
};

}  // namespace

FeatureRow find_features(const FeatureConfig& config, const FeatureNote& note, std::stop_token stop) {
  if (config.top < 1 || config.top > 1000) throw Error("--top must be from 1 to 1000.");
  FeatureSearch search(config, note, std::move(stop));
  const FolderLock lock = lock_folder(config.run);
  FeatureRow row = search.run();
  RowWriter(config.run / "features.jsonl").write(to_json(row));
  return row;
}

}  // namespace hijack
