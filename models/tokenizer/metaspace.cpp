#include "models/tokenizer/metaspace.h"

#include "src/base/error.h"

namespace hijack::tokenizer {

Metaspace make_metaspace(const nlohmann::json& component, const std::string& where) {
  Metaspace options;
  options.replacement = json_reader::character(component, "replacement", where);
  options.split = json_reader::flag(component, "split", true, where);
  const std::string scheme =
      component.contains("prepend_scheme") ? json_reader::text(component, "prepend_scheme", where) : "always";
  if (scheme == "first")
    options.scheme = Metaspace::Scheme::first;
  else if (scheme == "never")
    options.scheme = Metaspace::Scheme::never;
  else if (scheme != "always")
    json_reader::unsupported("Metaspace with prepend_scheme '" + scheme + "'", where);
  // Without prepend_scheme, add_prefix_space = false is refused by the tokenizers package too: it contradicts
  // the default "always".
  if (!json_reader::flag(component, "add_prefix_space", true, where) &&
      options.scheme != Metaspace::Scheme::never)
    throw Error(where + ": Metaspace has add_prefix_space = false but prepend_scheme '" + scheme + "'");
  return options;
}

}  // namespace hijack::tokenizer
