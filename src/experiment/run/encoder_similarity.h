#pragma once
#include <string>
#include <vector>

#include "src/experiment/run/trial.h"

namespace hijack {

/// The images of one photo, read back from their files, [1,3,H,W].
struct EncodedFiles {
  Tensor adversarial, clean, noise;
};

/// What each encoder of a trial (surrogates, then those of --transfer-encoder) makes of the files, beside the
/// target of the objective. None without files. photos: EncoderRow::photos.
std::vector<EncoderRow> encoder_rows(const TrialSetup& setup, const std::vector<EncodedFiles>& files,
                                     const std::string& photos);

}  // namespace hijack
