// One libFuzzer program per target; HIJACK_FUZZ_TARGET is its name.
#include "tests/support/fuzz_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  static const hijack::support::FuzzTarget& target = hijack::support::fuzz_target(HIJACK_FUZZ_TARGET);
  target.run({reinterpret_cast<const char*>(data), size});
  return 0;
}
