#pragma once
#include <cstdint>
#include <vector>

#include "src/base/tensor.h"

namespace hijack {

class ConfigReader;

/// How a decoder was stretched to texts longer than it was first trained on: `rope_scaling` of config.json,
/// in transformers 5 part of `rope_parameters`.
struct RopeScaling {
  enum class Kind {
    kNone,
    kLinear,  ///< all frequencies / factor (Chen et al. 2023)
    kLlama3,  ///< low frequencies / factor, high ones as they are, a ramp between (Grattafiori et al. 2024)
    kYarn,    ///< the same with a ramp over channels, and longer cosines and sines (Peng et al. 2023)
    kLong,    ///< "longrope": a factor for each frequency, and longer cosines and sines (Ding et al. 2024)
  };
  Kind kind = Kind::kNone;
  double factor = 1;
  double low_factor = 1;  ///< llama3: wavelengths above original_positions / low_factor are low frequencies
  double high_factor = 4;
  int64_t original_positions = 8192;
  double fast = 32, slow = 1;   ///< yarn: turns over the original positions at the ramp's ends
  bool whole_channels = true;   ///< yarn: the ramp begins and ends at whole channels ("truncate")
  double attention_factor = 1;  ///< yarn and longrope: multiplies cosine and sine
  /// longrope: one for each frequency, of texts up to original_positions, which is all that is read here;
  /// longer ones have other factors, even for their first tokens.
  std::vector<double> short_factors = {};

  /// parameters: the object that has rope_type (or type). "dynamic" scales nothing inside max_positions,
  /// which texts here never exceed. Throws Error for a type that is none of these.
  static RopeScaling from_json(const ConfigReader& parameters, int64_t max_positions);
};

/// rope_theta of a vision tower whose patches turn by row and column ("axial"), in either spelling. Throws
/// Error for another rope type.
double axial_rope_theta(const ConfigReader& vision);

/// Angles by which a position turns each pair of a head's channels, float32 [head_dim/2]. Throws Error where
/// longrope has another number of factors.
Tensor rotary_frequencies(int64_t head_dim, double theta, const RopeScaling& scaling = {});

}  // namespace hijack
