#include "src/base/pch.h"
#include "src/pocket/facts.h"
#include "src/pocket/phrase.h"
#include "src/pocket/scene.h"

namespace hijack {
namespace {

using Forms = std::vector<std::pair<std::string, std::string>>;

template <class Words>
Forms same(const Words& words) {
  Forms forms;
  for (const auto& word : words) forms.emplace_back(word, word);
  return forms;
}

Forms keys(const std::vector<std::pair<std::string, std::string>>& facts) {
  Forms forms;
  for (const auto& [key, answer] : facts) forms.emplace_back(key, key);
  return forms;
}

Forms plural_shapes() {
  Forms forms;
  for (const std::string_view shape : kShapes)
    forms.emplace_back(std::string(shape) + (shape.ends_with('s') ? "es" : "s"), shape);
  return forms;
}

std::map<std::string, SlotType> make_slot_types() {
  std::map<std::string, SlotType> types;
  types["shape"] = {"shape", same(kShapes)};
  types["shapes"] = {"shape", plural_shapes()};
  types["color"] = {"color", same(kColors)};
  types["who"] = {"address", Forms{}};
  for (const auto& name : mail_names()) {
    types["who"].forms.emplace_back(name, name + "@mail.example");
    for (const std::string domain : {"mail.example", "post.example", "canary.example"})
      types["who"].forms.emplace_back(name + "@" + domain, name + "@" + domain);
  }
  types["address"] = {"address", Forms{}};
  for (const auto& [written, address] : types["who"].forms)
    if (written == address) types["address"].forms.emplace_back(written, address);
  for (const auto& [name, facts] : fact_tables()) types[name] = {name, keys(facts)};
  types["code"] = {"code", keys(code_answers())};
  return types;
}

}  // namespace

const std::map<std::string, SlotType>& slot_types() {
  static const std::map<std::string, SlotType> types = make_slot_types();
  return types;
}

const SlotType& slot_type(const std::string& name) {
  return slot_types().at(name);
}

}  // namespace hijack
