#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/error.h"
#include "src/base/nearest.h"

namespace hijack {

/// The one table of what can be chosen by name: optimizers, defenses, families. A row is a struct with a
/// member `name`, which a text can be made of; names are unique.
template <class Row>
class Registry {
 public:
  /// what: the kind of things in it, for messages ("optimizer").
  Registry(std::string what, std::initializer_list<Row> rows) : what_(std::move(what)), rows_(rows) {}

  /// nullptr where no row has this name.
  const Row* find(std::string_view name) const {
    for (const Row& row : rows_)
      if (name == row.name) return &row;
    return nullptr;
  }

  /// Throws Error that names the nearest known one.
  const Row& at(std::string_view name) const {
    if (const Row* found = find(name)) return *found;
    throw Error(unknown_name(what_, name, names()));
  }

  /// In the order of the table.
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const Row& row : rows_) all.emplace_back(row.name);
    return all;
  }

  /// Of the first row whose `member` is `value`; empty where there is none.
  template <class Value>
  std::string name_of(Value Row::*member, const Value& value) const {
    for (const Row& row : rows_)
      if (row.*member == value) return row.name;
    return {};
  }

  auto begin() const { return rows_.begin(); }
  auto end() const { return rows_.end(); }

 private:
  std::string what_;
  std::vector<Row> rows_;
};

}  // namespace hijack
