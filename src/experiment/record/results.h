#pragma once
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "attacks/constraint.h"
#include "defenses/defense.h"
#include "models/query.h"
#include "src/experiment/record/feature_rows.h"

// The rows of a run folder:
//   manifest.json   resolved config, seeds, library versions, SHA-256 of weights and inputs, machine
//   trials.jsonl    one TrialRow per line, flushed
//   replies.jsonl   one ReplyRow per line, flushed
//   calls.jsonl     one line for each call to an endpoint (models/endpoint/call_budget.h)
//   judgments.jsonl one JudgmentRow per line, where somebody judged again
//   inside.jsonl    one InsideRow per line, where somebody measured detectors
//   probes.jsonl    one ProbeRow per line, where somebody asked what else the images teach
//   features.jsonl  one FeatureRow per line, where somebody looked inside; heat maps in features/
//   images/         ID.png (adversarial), ID.origin.png, ID.noise.png

namespace hijack {

/// Successes out of n replies, with both success tests.
struct Tally {
  int64_t n = 0;
  int64_t exact = 0;
  int64_t substring = 0;
  int64_t draws = 1;  ///< replies to each question, which n counts
};

/// How visible a change is; NaN where it was not measured. Of a universal image the worst photo's.
struct Visibility {
  double ssim = std::numeric_limits<double>::quiet_NaN();  ///< src/base/image_similarity.h
  double psnr = std::numeric_limits<double>::quiet_NaN();  ///< dB; infinite for equal images
  /// 1 - cosine of the attacked model's own image tokens before and after, the mean over tokens: what changes
  /// for that model. LPIPS it is not, which has weights fitted to people.
  double feature_distance = std::numeric_limits<double>::quiet_NaN();
};

/// What an attack on a resize (method scaling) reads like.
struct ReadBackRow {
  std::string reader;         ///< "bilinear to 64x64, read by OpenCV"
  double mean_error_255 = 0;  ///< of the saved photo as it is read, to the picture that was wanted
  double max_error_255 = 0;
  double clean_error_255 = 0;  ///< mean, of the clean photo as it is read
  std::string seen_file;       ///< what is read, and what was wanted; relative to the run folder
  std::string wanted_file;
};

/// What an image encoder makes of the saved images: cosines of embeddings, means over photos; NaN without
/// target, or where the encoder reads no text.
struct EncoderRow {
  std::string encoder;
  bool held_out = false;    ///< the attack was not optimized on it
  std::string photos = {};  ///< "held-out": photos that a universal image never saw; "" = those of the attack
  int64_t n = 0;            ///< photos
  double attack = std::numeric_limits<double>::quiet_NaN();  ///< to the target, of the adversarial image
  double clean = std::numeric_limits<double>::quiet_NaN();
  double noise = std::numeric_limits<double>::quiet_NaN();
  double attack_to_clean = 0;  ///< to the clean photo
  double noise_to_clean = 0;
  /// Photos whose adversarial image lies closer to the target than to the clean photo, and the same of noise;
  /// without target 0.
  int64_t attack_nearer = 0, noise_nearer = 0;
  /// Steps of the attack that it took part in, where a step works on some surrogates only; -1 = in all, or in
  /// none (held out).
  int64_t steps = -1;
};

/// One photo of a universal image.
struct PhotoRow {
  std::string source_image;
  bool held_out = false;
  std::string image_file;  ///< relative to the run folder
  Budget budget;
  Tally test;
};

/// One (image, behavior, constraint, optimizer, model, seed). Everything is measured on the reloaded file.
struct TrialRow {
  std::string id;
  std::string model;  ///< that was asked; of an ensemble all names, "a + b", and the first was asked
  std::string source_image;
  std::string behavior;
  std::string target;
  std::string constraint;  ///< describe(): "linf 8/255 (model input space)"
  std::string constraint_name;
  double epsilon_255 = 0;  ///< 0 where the constraint has no epsilon
  int64_t patch_size = 0;
  std::string optimizer;
  uint64_t seed = 0;
  int64_t steps = 0;
  int64_t best_step = -1;
  std::string stopped = {};  ///< what ended the search before its last step; "" = nothing did
  double seconds = 0;        ///< optimization only
  double seconds_per_step = 0;
  Budget budget;
  Visibility visibility = {};
  std::optional<ReadBackRow> read_back = {};  ///< of method scaling
  std::vector<EncoderRow> encoders = {};      ///< of --surrogate and --transfer-encoder
  double loss_clean = 0;                      ///< on test contexts, of the origin
  double loss_saved = 0;                      ///< on test contexts, of the reloaded file
  std::vector<double> losses;                 ///< training loss per step
  /// Split ("train", "validation", "test") of the adversarial image; of a universal one over all its photos,
  /// and "held_out_photos" for those it never saw, with the test contexts.
  std::map<std::string, Tally> success;
  std::map<std::string, Tally> controls;  ///< "clean", "noise": on the test contexts
  std::string image_file;                 ///< relative to the run folder; "" of a language model
  std::string origin_file;
  std::string noise_file;
  std::string suffix = {};            ///< after each prompt (GCG); "" = none
  std::vector<PhotoRow> photos = {};  ///< of a universal image
  /// The stack in front of the model ("none" = bare): every reply of the trial, controls included, is that of
  /// the defended model.
  std::string defense = "none";
  bool adaptive = false;  ///< the attack was optimized through that stack
  /// Other models that the saved images were shown to (--transfer), by name: "attack", "clean", "noise" on
  /// the test contexts.
  std::map<std::string, std::map<std::string, Tally>> transfer = {};
  /// The resolved configuration in canonical form (identity.h): all that can change the outcome but seed and
  /// photo, files and weights by their hashes. Null in rows without one.
  nlohmann::json setting = {};
  std::string setting_digest = {};  ///< of `setting`: what a report groups trials by
  std::string trial_digest = {};    ///< of setting, seed and photos: what --resume knows a trial by
  int64_t reply_tokens = 0;         ///< longest reply that was asked for, in every condition
  std::string sampling = {};        ///< how replies are drawn: "temperature=0.7,top_p=0.9"; "" = greedily
  /// What the search followed of a victim behind an API: "log-likelihood", or "success", whose losses are
  /// those of reply_success.h; "" of a model with weights.
  std::string query_score = {};
  int64_t idle_steps = 0;  ///< of an estimated gradient (RGF) that found no difference: no step was taken
  /// Of an attack behind defenses: {"digest", "record", "calibrations"} of their stack (question.h).
  nlohmann::json stack = {};
  /// SHA-256 of every image file of the trial, by its name in the run folder.
  std::map<std::string, std::string> files = {};
};

/// Whether a trial is an attack on a language model, which has no image files.
bool without_images(const TrialRow& trial);

/// The condition of the attack's replies: "adaptive" or "attack".
std::string attack_condition(const TrialRow& trial);

/// The condition of questions about a test set's own pictures.
inline constexpr const char* kOwnPicture = "own_picture";

/// One reply of the model, with or without defenses.
struct ReplyRow {
  std::string trial;
  std::string condition;  ///< "attack", "adaptive", "clean", "noise", "text_suffix", "text_adaptive",
                          ///< "benign", "survival" (of the processed image), "own_picture" (a case of a test
                          ///< set, whose name is the variant); of another model "transfer",
                          ///< "transfer_clean", "transfer_noise"
  std::string split;      ///< "train", "validation", "test", "held_out_photos"
  Query context;
  std::string defense = "none";  ///< stack, outermost first, joined by " + "
  std::string reply;
  bool rejected = false;
  bool exact = false;
  bool substring = false;
  std::string target = {};  ///< that the context brought itself
  std::string photo = {};   ///< of a universal image
  std::string model = {};   ///< that was asked; "" = the trial's; of a victim behind an API "URL#MODEL"
  std::string expected;     ///< benign utility questions: the right answer
  bool correct = false;     ///< benign: the reply equals it, and was not cut
  double seconds = 0;
  std::vector<StageTrace> trace;
  std::string sampling = {};  ///< how it was drawn (TrialRow::sampling); "" = greedily
  int64_t draw = 0;           ///< which of several replies to the question
  bool cut = false;           ///< the reply ended at the length limit, not by an end token
  std::string question = {};  ///< digest of what was asked of whom behind what: asked once, never again
  /// Digest of the defenses with all that their verdicts depend on (parameters, false-positive rate,
  /// calibration prompts), a key of the manifest's "stacks"; "" = the bare model.
  std::string stack = {};
  /// Digest of what else made the prompt (settings of a suffix's search), a key of the manifest's
  /// "variants"; "" = nothing. Of "survival" the name of the processing.
  std::string variant = {};
};

/// What a judge says of one stored reply (hijack judge).
struct JudgmentRow {
  std::string reply;  ///< reply_key (judgments.h)
  std::string judge;  ///< "exact", "model:guard/harmbench"
  bool success = false;
  double score = std::numeric_limits<double>::quiet_NaN();  ///< of rubrics that have one
  bool unclear = false;                                     ///< the answer was none that the rubric knows
  std::string answer = {};                                  ///< of a model that judged, as far as it is kept
  std::string model_sha256 = {};                            ///< of its folder
};

/// What the bare model answers to a question about what an image may have taught it (hijack probe).
struct ProbeRow {
  std::string key;    ///< digest of all that was asked: asked once, never again
  std::string trial;  ///< "" = the photo as it is, which trials share
  std::string photo;  ///< as TrialRow::source_image
  std::string image;  ///< "hijack", "noise", "clean", or "instruction": the clean photo, told so in words
  std::string group, pair, prompt, answer;
  std::string reply;
  bool cut = false;
  bool said = false;       ///< the reply gives the answer
  bool preferred = false;  ///< the answer is likelier than every other
  /// Its log-likelihood less the mean of the others', nats; NaN where there are none.
  double margin = std::numeric_limits<double>::quiet_NaN();

