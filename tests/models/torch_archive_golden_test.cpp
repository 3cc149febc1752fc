// Files that torch.save wrote (tests/golden/torch_archive/make.py).
#include <gtest/gtest.h>

#include "models/checkpoint/torch_archive.h"

namespace hijack::torch_archive_golden_test {
namespace {

TEST(TorchArchiveGolden, EqualsWhatWasSaved) {
  const auto folder = std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden/torch_archive";
  const TensorMap expected = load_safetensors(folder / "expected.safetensors");
  for (const char* file : {"plain.bin", "wrapped.pt", "protocol4.bin"}) {
    const TensorMap read = load_torch_archive(folder / file);
    ASSERT_EQ(read.size(), expected.size()) << file;
    for (const auto& [name, tensor] : expected) {
      EXPECT_EQ(read.at(name).scalar_type(), tensor.scalar_type()) << file << " " << name;
      EXPECT_TRUE(at::equal(read.at(name), tensor)) << file << " " << name;
    }
  }
}

}  // namespace
}  // namespace hijack::torch_archive_golden_test
