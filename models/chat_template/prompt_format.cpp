#include "models/chat_template/prompt_format.h"
#include "src/base/text.h"

namespace hijack {

std::string render_llava(const Query& query, bool with_image) {
  std::string text;
  if (!query.system.empty()) text += query.system + " ";
  bool image = with_image;
  const auto user = [&](const std::string& prompt) {
    text += "USER: ";
    if (image) text += "<image>\n";
    image = false;
    text += prompt + " ";
  };
  for (const auto& turn : query.earlier) {
    user(turn.user);
    text += "ASSISTANT: " + turn.assistant + " ";
  }
  user(query.prompt);
  return text + "ASSISTANT:";
}

std::string render_idefics3(const Query& query, bool with_image) {
  const std::string end = "<end_of_utterance>\n";
  std::string text;
  if (!query.system.empty()) text += "System: " + query.system + end;
  bool image = with_image;
  const auto user = [&](const std::string& prompt) {
    text += (image ? "User:<image>" : "User: ") + prompt + end;
    image = false;
  };
  for (const auto& turn : query.earlier) {
    user(turn.user);
    text += "Assistant: " + turn.assistant + end;
  }
  user(query.prompt);
  return text + "Assistant:";
}

std::string render_llava_onevision(const Query& query, bool with_image) {
  std::string text;
  const auto turn = [&](const char* role, const std::string& content) {
    text += std::string("<|im_start|>") + role + " " + content + "<|im_end|>";
  };
  if (!query.system.empty()) turn("system", "\n" + query.system);
  bool image = with_image;
  const auto user = [&](const std::string& prompt) {
    turn("user", (image ? "<image>\n" : "\n") + prompt);
    image = false;
  };
  for (const auto& earlier : query.earlier) {
    user(earlier.user);
    turn("assistant", "\n" + earlier.assistant);
  }
  user(query.prompt);
  return text + "<|im_start|>assistant\n";
}

std::string render_chatml(const Query& query, const std::string& system, const std::string& image) {
  std::string text;
  const auto turn = [&](const char* role, const std::string& content) {
    text += std::string("<|im_start|>") + role + "\n" + content + "<|im_end|>\n";
  };
  const std::string& chosen = query.system.empty() ? system : query.system;
  if (!chosen.empty()) turn("system", chosen);
  bool first = true;
  const auto user = [&](const std::string& prompt) {
    turn("user", (first ? image : "") + prompt);
    first = false;
  };
  for (const auto& earlier : query.earlier) {
    user(earlier.user);
    turn("assistant", earlier.assistant);
  }
  user(query.prompt);
  return text + "<|im_start|>assistant\n";
}

std::string default_system(std::string_view chat_template) {
  constexpr std::string_view kBegin = "<|im_start|>system", kEnd = "<|im_end|>";
  for (size_t at = chat_template.find(kBegin); at != chat_template.npos;
       at = chat_template.find(kBegin, at + 1)) {
    std::string_view rest = chat_template.substr(at + kBegin.size());
    // the template's own text, or a string literal of its language
    if (rest.starts_with("\\n"))
      rest.remove_prefix(2);
    else if (rest.starts_with("\n"))
      rest.remove_prefix(1);
    else
      continue;
    const size_t end = rest.find(kEnd);
    if (end == rest.npos) break;
    const std::string_view found = rest.substr(0, end);
    // an expression, not a text
    if (found.empty() || found.find_first_of("{}+\\") != found.npos) continue;
    return std::string(found);
  }
  return "";
}

std::string render_gemma(const Query& query) {
  std::string text, before = query.system.empty() ? "" : query.system + "\n\n";
  const auto turn = [&](const char* role, const std::string& content) {
    text += std::string("<start_of_turn>") + role + "\n" + strip(content) + "<end_of_turn>\n";
  };
  for (const auto& earlier : query.earlier) {
    turn("user", before + earlier.user);
    turn("model", earlier.assistant);
    before.clear();
  }
  turn("user", before + query.prompt);
  return text + "<start_of_turn>model\n";
}

std::string render_llama3(const Query& query, bool dated) {
  // the date that the templates fall back to: a prompt must not depend on the day
  const std::string dates = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";
  std::string text;
  const auto header = [&](const char* role) {
    text += std::string("<|start_header_id|>") + role + "<|end_header_id|>\n\n";
  };
  const auto turn = [&](const char* role, const std::string& content) {
    header(role);
    text += content + "<|eot_id|>";
  };
  const std::string system = strip(query.system);
  if (dated || !query.system.empty()) turn("system", (dated ? dates : "") + system);
  for (const auto& earlier : query.earlier) {
    turn("user", strip(earlier.user));
    turn("assistant", strip(earlier.assistant));
  }
  turn("user", strip(query.prompt));
  header("assistant");
  return text;
}

std::string render_plain(const Query& query) {
  std::string text;
  if (!query.system.empty()) text += query.system + "\n";
  for (const auto& earlier : query.earlier) text += earlier.user + "\n" + earlier.assistant + "\n";
  return text + query.prompt;
}

}  // namespace hijack
