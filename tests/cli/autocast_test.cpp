// --dtype through the program.
#include <nlohmann/json.hpp>

#include "tests/support/program.h"

namespace hijack::autocast_cli_test {
namespace {

using namespace support;
using nlohmann::json;

TEST_F(Program, AutocastAttacksAndTheManifestSaysSo) {
  const Outcome done = run(attack("--dtype autocast --steps 3 --out " + at("run")));
  EXPECT_EQ(done.code, 0) << done.err;
  const json manifest = json::parse(read_file(at("run") + "/manifest.json"));
  EXPECT_EQ(manifest.at("machine").at("dtype"), "autocast");
  EXPECT_NE(manifest.dump().find(R"("dtype":"autocast")"), std::string::npos);
  EXPECT_EQ(run("evaluate " + at("run") + " --defense jpeg").code, 0);
}

TEST_F(Program, ManifestsSayWhatAutoStandsFor) {
  EXPECT_EQ(run(attack("--steps 2 --out " + at("run"))).code, 0);
  const json manifest = json::parse(read_file(at("run") + "/manifest.json"));
  EXPECT_EQ(manifest.at("machine").at("dtype"), "float32");
}

TEST_F(Program, AnUnknownDtypeNamesThoseThatThereAre) {
  for (const char* name : {"auto", "float32", "autocast", "bfloat16", "float16"}) {
    expect_refused(attack("--dtype nonsense --out " + at("run")), name);
    expect_refused("chat --image " + kPhoto + " --prompt x --dtype nonsense", name);
  }
}

TEST_F(Program, InspectSaysWhatAutoMeansAndWhatAutocastNeeds) {
  const Outcome shown = run("models inspect " + kModel);
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_NE(shown.out.find("float32 on a CPU, autocast on a GPU"), std::string::npos) << shown.out;
  EXPECT_NE(shown.out.find(" MB autocast, "), std::string::npos) << shown.out;
  EXPECT_NE(run("models inspect " + kRoot + "/tests/golden/llava/siglip").out.find("bfloat16 on a GPU"),
            std::string::npos);
}

TEST_F(Program, AutocastTracesFloat32Numbers) {
  const auto trace = [&](const std::string& dtype) {
    return run("trace --image " + kPhoto + " --prompt 'what is it' --target 'a cat' --dtype " + dtype +
               " --out " + at(dtype));
  };
  for (const char* dtype : {"float32", "autocast"}) EXPECT_EQ(trace(dtype).code, 0) << trace(dtype).err;
  EXPECT_EQ(read_file(at("autocast")).size(), read_file(at("float32")).size());
  EXPECT_NE(read_file(at("autocast")), read_file(at("float32")));
}

}  // namespace
}  // namespace hijack::autocast_cli_test
