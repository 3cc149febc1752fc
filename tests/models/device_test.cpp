// Devices that are not there.
#include <gtest/gtest.h>

#include "models/load_model.h"
#include "src/base/error.h"

namespace hijack::device_test {
namespace {

const std::filesystem::path kGolden = std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden";

TEST(CudaDevice, IsRefusedWhereThereIsNone) {
  const auto count = static_cast<int>(at::getNumGPUs());
  const std::string missing = "cuda:" + std::to_string(count);
  try {
    load_model(kGolden / "llava/clip_gqa", {.device = missing});
    FAIL() << missing << " was taken";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("device " + missing), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace hijack::device_test
