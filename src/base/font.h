#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "src/base/tensor.h"

namespace hijack {

/// A TrueType font, drawn by stb_truetype. That library trusts what a font says about itself, so the file is
/// checked first: size, table of contents and the checksum of every table, which catches what was cut off or
/// damaged. A font forged with matching checksums is as dangerous as a program: use fonts you trust.
class Font {
 public:
  /// Throws Error when the file is missing, over 32 MiB, no TrueType font (.ttf) or damaged.
  static Font from_file(const std::filesystem::path& file);

  /// Lines of `text` (UTF-8) broken between words so that none is wider than `width` pixels at this height
  /// (ascent to descent, in pixels); a word that is too wide alone stands alone.
  std::vector<std::string> lines(const std::string& text, double height, double width) const;
  /// Share of each pixel that ink covers: float32 [rows,columns] in [0,1], just as large as the text. Throws
  /// Error for a character that the font has no shape for, and for text that is not UTF-8.
  Tensor ink(const std::vector<std::string>& lines, double height) const;

 private:
  struct Data;
  explicit Font(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  double width_of(const std::string& line, double height) const;

  std::shared_ptr<const Data> data_;
};

}  // namespace hijack
