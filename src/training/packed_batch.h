#pragma once
#include <deque>
#include <functional>
#include <future>

#include "models/tokenizer.h"
#include "src/base/tensor.h"
#include "src/pocket/sample.h"

// Shapes: N sequences, M of them with an image (they come first), L tokens.

namespace hijack {

/// Packed training sequences: one image prefix, then independent exercises that each see the prefix and
/// themselves (the layout of the shared-prefix gradient).
struct PackedBatch {
  Tensor images;        ///< uint8 [M,3,112,112]
  Tensor patch_labels;  ///< int64 [M,64]
  Tensor ids;           ///< int64 [N,L]
  Tensor positions;     ///< int64 [N,L]
  Tensor segments;      ///< int64 [N,L]: 0 prefix, 1.. exercises, -1 padding
  Tensor loss_from;     ///< int64 [K]: flat places (n * L + l) whose hidden state predicts a token
  Tensor loss_ids;      ///< int64 [K]: that token
  Tensor loss_weights;  ///< float32 [K]
  int64_t image_begin = 0;

  PackedBatch to(at::Device device) const;
};

struct BatchShape {
  int64_t sequences = 256;
  int64_t tokens = 288;        ///< L; what does not fit is left for other sequences
  double prompt_weight = 0.1;  ///< loss weight of prompt tokens; answers have 1
  double visual_weight = 4;    ///< of answers about the image: one word each, where copies have twenty
};

/// Images and labels alone, half scenes and half textures, for the first stage.
PackedBatch make_vision_batch(int64_t images, uint64_t seed, uint64_t index);

/// Batch number `index` of a stream: a pure function of its arguments.
PackedBatch make_batch(const Tokenizer& tokenizer, const BatchShape& shape, uint64_t seed, uint64_t index);

/// Makes batches ahead on other threads and hands them out in order.
class BatchStream {
 public:
  BatchStream(std::function<PackedBatch(uint64_t)> make, uint64_t first, int workers);
  PackedBatch next();

 private:
  void schedule();
  std::function<PackedBatch(uint64_t)> make_;
  uint64_t next_index_;
  std::deque<std::future<PackedBatch>> ahead_;
};

}  // namespace hijack
