#include "models/prefix/prefix_memo.h"

namespace hijack {
namespace {

constexpr size_t kEntries = 4;  // different system prompts in turn, or several layouts around one image

}  // namespace

void PrefixMemo::forget_image() {
  image_.clear();
  std::erase_if(entries_, [](const Entry& entry) { return entry.features.defined(); });
}

Tensor PrefixMemo::features(const Pixels& pixels, const std::function<Tensor()>& compute) {
  const Tensor& values = pixels.values;
  const bool countable = !values.is_inference();  // such tensors do not say whether they have changed
  {
    const std::scoped_lock lock(mutex_);
    for (const Image& image : image_) {
      const auto kept = image.pixels.lock();
      if (countable && kept && kept.get() == values.unsafeGetTensorImpl() &&
          image.version == values._version() && image.height == pixels.image_height &&
          image.width == pixels.image_width && !(at::GradMode::is_enabled() && values.requires_grad()))
        return image.features;
    }
    forget_image();  // before another takes its memory
  }
  const Tensor features = compute();
  if (!countable || features.requires_grad()) return features;
  const std::scoped_lock lock(mutex_);
  forget_image();
  image_.push_back({c10::weak_intrusive_ptr<c10::TensorImpl>(values.getIntrusivePtr()),
                    static_cast<uint32_t>(values._version()), pixels.image_height, pixels.image_width,
                    features});
  return features;
}

bool PrefixMemo::keeps(const Tensor& features) const {
  const std::scoped_lock lock(mutex_);
  return !image_.empty() && image_.front().features.is_same(features);
}

KeyValues PrefixMemo::prefix(const TokenIds& ids, const Tensor& positions, const Tensor& features,
                             const std::function<KeyValues()>& compute) {
  const auto same = [&](const Entry& entry) {
    return entry.ids == ids && entry.features.is_same(features) && at::equal(entry.positions, positions);
  };
  {
    const std::scoped_lock lock(mutex_);
    const auto found = std::find_if(entries_.begin(), entries_.end(), same);
    if (found != entries_.end()) {
      std::rotate(entries_.begin(), found, found + 1);  // the latest first
      return entries_.front().computed;
    }
  }
  const at::NoGradGuard no_gradients;
  KeyValues computed = compute();
  const std::scoped_lock lock(mutex_);
  if (features.defined() && (image_.empty() || !image_.front().features.is_same(features))) return computed;
  entries_.insert(entries_.begin(), {ids, positions, features, computed});
  if (entries_.size() > kEntries) entries_.pop_back();
  return computed;
}

}  // namespace hijack
