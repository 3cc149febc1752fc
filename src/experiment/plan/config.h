#pragma once
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "attacks/behavior.h"
#include "attacks/constraint.h"
#include "attacks/objectives/encoder_matching.h"
#include "attacks/objectives/make_objective.h"
#include "attacks/optimizer.h"
#include "attacks/scaling/scaling.h"
#include "attacks/text/gcg.h"
#include "attacks/text/typographic.h"
#include "attacks/wrappers/augmentation.h"
#include "attacks/wrappers/cropa.h"
#include "models/dtype.h"
#include "models/load_model.h"
#include "models/prefix/images_at_once.h"
#include "src/base/fields.h"
#include "src/experiment/plan/defense_config.h"
#include "src/experiment/plan/endpoint_config.h"
#include "src/experiment/plan/sampling_config.h"

namespace hijack {

/// Everything that decides the result of `hijack attack`: one config stands for images x seeds trials. The
/// run folder is not part of it, so that a folder can be moved.
struct AttackConfig {
  std::vector<std::string> images;
  std::string method = "image";
  std::string space = "input";
  bool universal = false;
  std::vector<std::string> held_out_images;
  int64_t photo_batch = 0;
  std::string model;        ///< "" = the shipped model (resolve fills it in)
  std::string victim = {};  ///< "URL#MODEL" that is asked in place of `model`; "" = none
  std::string victim_scores = "reply";
  std::string query_score = "auto";
  AskingConfig asking = {};
  std::string vision_tower;
  std::string adapter;
  BehaviorConfig behavior;
  ConstraintConfig constraint;
  ObjectiveConfig objective;
  SurrogateConfig surrogate;
  std::vector<std::string> ensemble;
  std::vector<std::string> transfer;
  OptimizerConfig optimizer;
  AugmentationConfig augmentation;
  CropaConfig cropa;
  DefenseConfig defense;
  int64_t queries = 0;
  double query_smoothing = 1.0 / 255;
  TypographicConfig typographic;
  ScalingConfig scaling;
  GcgConfig suffix;
  int64_t joint_rounds = 4;
  std::vector<uint64_t> seeds{0};
  bool random_start = false;
  int64_t restarts = 0;
  double stop_loss = 0;
  std::string contexts;  ///< "" = the shipped file for the behavior
  int64_t train = 0;
  int64_t validation = 0;
  int64_t test = 0;
  int64_t batch = 8;
  int64_t validate_every = 50;
  double stop_at = 1;
  int64_t checkpoint_every = 50;
  int64_t max_new_tokens = 0;
  SamplingConfig sampling;
  std::string device = "cpu";
  std::string dtype = "auto";
  std::string views = "all";
  int64_t max_pixels = 0;
  int64_t threads = 0;
  std::string image_batch = "auto";

  template <class Visitor>
  void visit(Visitor&& field) {
    visit_what(field);
    field.group("Budget");
    constraint.visit(field);
    field("space", space,
          "pixels that the constraint measures: input (the model's input size) or photo (the original photo; "
          "the gradient goes through the model's own resizing)");
    field.group("Objective");
    objective.visit(field);
    field.group("Surrogates");
    surrogate.visit(field);
    field.group("Search");
    visit_search(field);
    field.group("Augmentation");
    augmentation.visit(field);
    cropa.visit(field);
    field.group("Text");
    typographic.visit(field);
    field.group("Scaling");
    scaling.visit(field);
    field.group("Suffix");
    suffix.visit(field);
    field("joint_rounds", joint_rounds, "joint: turns of image and suffix");
    field.group("Contexts");
    visit_contexts(field);
    field.group("Defenses");
    defense.visit(field);
    visit_machine(field);
  }

 private:
  template <class Visitor>
  void visit_what(Visitor&& field) {
    field.group("What");
    field("image", images, "photos (PNG, JPEG, WebP, BMP, TIFF); each is a trial");
    behavior.visit(field);
    field("model", model,
          "Hugging Face folder of the model, or a short name of `hijack models --list`; empty = the pocket "
          "model");
    visit_victim(field);
    field("vision_tower", vision_tower,
          "CLIP or SigLIP folder whose tower takes the place of the model's own (FARE, TeCoA; also by the "
          "names of open_clip); of `model` only");
    field("adapter", adapter, "LoRA adapter, a folder of PEFT, that is merged into the weights of `model`");
    field(
        "method", method,
        "what is searched: image (pixels, by an optimizer), typographic (text drawn into the photo), gcg (a "
        "suffix of the prompt, clean photo), joint (image and suffix in turns) or scaling (a photo that is "
        "another picture once it is resized)");
    field("ensemble", ensemble,
          "further model folders that the image must work on; it lives in the space of the first model");
    field("transfer", transfer,
          "further model folders that the saved images are shown to, without having been optimized on");
    field("universal", universal, "one change for all photos, in one trial");
    field("held_out_image", held_out_images, "universal: photos that are only judged");
    field("photo_batch", photo_batch, "universal: photos per step; 0 = all");
  }

