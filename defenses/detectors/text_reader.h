#pragma once
#include <memory>
#include <string>
#include <vector>

#include "src/base/tensor.h"

namespace hijack {

struct ReadWord {
  std::string text;       ///< UTF-8
  double confidence = 0;  ///< 0 to 100
};

/// Whether this build has Tesseract.
bool have_tesseract();

/// Optical character recognition by Tesseract, in English, for text anywhere in a picture. One call at a
/// time.
class TextReader {
 public:
  /// Throws Error in a build without Tesseract, and when its language data is not installed.
  TextReader();
  ~TextReader();
  /// Dark text on a light ground or the other way round. gray: float32 [H,W] in [0,1]; letters are read best
  /// at 20 to 60 pixels.
  std::vector<ReadWord> read(const Tensor& gray) const;

 private:
  struct Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace hijack
