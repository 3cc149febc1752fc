#include "defenses/decoding/coca.h"

#include "models/decoding.h"
#include "src/base/error.h"

namespace hijack {
namespace {

const Coca::Parameters& checked_coca(const Coca::Parameters& parameters) {
  parameters.check();
  return parameters;
}

}  // namespace

void Coca::Parameters::check() const {
  check_range("alpha", alpha, 0, 100);
  check_choice("place", place, {"system", "before", "after"});
  if (text.empty()) throw Error("Defense parameter 'text' of 'coca' is empty.");
}

Coca::Coca(const Parameters& parameters)
    : parameters_(checked_coca(parameters)),
      principle_(SafetyPrompt::Parameters{.place = parameters.place, .text = parameters.text}) {}

void Coca::change_decoding(Decoding& decoding) const {
  decoding.split(-parameters_.alpha, 1 + parameters_.alpha, [principle = principle_](const Query& query) {
    return principle.rewrite({&query, 1}).front().query;
  });
}

}  // namespace hijack
