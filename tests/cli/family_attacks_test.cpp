// An attack on every family, in both spaces, through the command line.
#include <nlohmann/json.hpp>

#include "tests/support/golden_families.h"
#include "tests/support/program.h"

namespace hijack::family_attacks_test {
namespace {

namespace fs = std::filesystem;
using namespace support;
using nlohmann::json;

TEST_F(Program, AnAttackLowersTheLossOfEveryFamilyInBothSpaces) {
  int runs = 0;
  for (const auto& [family, folder] : golden_families())
    for (const char* space : {"input", "photo"}) {
      SCOPED_TRACE(folder + " " + space);
      const std::string out = at("run" + std::to_string(++runs));
      const Outcome outcome =
          run("attack --image " + kRoot + "/tests/golden/qwen2_vl/images/wide.png --contexts " +
              at("contexts.jsonl") + " --threads 1 --target cat --max-new-tokens 4 --model " + kRoot +
              "/tests/golden/" + folder + " --epsilon 16/255 --steps 12 --space " + space + " --out " + out);
      ASSERT_EQ(outcome.code, 0) << outcome.err;
      const std::string rows = read_file(out + "/trials.jsonl");
      const json row = json::parse(rows.substr(0, rows.find('\n')));
      EXPECT_LT(row.at("loss_saved").get<double>(), row.at("loss_clean").get<double>()) << rows;
    }
}

}  // namespace
}  // namespace hijack::family_attacks_test
