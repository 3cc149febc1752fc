#include "src/base/nearest.h"

#include <algorithm>
#include <numeric>
#include <vector>
#include "src/base/text.h"

namespace hijack {
namespace {

constexpr size_t kLongestName = 256;  // names come from the command line and from files: bound the work

std::string lower_case(std::string_view text) {
  std::string result(text.substr(0, kLongestName));
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

std::string list_of(std::span<const std::string> names) {
  std::string result;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) result += i + 1 == names.size() ? " and " : ", ";
    result += names[i];
  }
  return result;
}

}  // namespace

std::string nearest(std::string_view name, std::span<const std::string> known) {
  const std::string wanted = lower_case(name);
  std::string best;
  size_t best_distance = std::max<size_t>(1, wanted.size() / 2) + 1;
  for (const std::string& candidate : known) {
    const size_t distance = edit_distance(wanted, lower_case(candidate));
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string unknown_name(std::string_view what, std::string_view name, std::span<const std::string> known) {
  const std::string meant = nearest(name, known);
  std::string result =
      "there is no " + std::string(what) + " '" + std::string(name.substr(0, kLongestName)) + "'";
  result += meant.empty() ? ". " : ": did you mean '" + meant + "'? ";
  return result + (known.size() == 1 ? "Known is " : "Known are ") + list_of(known) + ".";
}

}  // namespace hijack
