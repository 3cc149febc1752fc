#include "src/base/random.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>
#include <string>

#include "src/base/error.h"
#include "src/base/text.h"

namespace hijack {
namespace {

// splitmix64 (Steele, Lea, Flood 2014): spreads any seed over 64 bits; also the mixer of fork().
uint64_t splitmix(uint64_t& state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

uint64_t mixed(uint64_t a, uint64_t b) {
  uint64_t state = a ^ 0x6a09e667f3bcc909ULL;
  state = splitmix(state) ^ b;
  return splitmix(state);
}

uint64_t rotated_left(uint64_t x, int k) {
  return (x << k) | (x >> (64 - k));
}

}  // namespace

Random::Random(uint64_t seed) : seed_(seed) {
  for (uint64_t& word : words_) word = splitmix(seed);
}

Random Random::fork(std::string_view purpose, uint64_t index) const {
  return Random(fork_seed(purpose, index));
}

uint64_t Random::fork_seed(std::string_view purpose, uint64_t index) const {
  return mixed(mixed(seed_, fnv1a(purpose)), index);
}

uint64_t Random::bits() {
  const uint64_t result = rotated_left(words_[1] * 5, 7) * 9;  // xoshiro256** 1.0, Blackman and Vigna 2018
  const uint64_t t = words_[1] << 17;
  words_[2] ^= words_[0];
  words_[3] ^= words_[1];
  words_[1] ^= words_[2];
  words_[0] ^= words_[3];
  words_[2] ^= t;
  words_[3] = rotated_left(words_[3], 45);
  return result;
}

int64_t Random::below(int64_t n) {
  TORCH_CHECK(n > 0, "Random::below: n must be positive, not ", n);
  const auto range = static_cast<uint64_t>(n);
  const uint64_t biased = (0 - range) % range;  // 2^64 mod n: draws below it would favor small results
  uint64_t draw = bits();
  while (draw < biased) draw = bits();
  return static_cast<int64_t>(draw % range);
}

int64_t Random::between(int64_t first, int64_t last) {
  TORCH_CHECK(first <= last, "Random::between: ", first, " > ", last);
  const uint64_t count = static_cast<uint64_t>(last) - static_cast<uint64_t>(first) + 1;
  if (count == 0 ||
      count > static_cast<uint64_t>(INT64_MAX)) {  // wider than below() can draw: try until inside
    for (;;) {
      const auto draw = static_cast<int64_t>(bits());
      if (draw >= first && draw <= last) return draw;
    }
  }
  return first + below(static_cast<int64_t>(count));
}

double Random::uniform() {
  return static_cast<double>(bits() >> 11) * 0x1.0p-53;
}

double Random::uniform(double low, double high) {
  return low + (high - low) * uniform();
}

double Random::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));  // Box and Muller; 1 - u is never 0
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

bool Random::chance(double probability) {
  return uniform() < probability;
}

Tensor Random::uniform_tensor(at::IntArrayRef shape, double low, double high) {
  Tensor result = at::empty(shape, at::kFloat);
  float* values = result.mutable_data_ptr<float>();
  for (int64_t i = 0; i < result.numel(); ++i) values[i] = static_cast<float>(uniform(low, high));
  return result;
}

Tensor Random::normal_tensor(at::IntArrayRef shape) {
  Tensor result = at::empty(shape, at::kFloat);
  float* values = result.mutable_data_ptr<float>();
  const int64_t count = result.numel();
  for (int64_t i = 0; i < count; i += 2) {  // both numbers of each Box-Muller pair
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    const double angle = 2.0 * std::numbers::pi * uniform();
    values[i] = static_cast<float>(radius * std::cos(angle));
    if (i + 1 < count) values[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
  return result;
}

std::string Random::state() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint64_t word : {seed_, words_[0], words_[1], words_[2], words_[3]})
    for (int shift = 60; shift >= 0; shift -= 4) text += kDigits[(word >> shift) & 15];
  return text;
}

void Random::restore(std::string_view state) {
  uint64_t words[5] = {};
  if (state.size() != 80) throw Error("the state of a random stream must be 80 hexadecimal digits");
  for (size_t i = 0; i < state.size(); ++i) {
    const size_t digit = std::string_view("0123456789abcdef").find(state[i]);
    if (digit == std::string_view::npos)
      throw Error("the state of a random stream must be 80 hexadecimal digits");
    words[i / 16] = (words[i / 16] << 4) | digit;
  }
  if ((words[1] | words[2] | words[3] | words[4]) == 0)
    throw Error("the state of a random stream must not be all zero");
  seed_ = words[0];
  for (int i = 0; i < 4; ++i) words_[i] = words[i + 1];
}

}  // namespace hijack
