// The conversations of LLaVA's own code (`llava/conversation.py`), as templates of texts.
#include <string>

#include "models/chat_template/published.h"

namespace hijack {
namespace {

/// `system`: the system text, or this one where there is none; `turns`: what follows.
std::string conversation(const std::string& system, const std::string& turns) {
  return "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}"
         "{% set turns = messages[1:] %}{% else %}{% set system = \"" +
         system + "\" %}{% set turns = messages %}{% endif %}" + turns;
}

const std::string kAssistant =
    "A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful, "
    "detailed, and polite answers to the human's questions.";

const std::string kV1 = conversation(
    kAssistant,
    "{{ system + ' ' }}{% for message in turns %}{% if message['role'] == 'user' %}"
    "{{ 'USER: ' + message['content'] + ' ' }}{% else %}{{ 'ASSISTANT: ' + message['content'] + "
    "'</s>' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}");

const std::string kV0 =
    conversation(kAssistant,
                 "{{ system + '###' }}{% for message in turns %}{% if message['role'] == 'user' %}{{ 'Human: "
                 "' }}{% else %}"
                 "{{ 'Assistant: ' }}{% endif %}{{ message['content'] + '###' }}{% endfor %}"
                 "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}");

/// Turns in [INST], after the first of which `begin` stands before each.
std::string instructions(const std::string& system, const std::string& begin) {
  return conversation(
      system, "{% for message in turns %}{% if message['role'] == 'user' %}{% if not loop.first %}{{ '" +
                  begin +
                  "' }}{% endif %}{{ '[INST] ' }}{% if loop.first and system %}{{ '<<SYS>>\\n' + system + "
                  "'\\n<</SYS>>\\n\\n' }}{% endif %}{{ message['content'] + ' [/INST]' }}{% else %}"
                  "{{ ' ' + message['content'] + ' </s>' }}{% endif %}{% endfor %}");
}

const std::string kLlama2 = instructions(
    "You are a helpful language and vision assistant. You are able to understand the visual content that the "
    "user provides, and assist the user with a variety of tasks using natural language.",
    "<s>");

const std::string kMistral = instructions("", "");

const std::string kChatMl = conversation(
    "Answer the questions.",
    "{{ '<|im_start|>system\\n' + system + '<|im_end|>' }}{% for message in turns %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}");

}  // namespace

const PublishedTemplate kOriginalV1 = {"LLaVA v1", kV1.c_str()};
const PublishedTemplate kOriginalV0 = {"LLaVA v0", kV0.c_str()};
const PublishedTemplate kOriginalLlama2 = {"LLaVA's LLaMA-2", kLlama2.c_str()};
const PublishedTemplate kOriginalMistral = {"LLaVA's Mistral", kMistral.c_str()};

const PublishedTemplate kOriginalChatMl = {"LLaVA's ChatML", kChatMl.c_str()};

}  // namespace hijack
