#pragma once
#include <optional>
#include <string>
#include <vector>

#include "models/query.h"
#include "models/tokenizer.h"
#include "src/base/random.h"
#include "src/pocket/exercise.h"
#include "src/pocket/scene.h"

namespace hijack {

/// What the decoder said to a prompt when no image was there.
struct OwnReply {
  std::string prompt;
  TokenIds reply;  ///< with the end token, unless it was cut
};

/// A square of a photo [1,3,H,W] in [0,1], at least half as wide as it, sometimes mirrored: [1,3,size,size].
Tensor random_square(const Tensor& whole, int64_t size, Random& random);

/// A question about a scene, of a task drawn by its share; nullopt where the scene offers none.
std::optional<Exercise> random_question(const Scene& scene, Random& random);

/// One training sequence: an image, and prompts with replies that are packed behind it.
struct EyeSequence {
  Tensor image;         ///< uint8 [3,112,112]
  Tensor patch_labels;  ///< int64 [64]
  std::vector<Query> queries;
  std::vector<TokenIds> targets;
  std::vector<double> weights;  ///< of each token of a target

  /// Of all tokens of the targets.
  double weight() const;
};

/// Draws sequences: scenes with questions about all that is in them and, before every second one, a prompt of
/// the chat; or a photo, a texture or a scene with prompts of the chat alone.
class EyeData {
 public:
  /// photos: [1,3,H,W] in [0,1], may be empty. end: what ends a reply.
  EyeData(std::vector<Tensor> photos, std::vector<OwnReply> chat, TokenIds end, const Tokenizer& tokenizer);
  /// A pure function of its arguments; safe to call from many threads.
  EyeSequence draw(uint64_t seed, uint64_t index) const;

 private:
  void add_questions(EyeSequence& sequence, const Scene& scene, Random& random) const;
  void add_chat(EyeSequence& sequence, int64_t n, Random& random) const;
  Tensor photo(Random& random) const;

  std::vector<Tensor> photos_;
  std::vector<OwnReply> chat_;
  TokenIds end_;
  const Tokenizer& tokenizer_;
};

}  // namespace hijack
