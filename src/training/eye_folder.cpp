#include "src/training/eye_folder.h"

#include <array>
#include <nlohmann/json.hpp>

#include "models/chat_template/template_file.h"
#include "models/checkpoint/config_json.h"
#include "models/network/decoder.h"
#include "models/tokenizer.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/json.h"
#include "src/training/pocket_model.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kImage = "<image>";

/// Brings the contents of messages into the one text that templates of text models know: an image becomes the
/// image token on a line of its own.
constexpr const char* kFlatten =
    "{%- set flat = namespace(messages=[]) -%}\n"
    "{%- for message in messages -%}\n"
    "{%- if message['content'] is string -%}\n"
    "{%- set flat.messages = flat.messages + [message] -%}\n"
    "{%- else -%}\n"
    "{%- set body = namespace(text='') -%}\n"
    "{%- for part in message['content'] -%}\n"
    "{%- if part['type'] == 'image' -%}{%- set body.text = body.text + '<image>\\n' -%}\n"
    "{%- else -%}{%- set body.text = body.text + part['text'] -%}{%- endif -%}\n"
    "{%- endfor -%}\n"
    "{%- set flat.messages = flat.messages + [{'role': message['role'], 'content': body.text}] -%}\n"
    "{%- endif -%}\n"
    "{%- endfor -%}\n"
    "{%- set messages = flat.messages -%}\n";

/// Whether config.json or generation_config.json gives this id a meaning (pad_token_id, ...).
bool has_meaning(const fs::path& decoder, int64_t id) {
  for (const char* name : {"config.json", "generation_config.json"}) {
    if (!fs::exists(decoder / name)) continue;
    const json settings = read_json(decoder / name);
    for (const auto& [key, value] : settings.items())
      if (key.ends_with("_token_id") &&
          (value == id || (value.is_array() && std::find(value.begin(), value.end(), id) != value.end())))
        return true;
  }
  return false;
}

std::string free_token(const json& tokenizer, const fs::path& decoder, const std::string& used,
                       const std::string& asked) {
  for (const auto& token : tokenizer.value("added_tokens", json::array())) {
    const std::string content = token.value("content", "");
    const int64_t id = token.value("id", int64_t{0});
    const bool fits = asked.empty() ? token.value("special", false) && id > 0 && !has_meaning(decoder, id) &&
                                          used.find(content) == std::string::npos
                                    : content == asked;
    if (fits) return content;
  }
  throw Error(asked.empty()
                  ? std::string("the decoder's tokenizer.json has no added token that is free to stand for "
                                "the image; name one with --image-token")
                  : "--image-token: the decoder's tokenizer.json has no added token " + asked);
}

/// Gives the token its new name and returns its id.
int64_t rename_token(json& tokenizer, const std::string& from) {
  int64_t id = -1;
  for (auto& token : tokenizer["added_tokens"]) {
    if (token.value("content", "") != from) continue;
    token["content"] = kImage;
    token["special"] = true;
    id = token.at("id").get<int64_t>();
  }
  auto& vocabulary = tokenizer["model"]["vocab"];
  if (vocabulary.is_object() && vocabulary.contains(from)) {
    vocabulary.erase(from);
    vocabulary[kImage] = id;
  }
  if (vocabulary.is_array())  // Unigram's: tokens with their scores
    for (auto& entry : vocabulary)
      if (entry.is_array() && !entry.empty() && entry[0] == from) entry[0] = kImage;
  return id;
}

void check_decoder(const fs::path& decoder) {
  if (decoder.empty()) throw Error("--decoder is missing: the folder of a text decoder");
  const json config = read_json(decoder / "config.json");
  const std::string type = ConfigReader(config, "root").text("model_type", "");
  if (!is_decoder(type))
    throw Error(decoder.string() + " (model_type " + (type.empty() ? "missing" : type) +
                ") is no text decoder that can be loaded; see hijack models --list");
}

json eye_config(const fs::path& decoder, int64_t image_token) {
  json text = read_json(decoder / "config.json");
  const ConfigReader read(text, "root");
  const bool tied = read.flag("tie_word_embeddings", false);
  json config = llava_config_json(eye_vision_config(), image_token);
  config["dtype"] = read.text("dtype", read.text("torch_dtype", "float32"));
  config["tie_word_embeddings"] = tied;
  config["text_config"] = std::move(text);
  return config;
}

TensorMap rounded_eye(const TensorMap& values) {
  TensorMap rounded;
  for (const auto& [name, value] : values) rounded[name] = value.detach().cpu().to(at::kBFloat16);
  add_post_norm(rounded, eye_vision_config().width);
  return rounded;
}

}  // namespace

void prepare_eye_folder(const fs::path& decoder, const std::string& image_token, const fs::path& out) {
  check_decoder(decoder);
  Tokenizer::from_file(decoder / "tokenizer.json");  // whether it is one
  json tokenizer = read_json(decoder / "tokenizer.json");
  json tokenizer_config = read_json(decoder / "tokenizer_config.json");
  if (!tokenizer_config.is_object())
    throw Error((decoder / "tokenizer_config.json").string() + " is not a JSON object");
  const std::string chat = chat_template(decoder).text;
  if (chat.empty())
    throw Error(decoder.string() + " has no chat template; an eye needs a decoder that has one");
  const std::string token = free_token(tokenizer, decoder, tokenizer_config.dump() + chat, image_token);
  create_model_folder(out);
  write_json(out / "config.json", eye_config(decoder, rename_token(tokenizer, token)));
  write_file(out / "tokenizer.json", tokenizer.dump());
  tokenizer_config.erase("chat_template");
  tokenizer_config["image_token"] = kImage;
  tokenizer_config["extra_special_tokens"] = {{"image_token", kImage}};
  tokenizer_config["processor_class"] = "LlavaProcessor";
  write_json(out / "tokenizer_config.json", tokenizer_config);
  write_file(out / "chat_template.jinja", kFlatten + chat);
  if (fs::exists(decoder / "generation_config.json"))
    write_file(out / "generation_config.json", read_file(decoder / "generation_config.json"));
  write_processor_files(out);
}

void write_eye(const TensorMap& values, const fs::path& file) {
  save_safetensors(rounded_eye(values), file, {{"format", "pt"}});
}

void write_eye_weights(const TensorMap& values, const fs::path& decoder, const fs::path& out) {
  const std::string first = "model-00001-of-00002.safetensors", second = "model-00002-of-00002.safetensors";
  const TensorMap eye = rounded_eye(values);
  TensorMap text;
  Weights weights(decoder);
  for (const auto& [name, value] : weights.tensors()) text["language_model." + name] = value;
  json index;
  int64_t bytes = 0;
  for (const auto* part : std::array<const TensorMap*, 2>{&eye, &text})
    for (const auto& [name, value] : *part) {
      index["weight_map"][name] = part == &eye ? first : second;
      bytes += static_cast<int64_t>(value.nbytes());
    }
  index["metadata"] = {{"total_size", bytes}};
  save_safetensors(eye, out / first, {{"format", "pt"}});
  save_safetensors(text, out / second, {{"format", "pt"}});
  write_json(out / "model.safetensors.index.json", index);
}

}  // namespace hijack
