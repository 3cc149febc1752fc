#pragma once
#include <span>

namespace hijack {

/// A yes-or-no question that has nothing to do with what was asked before, and what kind it is.
struct UnrelatedQuestion {
  const char* kind;
  const char* text;
};

/// 48 fixed questions in our own words, in the kinds and numbers that Pacchiardi et al. 2023
/// (arXiv:2309.15840) used: confession 10, psychological 8, confusion 5, ethics 3, logic 4, knowable 10,
/// unknowable 8. Those about lying are confession, psychological and ethics.
std::span<const UnrelatedQuestion> unrelated_questions();

}  // namespace hijack
