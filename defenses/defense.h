#pragma once
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/language_model.h"
#include "src/base/random.h"
#include "src/base/tensor.h"

namespace hijack {

struct Decoding;

/// What a deployed system receives: an image as uploaded, and the user's query.
struct Submission {
  Tensor image;  ///< [1,3,H,W] in [0,1]; undefined = no image
  Query query;
  uint64_t draw = 0;  ///< which of several askings of the same; sampled replies differ between them
};

/// What one defense saw and did to one submission, outermost first.
struct StageTrace {
  std::string stage;
  bool rejected = false;
  double score = 0;  ///< a detector's score; larger = more suspicious
  double threshold = 0;
  std::string note = {};  ///< e.g. the paraphrased prompt
};

struct Reply {
  std::string text;
  bool rejected = false;  ///< a defense refused to pass the submission on
  std::vector<StageTrace> trace = {};
  bool cut = false;  ///< it ended at the length limit (Generated::cut)
};

/// Answers a batch of submissions: the bare model, or a model behind defenses.
using Responder = std::function<std::vector<Reply>(const std::vector<Submission>&)>;

/// The threshold of a detector, where it came from, and what may be claimed about it. Stored with the run.
struct Calibration {
  std::string name;      ///< of the defense, as the user would write it
  double threshold = 0;  ///< scores above it are rejected
  double alpha = 0;  ///< share of benign submissions that may be rejected; 0 = none of those it was fitted on
  int64_t n = 0;     ///< benign scores it was fitted on; 0 = the user gave the threshold
  /// What the rank that was taken guarantees: a benign submission, drawn like those it was fitted on, is
  /// rejected with at most this probability. None for a threshold that the user gave.
  std::optional<double> false_alarm_bound = {};
  /// Largest score that the detector can give: with a threshold there, it rejects nothing, whatever comes.
  double ceiling = std::numeric_limits<double>::infinity();
  std::string fitted_on = {};  ///< SHA-256 of the benign submissions; "" for a threshold that the user gave

  double quantile() const { return 1 - alpha; }
  bool can_fire() const { return threshold < ceiling; }
};

/// Whether two thresholds were fitted to the same scores: those of float32 models differ between machines by
/// rounding, 1e-6 of their size where kernels do; so far apart nothing else is.
bool same_threshold(double a, double b);

/// A defense stands between the user and the next responder. Image and text transforms change submissions,
/// detectors reject some, reply-level wrappers look at (several) replies: all are one `answer`.
class Defense {
 public:
  virtual ~Defense() = default;
  virtual std::string name() const = 0;  ///< as the user would write it: "jpeg:quality=75"
  virtual std::vector<Reply> answer(const std::vector<Submission>& submissions,
                                    const Responder& next) const = 0;

  /// Thresholds fitted on benign data; empty for defenses without any.
  virtual std::vector<Calibration> calibrations() const { return {}; }

  /// Differentiable stand-in of an image transform for adaptive attacks: [1,3,H,W] -> [1,3,H,W]. Defenses
  /// that leave the image alone return it as it is. Random ones draw from `random` (expectation over
  /// transformation).
  virtual Tensor surrogate(const Tensor& image, Random& random) const {
    (void)random;
    return image;
  }

  /// Differentiable score of a detector that looks at the image alone: [1,3,H,W] -> scalar. An adaptive
  /// attack keeps it below the threshold (a hinge added to its loss). Undefined where there is none.
  virtual Tensor image_score(const Tensor& image) const {
    (void)image;
    return {};
  }

  /// What the model behind this defense is asked in place of these queries, as far as an attacker can tell:
  /// the most likely output of a text transform, or draws of its own. Adaptive attacks optimize on it. One
  /// for each, in order.
  virtual std::vector<Query> surrogate_queries(const std::vector<Query>& queries) const { return queries; }

  /// Adds what the defense does inside of the model while it replies (models/decoding.h). Whoever builds the
  /// system, or attacks it knowing the defense, uses the model of stack_model (pipeline.h) in place of the
  /// bare one.
  virtual void change_decoding(Decoding& decoding) const { (void)decoding; }

  /// Whether a detector's score depends on the prompt: adaptive attacks by text keep its perplexity low.
  virtual bool scores_prompts() const { return false; }
  /// The language model that scores them, where an attacker can have it; null: the attacked model's decoder
  /// stands in for it.
  virtual std::shared_ptr<const LanguageModel> prompt_scorer() const { return {}; }
  virtual bool randomized() const { return false; }  ///< judge it on several seeds, never on one lucky draw
};

/// "jpeg:quality=75" -> name and parameters.
struct DefenseSpec {
  std::string name;
  std::map<std::string, std::string> parameters;
};

}  // namespace hijack
