// Numbers that are not finite: which tensor, or which type, is to blame; never an empty reply with exit code
// 0.
#include "models/checkpoint/safetensors.h"
#include "src/experiment/record/results.h"
#include "tests/support/program.h"

namespace hijack::not_finite_test {
namespace {

namespace fs = std::filesystem;
using namespace support;

class NotFiniteProgram : public Program {
 protected:
  /// A copy of the checkpoint in which tensors whose names end in `ending` are changed.
  std::string with_changed(const std::string& name, const std::string& ending,
                           const std::function<Tensor(const Tensor&)>& change) {
    const std::string model = copy_of("llava/clip_gqa", name);
    TensorMap tensors;
    for (const auto& [stored, tensor] : load_safetensors(fs::path(model) / "model.safetensors"))
      tensors[stored] = stored.ends_with(ending) ? change(tensor.clone()) : tensor.clone();
    fs::remove(fs::path(model) / "model.safetensors");
    save_safetensors(tensors, fs::path(model) / "model.safetensors");
    return model;
  }
  std::vector<std::string> commands(const std::string& model) const {
    return {attack("--model " + model + " --steps 2 --out " + at("run")),
            "chat --model " + model + " --image " + kPhoto + " --prompt hello --max-new-tokens 3",
            "trace --model " + model + " --image " + kPhoto + " --prompt a --target b --out " + at("t")};
  }
};

TEST_F(NotFiniteProgram, ATensorWithNaNIsNamed) {
  const std::string model = with_changed("nan", "layers.1.mlp.down_proj.weight", [](Tensor tensor) {
    tensor[0][0] = NAN;
    return tensor;
  });
  for (const std::string& command : commands(model)) {
    expect_refused(command, "layers.1.mlp.down_proj.weight");
    EXPECT_EQ(read_file(at("err")).find("16 bit"), std::string::npos);
  }
  EXPECT_FALSE(fs::exists(at("run")));
}

TEST_F(NotFiniteProgram, WeightsTooLargeForTheTypeAreNamed) {
  const std::string model =
      with_changed("large", "layers.0.mlp.up_proj.weight", [](const Tensor& tensor) { return tensor * 1e8; });
  for (std::string command : commands(model)) expect_refused(command += " --dtype float16", "up_proj.weight");
  EXPECT_NE(read_file(at("err")).find("too large"), std::string::npos);
}

TEST_F(NotFiniteProgram, AnOverflowInFloat32IsNotBlamedOn16Bit) {
  const std::string model =
      with_changed("overflow", "lm_head.weight", [](const Tensor& tensor) { return tensor.sign() * 3e38; });
  for (const std::string& command : commands(model)) {
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.code, 1) << command << outcome.err;
    EXPECT_NE(outcome.err.find("computes in float32"), std::string::npos) << outcome.err;
    for (const char* words : {"16 bit", "float16", "bfloat16"})
      EXPECT_EQ(outcome.err.find(words), std::string::npos) << outcome.err;
  }
  EXPECT_FALSE(fs::exists(at("run")));
  const Outcome narrow = run(commands(model)[1] + " --dtype bfloat16");
  EXPECT_EQ(narrow.code, 1);
  EXPECT_NE(narrow.err.find("overflow in bfloat16"), std::string::npos) << narrow.err;
}

TEST_F(NotFiniteProgram, SoundModelsAnswer) {
  for (const std::string& command : commands(kModel)) EXPECT_EQ(run(command).code, 0) << command;
}

}  // namespace
}  // namespace hijack::not_finite_test
