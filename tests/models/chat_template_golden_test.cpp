// Rendered texts and ids equal to those of transformers' apply_chat_template
// (tests/golden/chat_template/make.py).
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/chat_template/jinja/template.h"
#include "models/tokenizer.h"
#include "src/base/error.h"
#include "src/base/file.h"

namespace hijack::chat_template_golden_test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

const fs::path kFolder = fs::path(HIJACK_SOURCE_DIR) / "tests/golden";

/// null where the template refuses the conversation.
Json rendered(const std::string& source, const Json& golden, const Json& messages) {
  Json variables = golden["tokens"];
  variables["messages"] = messages;
  variables["add_generation_prompt"] = true;
  variables["tools"] = variables["documents"] = nullptr;
  try {
    return jinja::Template(source).render(variables);
  } catch (const Error&) {
    return nullptr;
  }
}

TEST(ChatTemplateGolden, EveryStyleIsRenderedAsTransformersRendersIt) {
  const Json golden = Json::parse(read_file(kFolder / "chat_template/golden.json"));
  const auto tokenizer = Tokenizer::from_file(kFolder / "tokenizer/qwen2.json");
  EXPECT_GE(golden["templates"].size(), 40u);
  size_t texts = 0;
  for (const Json& one : golden["templates"]) {
    const auto source = one["template"].get<std::string>();
    for (size_t i = 0; i < golden["conversations"].size(); ++i) {
      const Json text = rendered(source, golden, golden["conversations"][i]);
      EXPECT_EQ(text, one["expected"][i]) << one["name"] << " of conversation " << i;
      texts += text.is_null() ? 0 : 1;
    }
    if (one["ids"].is_null()) continue;
    const auto text = rendered(source, golden, golden["conversations"][5]).get<std::string>();
    EXPECT_EQ(tokenizer->encode(text, false), one["ids"].get<TokenIds>()) << one["name"];
  }
  EXPECT_GE(texts, 400u);
}

}  // namespace
}  // namespace hijack::chat_template_golden_test
