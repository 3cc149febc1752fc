#pragma once
#include <utility>
#include <vector>

#include "tests/support/program.h"

namespace hijack::support {

/// Contexts in so many prompts of each split, and runs on them.
class SmallRuns : public Program {
 protected:
  explicit SmallRuns(const std::vector<std::pair<std::string, int>>& splits) {
    std::string lines;
    for (const auto& [split, count] : splits)
      for (int i = 0; i < count; ++i)
        lines += R"({"prompt":")" + split + " " + std::to_string(i) + R"(","split":")" + split + "\"}\n";
    write_file(at("contexts.jsonl"), lines);
  }
  /// An image that only has to change replies: that a few steps can do.
  void make_run(const std::string& name, const std::string& golden) {
    ASSERT_EQ(run("attack --image " + kPhoto + " --contexts " + at("contexts.jsonl") + " --model " + kRoot +
                  "/tests/golden/" + golden +
                  " --behavior untargeted --constraint box --steps 4 --threads 1 --max-new-tokens 6 --out " +
                  at(name))
                  .code,
              0);
  }
};

}  // namespace hijack::support