  template <class Visitor>
  void visit_victim(Visitor&& field) {
    field("victim", victim,
          "attack http://127.0.0.1:8000/v1#MODEL behind an OpenAI-compatible API, without gradients "
          "(--optimizer square, --queries); `model` gives sizes and tokens");
    field("victim_scores", victim_scores,
          "victim: what the server says of a target: reply (the log probability of all of it: "
          "prompt_logprobs, as vLLM and hijack serve have it) or first-token (of its beginning, among the 20 "
          "likeliest tokens: top_logprobs, as llama.cpp's server and most services have it)");
    field(
        "query_score", query_score,
        "victim: what the search follows: log-likelihood (of the targets, as victim_scores has it), success "
        "(how many training contexts have a reply that succeeds, and among equals how near replies come to "
        "their targets; any server will do), or auto: log-likelihood where the server gives it, else "
        "success");
  }

  template <class Visitor>
  void visit_search(Visitor&& field) {
    optimizer.visit(field);
    field("seed", seeds, "seeds; each is one trial");
    field("random_start", random_start, "start at a random allowed point instead of the photo");
    field("restarts", restarts,
          "further starts at random allowed points, of `steps` each; the best image of all is kept");
    field("stop_loss", stop_loss, "stop at an image whose loss on its batch is below this; 0 = never");
    field("queries", queries,
          "estimate the gradient from that many random directions a step (RGF, a black box); 0 = exact "
          "gradient");
    field("query_smoothing", query_smoothing,
          "queries: length of a direction as root mean square of pixel values (8/255 = 0.0314 in AttackVLM)");
  }

  template <class Visitor>
  void visit_contexts(Visitor&& field) {
    field("contexts", contexts,
          "JSONL file of user prompts with splits, or a test set as its authors lay it out, with a choice of "
          "its cases (mm-safetybench:DIR,subset=01,limit=50); empty = the shipped one for the behavior");
    field("train", train, "contexts to optimize on; 0 = all of the file's");
    field("validation", validation, "contexts that choose the best image; 0 = all of the file's");
    field("test", test, "held-out contexts to report on; 0 = all of the file's");
    field("batch", batch,
          "contexts per optimization step; 0 = all training contexts; they share the passes of the tower and "
          "the prefix (of InstructBLIP, whose image tokens depend on the question, the tower's only)");
    field("validate_every", validate_every, "steps between validations; 0 = only at the end");
    field("stop_at", stop_at, "stop when the validation success rate reaches this; above 1 = never");
    field("max_new_tokens", max_new_tokens,
          "longest reply, in tokens, in all that a trial asks; 0 = 48, or more where the behavior needs it "
          "(long targets, twice the clean reply for verbose)");
    sampling.visit(field);
  }

  template <class Visitor>
  void visit_machine(Visitor&& field) {
    field.group("Machine");
    field("device", device, "cpu, cuda or cuda:1");
    field("dtype", dtype, kDtypeHelp);
    field("threads", threads, "CPU threads; 0 = all cores");
    field("image_batch", image_batch, kImageBatchHelp);
    field("views", views, kViewsHelp);
    field("max_pixels", max_pixels, kMaxPixelsHelp);
    asking.visit(field);
    field.group("Run");
    field("checkpoint_every", checkpoint_every, "steps between checkpoints for --resume");
  }
};

/// Whether a config is about image encoders alone (--surrogate without --model): nobody is asked for replies,
/// there are no contexts, and `model` is the first surrogate, in whose space the image lives.
inline bool asks_nobody(const AttackConfig& config) {
  return config.behavior.name == "resemble";
}

/// How rows name the model of a folder: by its last part.
std::string model_name(const std::string& folder);

/// Calls `each` with every file name of a config that is not empty.
template <class Each>
void for_each_file(AttackConfig& config, const Each& each) {
  for (auto* files : {&config.images, &config.held_out_images, &config.surrogate.auxiliary_images})
    for (std::string& file : *files) each(file);
  for (std::string* file :
       {&config.contexts, &config.behavior.targets, &config.augmentation.templates, &config.constraint.mask,
        &config.objective.feature_image, &config.typographic.font, &config.scaling.picture})
    if (!file->empty()) each(*file);
}
/// Calls `each` with every model folder of a config that is not empty, those of its defenses included.
void for_each_model(AttackConfig& config, const std::function<void(std::string& folder)>& each);

/// Relative names of files and models that exist in `folder` become those in it: what a configuration file
/// names lies beside it.
void find_beside(AttackConfig& config, const std::filesystem::path& folder);

/// A TOML file of attack fields at its top level. Relative file names count from the file's own
/// folder where they exist there. Returns the names it set. Throws Error that names the file and the line or
/// key, and the command for a file that is an experiment, a recipe or a preset.
std::set<std::string> read_config(const std::filesystem::path& file, AttackConfig& config);

/// A TOML file as JSON: tables, arrays, texts, numbers and truth values. Throws Error with file, line and
/// column.
nlohmann::json read_toml(const std::filesystem::path& file);

/// The names of a folder's TOML files, sorted. what: "presets", for the Error where there is no such folder.
std::vector<std::string> toml_names(const std::filesystem::path& folder, const std::string& what);

/// Fills in what depends on other fields (the shipped model, contexts and canary; all contexts at each step
/// for optimizers that need that) where `given` does not name the field, and checks everything that can be
/// checked without loading a model. `epsilon` is a single one (plan.h, each_epsilon). Throws Error.
void resolve(AttackConfig& config, const std::set<std::string>& given);

}  // namespace hijack
