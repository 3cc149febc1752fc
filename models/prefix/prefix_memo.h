#pragma once
#include <c10/util/intrusive_ptr.h>

#include <functional>
#include <mutex>
#include <vector>

#include "models/network/attention.h"
#include "models/tokenizer.h"
#include "models/vision_language_model.h"

namespace hijack {

/// What calls on one model with frozen weights have in common, so that it is computed once: keys and values
/// of the text before the image, which depend on that text alone; and, for as long as the caller keeps the
/// same pixels and asks for no gradient of them, image features with the keys and values up to the image's
/// end (GCG: one image, thousands of prompts). Nothing kept takes a gradient. Safe to use from several
/// threads.
class PrefixMemo {
 public:
  PrefixMemo() = default;
  PrefixMemo(const PrefixMemo&) {}  // a copy of a model begins with nothing kept
  PrefixMemo& operator=(const PrefixMemo&) = delete;

  /// The features of these pixels, or what compute() gives. Kept until other pixels come, the pixels change
  /// or the caller lets go of them.
  Tensor features(const Pixels& pixels, const std::function<Tensor()>& compute);
  /// Whether features() gave this tensor and keeps it.
  bool keeps(const Tensor& features) const;

  /// Keys and values of a prefix, or what compute() gives without gradients. positions: int64 [A,L];
  /// features: undefined for text alone. Keeps the latest few.
  KeyValues prefix(const TokenIds& ids, const Tensor& positions, const Tensor& features,
                   const std::function<KeyValues()>& compute);

 private:
  struct Image {
    c10::weak_intrusive_ptr<c10::TensorImpl> pixels;
    uint32_t version = 0;
    int64_t height = 0, width = 0;
    Tensor features;
  };
  struct Entry {
    TokenIds ids;
    Tensor positions, features;
    KeyValues computed;
  };
  void forget_image();

  mutable std::mutex mutex_;
  std::vector<Image> image_;  // one or none
  std::vector<Entry> entries_;
};

}  // namespace hijack
