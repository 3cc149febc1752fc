#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>
#include <vector>

#include "models/network/layers.h"

// The vision transformers of the Qwen-VL models: patches of images of any size, two-dimensional rotary
// positions, and a merger that makes one token of merge x merge patches. Shapes: N images, P patches, E
// width, D decoder width, T = P/merge^2 tokens.

namespace hijack {

struct QwenVlVisionConfig {
  int64_t layers = 32;
  int64_t width = 1280;
  int64_t heads = 16;
  int64_t mlp_width = 5120;
  int64_t output_width = 3584;  ///< the decoder's
  int64_t patch = 14;
  int64_t merge = 2;
  int64_t temporal = 2;
  double rope_theta = 10000;
  Activation activation = Activation::kQuickGelu;

  // what the generations changed
  bool rms_norms = false;  ///< 2.5: in place of layer norms
  bool gated_mlp = false;  ///< 2.5
  int64_t window = 0;      ///< 2.5: side of an attention window in tokens; 0: all patches see each other
  std::vector<int64_t> whole_blocks = {};  ///< 2.5: blocks without windows
  bool patch_bias = false;                 ///< 3
  int64_t positions = 0;                   ///< 3: learned positions, sampled from a square of them; 0: none
  std::vector<int64_t> deep_blocks = {};   ///< 3: blocks whose states the decoder gets as well (DeepStack)

  /// `vision_config` of config.json with the class defaults of each generation.
  static QwenVlVisionConfig of_qwen2(const nlohmann::json& json);
  static QwenVlVisionConfig of_qwen2_5(const nlohmann::json& json);
  static QwenVlVisionConfig of_qwen3(const nlohmann::json& json);
  int64_t patch_values() const { return 3 * temporal * patch * patch; }
};

/// Attention windows over a grid of tokens (Qwen2.5-VL): `side` x `side` tokens each, less at the lower and
/// right edge. Windows of one size stand together, so that each size is one batch.
struct AttentionWindows {
  struct Group {
    int64_t windows = 0, tokens = 0;  ///< so many windows of so many tokens each
  };
  std::vector<int64_t> order;  ///< the token (row by row) that stands at each place
  std::vector<Group> groups;   ///< in the order of their tokens

  AttentionWindows(int64_t rows, int64_t columns, int64_t side);
};

class QwenVlTower {
 public:
  /// prefix: name of the tower in the checkpoint ("model.visual").
  QwenVlTower(const QwenVlVisionConfig& config, const ParameterSource& source, const std::string& prefix);

  /// pixels [N, P, 3*temporal*patch*patch] of N images of rows x columns patches each, merge x merge of them
  /// after each other -> [N, 1+S, T, D]: an image's tokens, and what each of the S deep blocks gives, in
  /// their order. No image sees another.
  Tensor forward(const Tensor& pixels, int64_t rows, int64_t columns) const;

 private:
  using Norm = std::variant<LayerNorm, RmsNorm>;
  struct Block {
    Norm norm1, norm2;
    Linear mix, output;     // mix: query, key and value in one
    Linear gate, up, down;  // gate: of gated MLPs
  };
  struct Merger {
    Norm norm;
    Linear up, down;
    bool norm_after = false;  // of the merged patches
  };
  /// Where each patch is, and what follows from it for a pass.
  struct Layout {
    Rotary rotary;
    Tensor order, back;  // int64 [T]: of the tokens in windows, and the way back; undefined without windows
    std::vector<AttentionWindows::Group> groups;  // with tokens counted in patches
  };
  Norm norm(const ParameterSource& source, const std::string& name, int64_t width) const;
  Merger merger(const ParameterSource& source, const std::string& name, bool norm_after) const;
  Layout layout_of(int64_t rows, int64_t columns) const;
  /// [rows,columns,..] -> [P,..] in the order of the patches.
  Tensor in_order(const Tensor& grid) const;
  Tensor positions_of(int64_t rows, int64_t columns) const;
  Tensor in_windows(const Tensor& x, const Tensor& order, int64_t dim) const;
  Tensor run_block(const Block& block, const Tensor& x, const Layout& layout, bool windows) const;
  Tensor merged(const Merger& merger, const Tensor& x, const Layout& layout) const;

  QwenVlVisionConfig config_;
  Linear patch_;                             // of 3*temporal*patch*patch values
  at::ScalarType stream_type_ = at::kFloat;  // of what blocks add to
  Tensor position_table_;                    // [positions, E] or undefined
  std::vector<Block> blocks_;
  Merger merger_;
  std::vector<Merger> deep_mergers_;
};

}  // namespace hijack
