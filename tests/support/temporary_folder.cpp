#include "tests/support/temporary_folder.h"

#include <cstdlib>

namespace hijack::support {

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "hijack-test-XXXXXX").string();
  if (!mkdtemp(pattern.data())) throw Failure("no temporary folder");
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace hijack::support
