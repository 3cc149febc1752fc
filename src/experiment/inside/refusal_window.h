#pragma once
#include "src/experiment/inside/train_detector.h"

namespace hijack {

/// The layers in which prompts that the model refuses differ from benign ones, for HiddenDetect (Jiang et al.
/// 2025, section 3.2): those around the largest difference of the mean strengths [K] of refusal that have at
/// least half of it. Indices [first, last] into the curves. Throws Error where refused prompts differ
/// nowhere.
std::pair<int64_t, int64_t> refusal_window(const Tensor& refused, const Tensor& benign);

/// The training of hidden_detect: the window from half of the prompts, and what it tells apart among the
/// others and among the replies of the runs. The model is that of the first run.
TrainedDetector train_refusal_window(const DetectorTrainConfig& config,
                                     const std::function<void(const std::string&)>& note);

}  // namespace hijack
