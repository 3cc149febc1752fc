#pragma once
#include "defenses/detectors/mahalanobis.h"
#include "src/experiment/inside/separation.h"

// What detectors learn with. Shapes: n examples, F features; labels bool [n], of which true is a hijack.

namespace hijack {

/// Logistic regression (defenses/detectors/logistic.h). Throws Error for labels of one kind.
Scorer logistic_fit(const Tensor& features, const Tensor& labels);

/// Contrast of two Gaussians. Throws Error where there are fewer than two examples of a kind.
Mahalanobis::Contrast contrast_of(const Tensor& states, const Tensor& labels);
Scorer contrast_fit(const Tensor& features, const Tensor& labels);

/// Logistic regression of the `most` features that tell the labels apart best in the examples that are
/// learned from (largest difference of means in standard deviations): for many and mostly silent ones, as
/// the latents of a sparse autoencoder are.
Fit selecting_fit(int64_t most);

}  // namespace hijack
