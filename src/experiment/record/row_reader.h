#pragma once
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "src/base/error.h"
#include "src/experiment/record/results.h"

namespace hijack {

/// One JSON object with the place it came from.
class RowReader {
 public:
  RowReader(const nlohmann::json& json, std::string where, std::string prefix = "")
      : json_(json), where_(std::move(where)), prefix_(std::move(prefix)) {
    if (!json_.is_object())
      fail(prefix_.empty() ? "the row" : "field '" + prefix_ + "'", "must be an object");
  }

  const nlohmann::json& at(const char* name) const {
    const auto found = json_.find(name);
    if (found == json_.end()) fail(field(name), "is missing");
    return *found;
  }

  std::string text(const char* name) const {
    const nlohmann::json& value = at(name);
    if (!value.is_string()) fail(field(name), "must be a string");
    return value.get<std::string>();
  }

  bool boolean(const char* name) const {
    const nlohmann::json& value = at(name);
    if (!value.is_boolean()) fail(field(name), "must be true or false");
    return value.get<bool>();
  }

  /// For fields that not every row has.
  std::string text_or_empty(const char* name) const { return json_.contains(name) ? text(name) : ""; }

  double real(const char* name) const { return real(at(name), field(name)); }

  /// For fields that older versions did not write.
  double real_or(const char* name, double otherwise) const {
    return json_.contains(name) ? real(name) : otherwise;
  }

  std::vector<double> reals(const char* name) const {
    std::vector<double> values;
    for (const nlohmann::json& value : array(name)) values.push_back(real(value, field(name)));
    return values;
  }

  int64_t integer(const char* name, int64_t least) const {
    const nlohmann::json& value = at(name);
    const bool too_large =
        value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()};
    if (!value.is_number_integer() || too_large || value.get<int64_t>() < least)
      fail(field(name), "must be a whole number of at least " + std::to_string(least));
    return value.get<int64_t>();
  }

  uint64_t seed(const char* name) const {
    const nlohmann::json& value = at(name);
    if (!value.is_number_unsigned() && !(value.is_number_integer() && value.get<int64_t>() >= 0))
      fail(field(name), "must be a whole number of at least 0");
    return value.get<uint64_t>();
  }

  RowReader object(const char* name) const { return RowReader(at(name), where_, prefix_ + name); }

  const nlohmann::json& array(const char* name) const {
    const nlohmann::json& value = at(name);
    if (!value.is_array()) fail(field(name), "must be an array");
    return value;
  }

  /// A file inside the run folder: a row must not make the report read anything else.
  std::string inner_path(const char* name) const { return inside(text(name), name); }
  /// The same; "" stays so.
  std::string inner_path_or_empty(const char* name) const {
    return text(name).empty() ? std::string() : inner_path(name);
  }

  Tally tally() const {
    const Tally tally{integer("n", 0), integer("exact", 0), integer("contained", 0),
                      json_.contains("draws") ? integer("draws", 1) : 1};
    if (tally.exact > tally.n || tally.substring > tally.n) fail(field("exact"), "must not exceed n");
    return tally;
  }
  Tally tally(const char* name) const { return object(name).tally(); }

  std::map<std::string, Tally> tallies(const char* name) const {
    std::map<std::string, Tally> result;
    const RowReader group = object(name);
    for (const auto& [key, value] : group.json_.items()) {
      result[key] = RowReader(value, where_, prefix_ + name + "." + key).tally();
    }
    return result;
  }

  const nlohmann::json& json() const { return json_; }

  /// {file inside the run folder: text}.
  std::map<std::string, std::string> inner_files() const {
    std::map<std::string, std::string> result;
    for (const auto& [key, value] : json_.items()) result[inside(key, key.c_str())] = text(key.c_str());
    return result;
  }

  RowReader item(const nlohmann::json& value, const char* name, size_t index) const {
    return RowReader(value, where_, prefix_ + name + "[" + std::to_string(index) + "]");
  }

 private:
  std::string inside(const std::filesystem::path& path, const char* name) const {
    const bool climbs = std::find(path.begin(), path.end(), "..") != path.end();
    if (path.is_absolute() || climbs) fail(field(name), "must be a path inside the run folder");
    return path.string();
  }
  std::string field(const char* name) const {
    return "field '" + (prefix_.empty() ? "" : prefix_ + ".") + name + "'";
  }

  /// null stands for a number that was not finite.
  double real(const nlohmann::json& value, const std::string& name) const {
    if (value.is_null()) return std::numeric_limits<double>::quiet_NaN();
    if (!value.is_number()) fail(name, "must be a number or null");
    return value.get<double>();
  }

  [[noreturn]] void fail(const std::string& what, const std::string& problem) const {
    throw Error(where_ + ": " + what + " " + problem +
                "; the file was damaged or written by another version");
  }

  const nlohmann::json& json_;
  std::string where_;
  std::string prefix_;
};

}  // namespace hijack
