#include "src/base/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "src/base/error.h"

namespace hijack::json_test {
namespace {

TEST(Json, ReadsWhatIsLegal) {
  EXPECT_EQ(parse_json(R"({"a":[1,{"a":2}],"b":null})", "x")["a"][1]["a"], 2);
  EXPECT_NO_THROW(parse_json(std::string(60, '[') + std::string(60, ']'), "x"));
}

TEST(Json, RefusesTheRest) {
  const std::string bad[] = {"",
                             "{",
                             "{\"a\":1,}",
                             "nul",
                             "\"\xff\"",
                             R"({"a":1,"a":2})",
                             R"([{"b":{"a":1,"c":[],"a":2}}])",
                             std::string(70, '[') + std::string(70, ']'),
                             std::string(1'000'000, '['),
                             "1 2"};
  for (const std::string& text : bad) {
    try {
      parse_json(text, "the place");
      ADD_FAILURE() << text.substr(0, 50);
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).rfind("the place", 0), 0u) << error.what();
    }
  }
  EXPECT_THROW(read_json("/nonexistent.json"), Error);
}

}  // namespace
}  // namespace hijack::json_test
