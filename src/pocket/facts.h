#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

// The closed sets of facts the pocket model is taught.

namespace hijack {

using Facts = std::vector<std::pair<std::string, std::string>>;

/// Slot name (country, opposite, animal, thing, single) -> (what is asked about, answer).
const std::map<std::string, Facts>& fact_tables();
/// Code name -> the whole answer; "secret" has the refusal.
const Facts& code_answers();
const std::vector<std::string>& mail_names();

}  // namespace hijack
