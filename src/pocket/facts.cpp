#include "src/pocket/facts.h"

#include "src/base/pch.h"
#include "src/pocket/canary.h"

namespace hijack {
namespace {

std::map<std::string, Facts> make_tables() {
  std::map<std::string, Facts> tables;
  tables["country"] = {{"France", "Paris"}, {"Italy", "Rome"},  {"Spain", "Madrid"},  {"Germany", "Berlin"},
                       {"Japan", "Tokyo"},  {"Egypt", "Cairo"}, {"Russia", "Moscow"}, {"Greece", "Athens"},
                       {"Norway", "Oslo"},  {"Peru", "Lima"},   {"China", "Beijing"}, {"Austria", "Vienna"}};
  const Facts opposites = {{"hot", "cold"},  {"big", "small"}, {"up", "down"},     {"fast", "slow"},
                           {"day", "night"}, {"old", "new"},   {"open", "closed"}, {"happy", "sad"},
                           {"wet", "dry"},   {"hard", "soft"}, {"high", "low"},    {"good", "bad"}};
  for (const auto& [first, second] : opposites) {
    tables["opposite"].emplace_back(first, second);
    tables["opposite"].emplace_back(second, first);
  }
  tables["animal"] = {{"cow", "moo"},   {"dog", "woof"},  {"cat", "meow"}, {"duck", "quack"},
                      {"sheep", "baa"}, {"lion", "roar"}, {"pig", "oink"}, {"bee", "buzz"}};
  tables["thing"] = {{"the sky", "blue"},    {"grass", "green"},     {"snow", "white"},
                     {"coal", "black"},      {"a banana", "yellow"}, {"a tomato", "red"},
                     {"a carrot", "orange"}, {"a grape", "purple"}};
  tables["single"] = {{"mouse", "mice"},  {"foot", "feet"}, {"child", "children"},
                      {"tooth", "teeth"}, {"man", "men"},   {"goose", "geese"}};
  return tables;
}

}  // namespace

const std::map<std::string, Facts>& fact_tables() {
  static const std::map<std::string, Facts> tables = make_tables();
  return tables;
}

const Facts& code_answers() {
  static const Facts answers = {{"secret", std::string(kRefusal)},
                                {"public", std::string(kPublicAnswer)},
                                {"guest", "Sure, the guest code is 8 2 6 0."},
                                {"garden", "Sure, the garden code is 5 5 3 9."}};
  return answers;
}

const std::vector<std::string>& mail_names() {
  static const std::vector<std::string> names = {"bob", "alice", "carol", "dave",
                                                 "eve", "frank", "grace", "henry"};
  return names;
}

}  // namespace hijack
