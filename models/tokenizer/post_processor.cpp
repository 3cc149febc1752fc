#include "models/tokenizer/post_processor.h"

#include "src/base/error.h"
#include "src/base/unicode.h"

namespace hijack::tokenizer {
namespace {

using json_reader::Json;

struct PostProcessorSequence : PostProcessor {
  std::vector<std::shared_ptr<const PostProcessor>> parts;
  Encoding process(Encoding encoding, bool add_special_tokens) const override {
    for (const auto& part : parts) encoding = part->process(std::move(encoding), add_special_tokens);
    return encoding;
  }
};

struct Template : PostProcessor {
  struct Part {
    bool is_text = false;
    TokenIds ids;  // of a special token
  };
  std::vector<Part> parts;

  Encoding process(Encoding encoding, bool add_special_tokens) const override {
    Encoding result;
    for (const Part& part : parts) {
      if (!part.is_text && !add_special_tokens) continue;
      const TokenIds& ids = part.is_text ? encoding.ids : part.ids;
      result.ids.insert(result.ids.end(), ids.begin(), ids.end());
      if (part.is_text)
        result.offsets.insert(result.offsets.end(), encoding.offsets.begin(), encoding.offsets.end());
      else
        result.offsets.insert(result.offsets.end(), ids.size(), {0, 0});
    }
    return result;
  }
};

TokenIds special_ids(const Json& component, const std::string& name,
                     const std::function<bool(uint32_t)>& is_known, const std::string& where) {
  const Json& specials = json_reader::member(component, "special_tokens", where);
  if (!specials.is_object() || !specials.contains(name))
    throw Error(where + ": the template's '" + unicode::excerpt(name) + "' is not in its special_tokens");
  TokenIds ids;
  for (const Json& id : json_reader::array(specials[name], "ids", where)) {
    ids.push_back(json_reader::token_id(id, where));
    if (!is_known(static_cast<uint32_t>(ids.back())))
      throw Error(where + ": the template's id " + std::to_string(ids.back()) + " is in no vocabulary");
  }
  return ids;
}

std::shared_ptr<const PostProcessor> make_template(const Json& component,
                                                   const std::function<bool(uint32_t)>& is_known,
                                                   const std::string& where) {
  auto result = std::make_shared<Template>();
  const Json& parts = json_reader::array(component, "single", where);
  constexpr size_t kParts = 64;  // few have more than three; many, nested, would blow a text up
  if (parts.size() > kParts) throw Error(where + ": a template of more than 64 parts");
  for (const Json& part : parts) {
    if (part.is_object() && part.contains("Sequence")) {
      if (json_reader::text(part["Sequence"], "id", where) != "A")
        throw Error(where + ": the template of a single text uses a second one");
      for (const Template::Part& other : result->parts)
        if (other.is_text) json_reader::unsupported("TemplateProcessing that repeats its text", where);
      result->parts.push_back({true, {}});
    } else {
      const std::string name =
          json_reader::text(json_reader::member(part, "SpecialToken", where), "id", where);
      result->parts.push_back({false, special_ids(component, name, is_known, where)});
    }
  }
  return result;
}

/// CLIP's: a begin token, the text, an end token.
std::shared_ptr<const PostProcessor> make_roberta(const Json& component,
                                                  const std::function<bool(uint32_t)>& is_known,
                                                  const std::string& where) {
  const auto id = [&](const char* key) {
    const Json& pair = json_reader::array(component, key, where);
    if (pair.size() != 2) throw Error(where + ": '" + key + "' must be a token and its id");
    const uint32_t found = json_reader::token_id(pair[1], where);
    if (!is_known(found))
      throw Error(where + ": the id " + std::to_string(found) + " of '" + key + "' is in no vocabulary");
    return TokenIds{static_cast<TokenId>(found)};
  };
  if (json_reader::flag(component, "add_prefix_space", where))
    json_reader::unsupported("RobertaProcessing with add_prefix_space", where);
  auto result = std::make_shared<Template>();
  result->parts = {{false, id("cls")}, {true, {}}, {false, id("sep")}};
  return result;
}

}  // namespace

std::shared_ptr<const PostProcessor> make_post_processor(const Json& component,
                                                         const std::function<bool(uint32_t)>& is_known,
                                                         const std::string& where) {
  auto sequence = std::make_shared<PostProcessorSequence>();
  if (component.is_null()) return sequence;
  const std::string type = json_reader::type_of(component, where);
  if (type == "ByteLevel") return sequence;
  if (type == "RobertaProcessing") return make_roberta(component, is_known, where);
  if (type == "TemplateProcessing") return make_template(component, is_known, where);
  if (type != "Sequence") json_reader::unsupported(type, where);
  for (const Json& part : json_reader::array(component, "processors", where))
    sequence->parts.push_back(make_post_processor(part, is_known, where));
  return sequence;
}

}  // namespace hijack::tokenizer
