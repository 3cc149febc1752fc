#include "models/chat_template/published.h"

namespace hijack {

const PublishedTemplate kLlavaTemplate = {
    "LLaVA-1.5",
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() "
    "+ ': '}}{% endif %}{# Render all images first #}{% for content in message['content'] | "
    "selectattr('type', "
    "'equalto', 'image') %}{{ '<image>\\n' }}{% endfor %}{# Render all text next #}{% if message['role'] "
    "!= 'assistant' %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') "
    "%}{{ content['text'] + ' '}}{% endfor %}{% else %}{% for content in message['content'] | "
    "selectattr('type', "
    "'equalto', 'text') %}{% generation %}{{ content['text'] + ' '}}{% endgeneration %}{% endfor "
    "%}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"};

const PublishedTemplate kMistralTemplate = {
    "LLaVA-1.6-Mistral",
    "{% for message in messages %}{% if message['role'] == 'system' %}{{ '<<SYS>>\n' + "
    "message['content'][0]['text'] + '\n<</SYS>>\n\n' }}{% elif message['role'] == 'user' %}{{ '[INST] ' }}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}"
    "{% endfor %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{{ content['text'] + ' ' }}{% endfor %}{{ '[/INST]' }}{% elif message['role'] == 'assistant' %}"
    "{{ ' ' + message['content'][0]['text'] + '</s> ' }}{% endif %}{% endfor %}"};

const PublishedTemplate kChatMlTemplate = {
    "LLaVA-NeXT-72B",
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful "
    "assistant.<|im_end|>\n' }}"
    "{% endif %}{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}"
    "{% endfor %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{{ content['text'] }}{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"};

const PublishedTemplate kLlavaOnevisionTemplate = {
    "LLaVA-OneVision",
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + ' '}}{# Render all images "
    "first #}{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>' "
    "}}{% endfor %}{# Render all text next #}{% if message['role'] != 'assistant' %}{% for content "
    "in message['content'] | selectattr('type', 'equalto', 'text') %}{{ '\n' + content['text'] }}"
    "{% endfor %}{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') "
    "%}{% generation %}{{ '\n' + content['text'] }}{% endgeneration %}{% endfor %}{% endif %}{{'<|im_end|>'}"
    "}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"};

const PublishedTemplate kQwen2VlTemplate = {
    "Qwen2-VL",
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}{% for message "
    "in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are "
    "a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n{% if message['content'] "
    "is string %}{{ message['content'] }}<|im_end|>\n{% else %}{% for content in message['content'] "
    "%}{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}{% set "
    "image_count.value = image_count.value + 1 %}{% if add_vision_id %}Picture {{ image_count.value "
    "}}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>{% elif 'text' in content %}{{ "
    "content['text'] "
    "}}{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt "
    "%}<|im_start|>assistant\n{% "
    "endif %}"};

// without its branches for tools and videos
const PublishedTemplate kQwen3VlTemplate = {
    "Qwen3-VL",
    "{%- if messages[0].role == 'system' %}{{- '<|im_start|>system\\n' }}{%- if messages[0].content is "
    "string "
    "%}{{- messages[0].content }}{%- else %}{%- for content in messages[0].content %}{%- if 'text' in "
    "content "
    "%}{{- content.text }}{%- endif %}{%- endfor %}{%- endif %}{{- '<|im_end|>\\n' }}{%- endif %}{%- set "
    "image_count = namespace(value=0) %}{%- for message in messages %}{%- if message.role == 'user' %}{{- "
    "'<|im_start|>' + message.role + '\\n' }}{%- if message.content is string %}{{- message.content }}{%- "
    "else "
    "%}{%- for content in message.content %}{%- if content.type == 'image' or 'image' in content or "
    "'image_url' "
    "in content %}{%- set image_count.value = image_count.value + 1 %}{%- if add_vision_id %}Picture {{ "
    "image_count.value }}: {% endif -%}<|vision_start|><|image_pad|><|vision_end|>{%- elif 'text' in content "
    "%}{{- content.text }}{%- endif %}{%- endfor %}{%- endif %}{{- '<|im_end|>\\n' }}{%- elif message.role "
    "== "
    "'assistant' %}{{- '<|im_start|>' + message.role + '\\n' }}{%- if message.content is string %}{{- "
    "message.content }}{%- else %}{%- for content in message.content %}{%- if 'text' in content %}{{- "
    "content.text }}{%- endif %}{%- endfor %}{%- endif %}{{- '<|im_end|>\\n' }}{%- endif %}{%- endfor %}{%- "
    "if "
    "add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"};

const PublishedTemplate kSmolVlmTemplate = {
    "SmolVLM",
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}{% if "
    "message['content'][0]['type'] "
    "== 'image' %}{{':'}}{% else %}{{': '}}{% endif %}{% for line in message['content'] %}{% if line['type'] "
    "== 'text' %}{{line['text']}}{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor "
    "%}<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"};

const PublishedTemplate kGemma3Template = {
    "Gemma 3",
    "{{ bos_token }}\n{%- if messages[0]['role'] == 'system' -%}\n"
    "{%- if messages[0]['content'] is string -%}\n"
    "{%- set first_user_prefix = messages[0]['content'] + '\\n\\n' -%}\n{%- else -%}\n"
    "{%- set first_user_prefix = messages[0]['content'][0]['text'] + '\\n\\n' -%}\n{%- endif -%}\n"
    "{%- set loop_messages = messages[1:] -%}\n{%- else -%}\n{%- set first_user_prefix = \"\" -%}\n"
    "{%- set loop_messages = messages -%}\n{%- endif -%}\n{%- for message in loop_messages -%}\n"
    "{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}\n"
    "{{ raise_exception(\"Conversation roles must alternate user/assistant/user/assistant/...\") "
    "}}\n{%- endif -%}\n{%- if (message['role'] == 'assistant') -%}\n{%- set role = \"model\" -%}\n"
    "{%- else -%}\n{%- set role = message['role'] -%}\n{%- endif -%}\n"
    "{{ '<start_of_turn>' + role + '\\n' + (first_user_prefix if loop.first else \"\") }}\n"
    "{%- if message['content'] is string -%}\n{{ message['content'] | trim }}\n"
    "{%- elif message['content'] is iterable -%}\n{%- for item in message['content'] -%}\n"
    "{%- if item['type'] == 'image' -%}\n{{ '<start_of_image>' }}\n"
    "{%- elif item['type'] == 'text' -%}\n{{ item['text'] | trim }}\n{%- endif -%}\n{%- endfor -%}\n"
    "{%- else -%}\n{{ raise_exception(\"Invalid content type\") }}\n{%- endif -%}\n"
    "{{ '<end_of_turn>\\n' }}\n{%- endfor -%}\n{%- if add_generation_prompt -%}\n"
    "{{ '<start_of_turn>model\\n' }}\n{%- endif -%}\n"};

const PublishedTemplate kInternVlTemplate = {
    "InternVL 3",
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n'}}{% if message['content'] is "
    "string "
    "%}{{ message['content'] }}{% else %}{% for content in message['content'] %}{% if content['type'] == "
    "'image' "
    "%}{{ '<IMG_CONTEXT>\n' }}{% elif content['type'] == 'video' %}{{ '<video>\n' }}{% elif content['type'] "
    "== "
    "'text' %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}{{'<|im_end|>\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{'<|im_start|>assistant\n' }}{% endif %}"};

}  // namespace hijack
