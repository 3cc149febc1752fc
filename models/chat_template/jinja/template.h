#pragma once
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace hijack::jinja {

struct Syntax;

/// A chat template in the part of Jinja that they use, as transformers renders it: jinja2's sandbox with
/// trim_blocks, lstrip_blocks, {% generation %}, {% break %} and {% continue %}; tojson that leaves letters
/// as they are; strftime_now, whose day is always 26 July 2024. What is not supported is refused by name,
/// never passed over, and a template that takes more than about a second ends in a sentence, too.
class Template {
 public:
  /// Throws Error.
  explicit Template(std::string_view source);
  /// variables: messages, add_generation_prompt, bos_token and so on. Throws Error, also for what
  /// raise_exception of the template says.
  std::string render(const nlohmann::ordered_json& variables) const;

 private:
  std::shared_ptr<const Syntax> syntax_;
};

}  // namespace hijack::jinja
