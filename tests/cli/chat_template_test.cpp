// A folder's own chat template is what prompts are rendered with; expected texts are transformers'.
#include "tests/support/program.h"

namespace hijack::chat_template_test {
namespace {

namespace fs = std::filesystem;
using namespace support;

class ChatTemplates : public Program {
 protected:
  /// A copy of a golden folder with this template.
  std::string with(const std::string& text) {
    const std::string folder = copy_of("llava/clip_gqa", "model" + std::to_string(++copies_));
    write_file(fs::path(folder) / "chat_template.jinja", text);
    return folder;
  }

  std::string trace(const std::string& folder) const {
    return "trace --model " + folder + " --image " + kPhoto + " --prompt 'Who is it?' --system 'Be brief.'" +
           " --target 'Sure' --show-prompt --out " + at("trace.safetensors");
  }

  /// The prompt that the program shows, which comes before the loss.
  std::string shown(const std::string& folder) {
    const Outcome outcome = run(trace(folder));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out.substr(0, outcome.out.rfind("\nloss "));
  }

 private:
  int copies_ = 0;
};

TEST_F(ChatTemplates, TheFoldersOwnIsRendered) {
  EXPECT_EQ(shown(kModel), "Be brief. USER: <image>\nWho is it? ASSISTANT:");
  EXPECT_EQ(
      shown(with("{% for m in messages %}\n### {{ {'user': 'Human', 'system': 'System'}[m.role] }}: "
                 "{% for part in m.content %}\n{% if part.type == 'text' %}{{ part.text }}{% else %}<image>"
                 "{% endif %}{% endfor %}\n\n{% endfor %}\n### Assistant:")),
      "### System: Be brief.\n### Human: <image>Who is it?\n### Assistant:");
  EXPECT_EQ(
      shown(with("{%- for m in messages %}{{ '<|im_start|>' ~ m.role }}\n{% for part in m['content'] %}"
                 "{{ '<image>' if part['type'] == 'image' else part['text'] | trim }}{% endfor %}<|im_end|>\n"
                 "{% endfor %}\n{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")),
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n<image>Who is it?<|im_end|>\n"
      "<|im_start|>assistant\n");
  // the image after the text
  EXPECT_EQ(
      shown(with("{% for m in messages %}{{ m.role | upper }}: {{ m.content | selectattr('type', 'equalto', "
                 "'text') | map(attribute='text') | join }} {% for part in m.content | selectattr('type', "
                 "'equalto', 'image') %}<image>{% endfor %}{% endfor %}A:")),
      "SYSTEM: Be brief. USER: Who is it? <image>A:");
}

TEST_F(ChatTemplates, InspectSaysWhereItIsFrom) {
  const std::string folder = copy_of("llava/clip_gqa", "bare");
  EXPECT_NE(run("models inspect " + folder).out.find("the folder's own (chat_template.jinja)"),
            std::string::npos);
  fs::remove(fs::path(folder) / "chat_template.jinja");
  const Outcome none = run("models inspect " + folder);
  EXPECT_NE(none.out.find("none in the folder; LLaVA-1.5's published one is used"), std::string::npos)
      << none.out;
  EXPECT_EQ(shown(folder), "Be brief. USER: <image>\nWho is it? ASSISTANT:");
}

TEST_F(ChatTemplates, WhatCannotBeRenderedIsRefusedByName) {
  expect_refused(trace(with("<image>{% include 'x' %}")), "{% include %} is not supported");
  expect_refused(trace(with("<image>{{ messages | groupby('role') }}")),
                 "the filter 'groupby' is not supported");
  expect_refused(trace(with("{{ messages[0].role }}")), "no place for the image");
  expect_refused(trace(with("<image><image>")), "more than one place for the image");
  expect_refused(
      trace(
          with("<image>{% if messages[0].role == 'system' %}{{ raise_exception('No system') }}{% endif %}")),
      "the chat template refuses this conversation: No system");
}

TEST_F(ChatTemplates, HostileOnesEnd) {
  for (const char* text :
       {"{% macro f() %}{{ f() }}{% endmacro %}<image>{{ f() }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}<image>",
        "<image>{{ 'abcdefgh' * 10 ** 9 }}"})
    expect_refused(trace(with(text)), "the chat template cannot be rendered: line 1: it ");
}

}  // namespace
}  // namespace hijack::chat_template_test
