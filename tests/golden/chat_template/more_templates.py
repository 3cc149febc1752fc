"""The second half of templates.py: Gemma to DeepSeek, and what tries the interpreter."""

TEXT_OF = """{%- macro text_of(content) -%}
{%- if content is string -%}{{ content }}
{%- else -%}
{%- for part in content -%}
{%- if part.type == 'text' -%}{{ part.text }}{%- elif part.type == 'image' -%}<image>{%- endif -%}
{%- endfor -%}
{%- endif -%}
{%- endmacro -%}
"""

MORE_TEMPLATES = {
    "gemma": "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
             "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
             "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
             "{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}"
             "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
             "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}",
    "gemma3": """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '\\n\\n' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '\\n\\n' -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}
    {%- endif -%}
    {%- if (message['role'] == 'assistant') -%}
        {%- set role = "model" -%}
    {%- else -%}
        {%- set role = message['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '\\n' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'image' -%}
                {{ '<start_of_image>' }}
            {%- elif item['type'] == 'text' -%}
                {{ item['text'] | trim }}
            {%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("Invalid content type") }}
    {%- endif -%}
    {{ '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{ '<start_of_turn>model\\n' }}
{%- endif -%}
""",
    "smolvlm": "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}{% if message['content'][0]['type'] == 'image' %}"
               "{{':'}}{% else %}{{': '}}{% endif %}{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
               "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
               "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}",
    "idefics2": "{% for message in messages %}{{message['role'].capitalize()}}{% if message['content'][0]['type'] == 'image' %}{{':'}}"
                "{% else %}{{': '}}{% endif %}{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
                "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
                "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}",
    "smollm2": "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a "
               "helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}"
               "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
               "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "internvl": "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n'}}{% if message['content'] is string %}"
                "{{ message['content'] }}{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' %}"
                "{{ '<IMG_CONTEXT>\n' }}{% elif content['type'] == 'video' %}{{ '<video>\n' }}{% elif content['type'] == 'text' %}"
                "{{ content['text'] }}{% endif %}{% endfor %}{% endif %}{{'<|im_end|>\n'}}{% endfor %}"
                "{% if add_generation_prompt %}{{'<|im_start|>assistant\n' }}{% endif %}",
    "granite": """{%- if tools %}
{{- '<|start_of_role|>available_tools<|end_of_role|>' }}
{%- for tool in tools %}{{- tool | tojson(indent=4) }}{%- endfor %}
{%- endif %}
{%- for message in messages %}
    {%- if message['role'] == 'system' %}
    {{- '<|start_of_role|>system<|end_of_role|>' + message['content'] + '<|end_of_text|>\\n' }}
    {%- elif message['role'] == 'user' %}
    {{- '<|start_of_role|>user<|end_of_role|>' + message['content'] + '<|end_of_text|>\\n' }}
    {%- elif message['role'] == 'assistant' %}
    {{- '<|start_of_role|>assistant<|end_of_role|>'  + message['content'] + '<|end_of_text|>\\n' }}
    {%- endif %}
    {%- if loop.last and add_generation_prompt %}
    {{- '<|start_of_role|>assistant<|end_of_role|>' }}
    {%- endif %}
{%- endfor %}""",
    "granite-dated": """{%- if messages[0]['role'] == 'system' %}{%- set system_message = messages[0]['content'] %}{%- set loop_messages = messages[1:] %}
{%- else %}{%- set system_message = "Knowledge Cutoff Date: April 2024.\\nYou are Granite, developed by IBM." %}
{%- if tools and documents %}{%- set system_message = system_message + " With tools." %}{%- elif documents %}{%- set system_message = system_message + " With documents." %}
{%- else %}{%- set system_message = system_message + " You are a helpful AI assistant." %}{%- endif %}
{%- if controls and 'citations' in controls %}{%- set system_message = system_message + '\\n\\nCite.' %}{%- endif %}
{%- set system_message = system_message + '<|end_of_text|>\\n' %}{%- set loop_messages = messages %}{%- endif %}
{{- '<|start_of_role|>system<|end_of_role|>' + system_message }}
{%- for message in loop_messages %}
{{- '<|start_of_role|>' + message['role'] + '<|end_of_role|>' + message['content'] + '<|end_of_text|>\\n' }}
{%- if loop.last and add_generation_prompt %}{{- '<|start_of_role|>assistant' }}{%- if controls %}{{- ' ' + controls | tojson() }}{%- endif %}{{- '<|end_of_role|>' }}{%- endif %}
{%- endfor %}""",
    "granite-vision": "{%- if messages[0]['role'] == 'system' %}{%- set loop_messages = messages[1:] %}{%- set s = messages[0]['content'] %}"
                      "{%- else %}{%- set loop_messages = messages %}{%- set s = 'A chat between a curious user and an AI assistant.' %}"
                      "{%- endif %}{{- '<|system|>\n' }}{% if s is string %}{{ s }}{% else %}{{ s[0].text }}{% endif %}{{- '\n' }}"
                      "{%- for message in loop_messages %}{{ '<|' ~ message.role ~ '|>\n' }}{%- if message.content is string %}"
                      "{{- message.content }}{%- else %}{%- for c in message.content %}{{- '<image>\n' if c.type == 'image' else c.text }}"
                      "{%- endfor %}{%- endif %}{{- '\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|assistant|>\n' }}{%- endif %}",
    "phi3": "{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\n' + message['content'] + '<|end|>\n'}}"
            "{% elif message['role'] == 'user' %}{{'<|user|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'assistant' %}"
            "{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}{% if add_generation_prompt %}"
            "{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}",
    "phi4-mini": "{% for message in messages %}{% if message['role'] == 'system' and 'tools' in message and message['tools'] is not none %}"
                 "{{ '<|' + message['role'] + '|>' + message['content'] + '<|tool|>' + message['tools'] + '<|/tool|>' + '<|end|>' }}"
                 "{% else %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endif %}{% endfor %}"
                 "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}",
    "phi-3.5-vision": "{% for message in messages %}{{'<|' + message['role'] + '|>' + '\n'}}{% if message['content'] is string %}"
                      "{{ message['content'] }}{% else %}{% set images = message['content'] | selectattr('type', 'eq', 'image') | list %}"
                      "{% for image in images %}{{ '<|image_' ~ loop.index ~ '|>\n' }}{% endfor %}"
                      "{{ message['content'] | selectattr('text', 'defined') | map(attribute='text') | join('\n') }}{% endif %}"
                      "{{ '<|end|>\n' }}{% endfor %}{% if add_generation_prompt and messages[-1]['role'] != 'assistant' %}"
                      "{{- '<|assistant|>\n' -}}{% endif %}",
    "deepseek-v2": "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{{ bos_token }}"
                   "{% for message in messages %}{% if message['role'] == 'user' %}{{ 'User: ' + message['content'] + '\n\n' }}"
                   "{% elif message['role'] == 'assistant' %}{{ 'Assistant: ' + message['content'] + eos_token }}"
                   "{% elif message['role'] == 'system' %}{{ message['content'] + '\n\n' }}{% endif %}{% endfor %}"
                   "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}",
    "deepseek-r1": "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}"
                   "{% set ns = namespace(is_first=false, is_tool=false, is_output_first=true, system_prompt='') %}"
                   "{%- for message in messages %}{%- if message['role'] == 'system' %}{% set ns.system_prompt = message['content'] %}"
                   "{%- endif %}{%- endfor %}{{bos_token}}{{ns.system_prompt}}{%- for message in messages %}"
                   "{%- if message['role'] == 'user' %}{%- set ns.is_tool = false -%}{{'<｜User｜>' + message['content']}}{%- endif %}"
                   "{%- if message['role'] == 'assistant' and message['content'] is not none %}{% set content = message['content'] %}"
                   "{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}"
                   "{{'<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>'}}{%- endif %}{%- endfor -%}"
                   "{% if add_generation_prompt and not ns.is_tool %}{{'<｜Assistant｜><think>\\n'}}{% endif %}",
    "human": "{% for message in messages %}{% if message['role'] == 'system' %}{{ message['content'] }}\n\n"
             "{% elif message['role'] == 'user' %}### Human: {{ message['content'] }}\n{% else %}### Assistant: {{ message['content'] }}\n"
             "{% endif %}{% endfor %}{% if add_generation_prompt %}### Assistant:{% endif %}",
    "human-parts": TEXT_OF + "{%- set names = {'user': 'Human', 'assistant': 'Assistant', 'system': 'System'} -%}\n"
                   "{%- for message in messages %}\n### {{ names[message.role] }}: {{ text_of(message.content) }}\n{%- endfor %}\n"
                   "{%- if add_generation_prompt %}{{ '\n### ' ~ names['assistant'] ~ ':' }}{% endif %}",
    "alpaca": "{% for message in messages %}{% if message['role'] == 'user' %}{{ '### Instruction:\n' + message['content'].strip() + '\n\n' }}"
              "{% elif message['role'] == 'assistant' %}{{ '### Response:\n' + message['content'].strip() + '\n\n' }}{% else %}"
              "{{ message['content'].strip() + '\n\n' }}{% endif %}{% if loop.last and add_generation_prompt %}{{ '### Response:\n' }}"
              "{% endif %}{% endfor %}",
    "zephyr": "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token }}\n"
              "{% elif message['role'] == 'system' %}\n{{ '<|system|>\n' + message['content'] + eos_token }}\n"
              "{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n"
              "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}",
    "command-r": """{{ bos_token }}{%- if messages[0]['role'] == 'system' -%}{%- set loop_messages = messages[1:] -%}{%- set system_message = messages[0]['content'] -%}
{%- elif use_default is sameas true -%}{%- set system_message = 'Default.' -%}{%- else -%}{%- set loop_messages = messages -%}{%- set system_message = false -%}{%- endif -%}
{% if system_message != false -%}
    {{ '<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>' + system_message + '<|END_OF_TURN_TOKEN|>' }}
{%- endif -%}
{% for message in loop_messages -%}
    {% set content = message['content'] -%}
    {% if message['role'] == 'user' -%}
        {{ '<|START_OF_TURN_TOKEN|><|USER_TOKEN|>' + content.strip() + '<|END_OF_TURN_TOKEN|>' }}
    {%- elif message['role'] == 'assistant' -%}
        {{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>'  + content.strip() + '<|END_OF_TURN_TOKEN|>' }}
    {%- endif %}
{%- endfor %}{% if add_generation_prompt %}{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{% endif %}""",
    "break-continue": TEXT_OF + "{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}{% if loop.index > 3 %}"
                      "{{ '...' }}{% break %}{% endif %}{{ loop.index ~ '/' ~ loop.length }} {{ m.role | title }}: "
                      "{{ text_of(m.content) | replace('\n', ' ') | trim }}\n{% else %}none{% endfor %}",
    "json": "{% for m in messages %}{{ m | tojson }}\n{% endfor %}{{ messages[0] | tojson(indent=2) }}{{ {'role': 'assistant'} | tojson }}",
    "reprs": "{% for m in messages %}{{ m.items() | list }}{{ [m.role, loop.first, loop.index / 2, 7 // 2, -7 % 3, none] }}\n{% endfor %}",
    "set-block": TEXT_OF + "{% set head %}  Dialog of {{ messages | length }} messages {% endset %}{{ head | trim }}\n"
                 "{% for m in messages %}{% set line %}{{ m['role'] }}> {{ text_of(m['content']) }}{% endset %}"
                 "{{ line | indent(2, first=true) }}\n{% endfor %}{% filter upper %}assistant>{% endfilter %}",
    "with-defaults": "{% macro turn(role, text='', end='</s>') %}<{{ role }}>{{ text }}{{ end }}{% endmacro %}{% with first = messages[0] %}"
                     "{% if first.role == 'system' %}{{ turn('sys', first.content, end='') }}{% endif %}{% endwith %}"
                     "{% for m in messages if m.role != 'system' %}{{ turn(m.role[:1] | upper, m.content | default('-', true)) }}"
                     "{% endfor %}{{ turn('A', end='') }}",
    "plus-signs": "{%+ for m in messages +%}\n   {%+ if m.role == 'user' %}\n  U {{ m.content }}\n   {% else %}\n  O {{ m.content -}}   \n"
                  "   {% endif %}\n  {# a comment #}\n{% endfor %}\n\n",
    "raw": "{% raw %}{{ kept }}{% endraw %}{% for m in messages %}{{ {'user': 'Q', 'assistant': 'A'}.get(m.role, 'S') }}={{ m.content }};"
           "{% endfor %}",
}
