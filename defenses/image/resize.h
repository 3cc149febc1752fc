#pragma once
#include "defenses/kinds.h"
#include "defenses/parameters.h"

namespace hijack {

/// The image at another size, as a pipeline in front of the model makes it: a share of its sides (and back,
/// unless `back` is off), or a given size. Deployed: the value of the library that the filter names
/// (models/preprocess/resizer.h). Surrogate: the same, with the gradient of the linear filter.
class ResizeDefense : public ImageTransform {
 public:
  static constexpr const char* kName = "resize";
  static constexpr const char* kHelp =
      "makes the image smaller and large again, or brings it to the size that a pipeline works at (feature "
      "squeezing by scaling; no paper's own)";

  struct Parameters {
    double scale = 0.5;
    std::string size = {};
    std::string filter = "pillow-bicubic";
    bool back = true;

    template <class Visitor>
    void visit(Visitor&& field) {
      field("scale", scale, "share of each side, 0.05 to 4");
      field("size", size, "in place of the share: a size in pixels (512, or 640x480: width x height)");
      field("filter", filter,
            "nearest, bilinear, bicubic or area (as OpenCV, without antialiasing but for area), "
            "pillow-nearest, pillow-box, pillow-bilinear, pillow-bicubic or pillow-lanczos");
      field("back", back, "false: the model gets the image at that size");
    }
    void check() const;
  };

  explicit ResizeDefense(const Parameters& parameters);
  std::string name() const override { return written_name(kName, parameters_); }

  Tensor apply(const Tensor& image, Random& random) const override;
  Tensor surrogate(const Tensor& image, Random& random) const override;

 private:
  Parameters parameters_;
};

}  // namespace hijack
