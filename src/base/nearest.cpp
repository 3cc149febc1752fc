#include "src/base/nearest.h"

#include <algorithm>
#include <numeric>
#include <vector>

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

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

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
