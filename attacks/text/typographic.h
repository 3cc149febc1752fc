#pragma once
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "attacks/behavior.h"
#include "attacks/constraint.h"
#include "src/base/font.h"

// Typographic attacks: text drawn into the photo, no gradient (MM-SafetyBench, Liu et al. 2023; FigStep, Gong
// et al. 2023; nearly invisible text as Goodside showed it on GPT-4V in 2023). Images [1,3,H,W] in [0,1].

namespace hijack {

struct TypographicConfig {
  std::string text;
  std::string style = "visible";
  std::string font;
  int64_t tries = 24;
  int64_t contrast = 1;

  template <class Visitor>
  void visit(Visitor&& field) {
    field(
        "text", text,
        "typographic: what is written into the photo; {target} stands for the behavior's target; empty = an "
        "order to say the target");
    field(
        "text_style", style,
        "typographic: visible, low_contrast (a few gray levels beside the background), tiny, or border (one "
        "line along a side)");
    field("font", font, "typographic: TrueType file (.ttf); empty = DejaVu Sans Bold of the system");
    field("text_tries", tries, "typographic: places, sizes, opacities and inks tried on validation contexts");
    field("text_contrast", contrast,
          "typographic low_contrast: gray levels between ink and background, from 1");
  }
};

/// How a text lies in an image.
struct Lettering {
  double height = 0;   ///< of a line, in pixels
  double top = 0;      ///< share of the free height above the text, in [0,1]
  double left = 0;     ///< share of the free width left of it
  double opacity = 1;  ///< of the ink
  bool light = false;  ///< white ink; low contrast: brighter than the background
};

std::vector<std::string> text_styles();
/// Throws Error for an unknown style and numbers out of range.
void check_typographic(const TypographicConfig& config);
/// The config's text with the target in it. Throws Error when it needs a target and the behavior has none.
std::string text_to_draw(const TypographicConfig& config, const Behavior& behavior, const Context& context);

/// A random lettering of the config's style for an image of this size.
Lettering draw_lettering(const TypographicConfig& config, int64_t height, int64_t width, Random& random);

/// The origin with the text in it, on the lattice, and where it may differ from the origin: a Mask of the
/// pixels that ink touches. Text that does not fit is set smaller, and cut off at the smallest size.
struct Drawn {
  Tensor image;
  Mask mask;
};
Drawn draw_text(const Tensor& origin, const std::string& text, const Font& font,
                const TypographicConfig& config, const Lettering& lettering);

/// Success on validation contexts and, between equals, minus the loss: higher is better.
using Score = std::pair<double, double>;
struct TypographicHooks {
  std::function<Score(const Tensor& lattice_image)> score;
  std::function<void(int64_t tries, const Score& best)> after_try = {};
  std::stop_token stop = {};
};
struct TypographicResult {
  Drawn drawn;
  Lettering lettering;
  int64_t best_try = -1;
  std::vector<double> losses;  ///< of the best so far, after each try
};
/// Random search over letterings; the best is kept. Draws are a function of (seed, try). nullopt when
/// stopped.
std::optional<TypographicResult> typographic_attack(const Tensor& origin, const std::string& text,
                                                    const TypographicConfig& config, uint64_t seed,
                                                    const TypographicHooks& hooks);

/// The same letters in another order: a control that is drawn the same way and says nothing.
std::string scrambled(const std::string& text, uint64_t seed);

}  // namespace hijack