  template <class Field>
  void visit(Field&& field) {
    field("key", key);
    field("trial", trial);
    field("photo", photo);
    field("image", image);
    field("group", group);
    field("pair", pair);
    field("prompt", prompt);
    field("answer", answer);
    field("reply", reply);
    field("cut", cut);
    field("said", said);
    field("preferred", preferred);
    field("margin", margin);
  }
};

/// What a detector tells apart in a run, learned from other behaviors and photos (hijack inside).
struct InsideRow {
  std::string measured;    ///< digest of what was measured how; the last with it counts
  std::string detector;    ///< "linear_probe, layer 4", "perplexity"
  std::string behavior;    ///< "" = all
  std::string constraint;  ///< "" = all
  std::string what;        ///< "hijack from clean and noise", or a control
  std::string held_out;    ///< what was not learned from: "behavior and photo"; "" = nothing was learned
  int64_t negatives = 0, positives = 0;
  double auroc = 0, low = 0, high = 0;    ///< with the 95 % interval of a bootstrap over prompts
  double found_at_1 = 0, found_at_5 = 0;  ///< shares found at 1 and 5 % false alarms

  template <class Field>
  void visit(Field&& field) {
    field("measured", measured);
    field("detector", detector);
    field("behavior", behavior);
    field("constraint", constraint);
    field("what", what);
    field("held_out", held_out);
    field("negatives", negatives);
    field("positives", positives);
    field("auroc", auroc);
    field("low", low);
    field("high", high);
    field("found_at_1", found_at_1);
    field("found_at_5", found_at_5);
  }
};

nlohmann::json to_json(const TrialRow& row);
nlohmann::json to_json(const ReplyRow& row);
/// Throw Error naming `where` (file:line) and the field that is missing or of the wrong type. A trial whose
/// numbers are outside of the set that its setting allows has not respected its budget, whatever its row
/// says.
TrialRow trial_from_json(const nlohmann::json& json, const std::string& where);
ReplyRow reply_from_json(const nlohmann::json& json, const std::string& where);

/// A run folder as a program reads it: trials.jsonl and replies.jsonl, and those of the processes of a group
/// (trials.0.jsonl, ...), trials in the order of the manifest. A half-written last line (a killed run) is
/// left out; of a trial that two processes have finished, the first counts. Every row carries a check, the
/// digest of its other fields: throws Error for a row that was changed afterwards. The stacks and
/// calibrations of trials behind defenses join those of the manifest.
struct RunRecord {
  std::filesystem::path folder;
  nlohmann::json manifest;
  std::vector<TrialRow> trials;
  std::vector<ReplyRow> replies;
  std::vector<JudgmentRow> judgments = {};
  std::vector<ProbeRow> probes = {};
  std::vector<InsideRow> inside = {};
  std::vector<FeatureRow> features = {};
  std::vector<std::string> damage = {};  ///< what was left out, one sentence each
};
RunRecord read_run(const std::filesystem::path& folder);

/// Digests of all trials that have a row in some row file of the folder, by id.
std::map<std::string, std::string> finished_trials(const std::filesystem::path& folder);

/// A row as files have it: with its check.
nlohmann::json checked(nlohmann::json row);

/// Appends rows, one flushed line each, with their check.
class RowWriter {
 public:
  explicit RowWriter(const std::filesystem::path& file);
  void write(const nlohmann::json& row);

 private:
  std::filesystem::path file_;
};

}  // namespace hijack
