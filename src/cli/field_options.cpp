#include "src/cli/field_options.h"

#include "src/cli/help.h"
#include "src/cli/values.h"

namespace hijack::cli {
namespace {

bool is_list(const Field& field) {
  return field.each || std::holds_alternative<std::vector<std::string>*>(field.value) ||
         std::holds_alternative<std::vector<uint64_t>*>(field.value);
}

CLI::Option* add_option(CLI::App& command, const Field& field) {
  const std::string flag = flag_name(field.name);
  if (std::holds_alternative<bool*>(field.value)) return command.add_flag(flag, field.help);
  CLI::Option* option = command.add_option(flag, CLI::callback_t(), field.help);
  const std::string type = type_of_flag(flag);
  option->type_name(type.empty() ? type_text(field) : type)->default_str(value_text(field));
  if (is_list(field))
    option->expected(1, CLI::detail::expected_max_vector_size)
        ->allow_extra_args()
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  else
    option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  return option;
}

}  // namespace

FieldOptions::FieldOptions(CLI::App& command, Fields fields, const std::set<std::string>& common)
    : fields_(std::move(fields)) {
  for (const Field& field : fields_) {
    options_.push_back(add_option(command, field));
    if (field.group.empty()) continue;
    const bool rare = !common.empty() && !common.contains(field.name);
    options_.back()->group(rare ? rare_group(field.group) : field.group);
  }
}

std::set<std::string> FieldOptions::apply() const {
  std::set<std::string> given;
  for (size_t i = 0; i < fields_.size(); ++i) {
    if (options_[i]->count() == 0) continue;
    set_field(fields_[i], options_[i]->results());
    given.insert(fields_[i].name);
  }
  return given;
}

}  // namespace hijack::cli
