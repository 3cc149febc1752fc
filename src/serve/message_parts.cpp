#include "src/serve/message_parts.h"

#include <algorithm>

#include "src/base/base64.h"
#include "src/base/decode_image.h"
#include "src/base/image_header.h"
#include "src/base/unicode.h"
#include "src/serve/request_error.h"

namespace hijack {
namespace {

using nlohmann::json;

std::string place(size_t message) {
  return "messages[" + std::to_string(message) + "]";
}

const json& member(const json& object, const char* name, const std::string& where) {
  if (!object.is_object()) throw RequestError(where + " must be an object.", where);
  const auto found = object.find(name);
  if (found == object.end()) throw RequestError(where + " has no '" + name + "'.", where);
  return *found;
}

std::string text_member(const json& object, const char* name, const std::string& where) {
  const json& value = member(object, name, where);
  if (!value.is_string()) throw RequestError(where + "." + name + " must be a text.", where + "." + name);
  return value.get<std::string>();
}

/// The picture of a data: URL. Throws RequestError.
Tensor image_of_url(const std::string& url, const std::string& where, const ServeLimits& limits) {
  constexpr std::string_view kData = "data:", kBase64 = ";base64,";
  if (!url.starts_with(kData))
    throw RequestError(
        where + " must be a data: URL (data:image/png;base64,...): this server fetches nothing.", where);
  const size_t marker = std::min(url.find(kBase64), url.size());
  const std::string type = url.substr(kData.size(), std::min<size_t>(marker, 64) - kData.size());
  if (marker == url.size() || !(type == "image/png" || type == "image/jpeg" || type == "image/jpg"))
    throw RequestError(where + " must begin with data:image/png;base64, or data:image/jpeg;base64,.", where);
  const auto bytes = base64_decoded(std::string_view(url).substr(marker + kBase64.size()));
  if (!bytes) throw RequestError(where + " is not base64.", where);
  try {
    const ImageFormat format = read_image_header(*bytes, where).format;
    if (format != ImageFormat::kPng && format != ImageFormat::kJpeg)
      throw Error(where + " is neither a PNG nor a JPEG file");
    return decode_image(*bytes, where,
                        {limits.max_request_bytes, limits.max_image_side, limits.max_image_pixels});
  } catch (const Error& error) {
    throw RequestError(error.what(), where);
  }
}

void add_part(ChatMessage& message, const json& part, const std::string& where, const ServeLimits& limits) {
  const std::string type = text_member(part, "type", where);
  if (type == "text") {
    message.text += text_member(part, "text", where);
  } else if (type == "image_url") {
    if (message.role != "user") throw RequestError(where + ": only users show pictures.", where);
    const json& url = member(part, "image_url", where);
    const std::string inside = where + ".image_url";
    message.images.push_back(image_of_url(
        url.is_string() ? url.get<std::string>() : text_member(url, "url", inside), inside, limits));
  } else {
    throw RequestError(
        where + ": the type '" + unicode::excerpt(type) + "' is not read; text and image_url are.",
        where + ".type");
  }
}

ChatMessage read_message(const json& json_message, const std::string& where, const ServeLimits& limits) {
  ChatMessage message{.role = text_member(json_message, "role", where), .text = {}, .images = {}};
  if (message.role == "developer") message.role = "system";
  if (message.role != "system" && message.role != "user" && message.role != "assistant")
    throw RequestError(
        where + ".role must be system, user or assistant, not '" + unicode::excerpt(message.role) + "'.",
        where + ".role");
  const json& content = member(json_message, "content", where);
  const std::string inside = where + ".content";
  if (content.is_string()) {
    message.text = content.get<std::string>();
  } else if (content.is_array()) {
    for (size_t i = 0; i < content.size(); ++i)
      add_part(message, content[i], inside + "[" + std::to_string(i) + "]", limits);
  } else {
    throw RequestError(inside + " must be a text or a list of parts.", inside);
  }
  return message;
}

}  // namespace

std::vector<ChatMessage> read_messages(const json& messages, const ServeLimits& limits) {
  if (!messages.is_array() || messages.empty())
    throw RequestError("messages must be a list of at least one message.", "messages");
  if (messages.size() > limits.max_messages)
    throw RequestError("messages has " + std::to_string(messages.size()) +
                           " messages, more than the limit of " + std::to_string(limits.max_messages) + ".",
                       "messages");
  std::vector<ChatMessage> all;
  for (size_t i = 0; i < messages.size(); ++i) all.push_back(read_message(messages[i], place(i), limits));
  return all;
}

}  // namespace hijack
