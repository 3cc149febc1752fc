#pragma once
#include "defenses/detectors/trained_file.h"
#include "defenses/kinds.h"
#include "defenses/parameters.h"

namespace hijack {

/// What `hijack train steering` finds (ASTRA, section 3 of Wang et al. 2025). K layers, D width.
struct SteeringVectors {
  Tensor directions;  ///< float32 [K,D]: of layers 1..K, what the image's strongest patches add
  Tensor references;  ///< float32 [K,D]: mean states of tokens that honest replies are made of

  TensorMap tensors() const { return {{"directions", directions}, {"references", references}}; }
  /// Throws Error, which names `where`, for tensors of another shape or that are not finite.
  static SteeringVectors of(const TensorMap& tensors, const std::string& where);
};

/// h [..,D] -> h - alpha max(0, cos(h - reference, direction)) |h| direction / |direction|.
Tensor steered(const Tensor& h, const Tensor& direction, const Tensor& reference, double alpha);

/// Adaptive steering (Wang et al. 2025, ASTRA, arXiv:2411.16721): while the model replies, the states of one
/// layer are moved away from the direction in which adversarial images move them, the further the more they
/// lie there.
class Steering : public DecodingDefense {
 public:
  static constexpr const char* kName = "steering";
  static constexpr const char* kHelp =
      "moves states away from the direction of an adversarial image's strongest patches while the model "
      "replies (after Wang et al. 2025, ASTRA; departs: the last prompt token is steered, too)";

  struct Parameters {
    double alpha = 7;
    int64_t layer = 0;
    TrainedParameters file = {};

    template <class Visitor>
    void visit(Visitor&& field) {
      field("alpha", alpha, "how far states are moved, as a multiple of their length");
      field("layer", layer, "of the residual stream; 0 = the one that 'hijack train steering' was told");
      file.visit(field);
    }
    void check() const;
  };

  /// Throws Error as read_trained, without a model that shows its layers, and for a layer that there is not.
  Steering(const Parameters& parameters, const DefenseResources& resources);
  std::string name() const override { return written_name(kName, parameters_); }
  void change_decoding(Decoding& decoding) const override;

 private:
  Parameters parameters_;
  int64_t layer_ = 0;
  Tensor direction_, reference_;  // [D]
};

}  // namespace hijack
