#include "models/tokenizer/round_trip.h"

namespace hijack {

bool survives_round_trip(const Tokenizer& tokenizer, const TokenIds& ids) {
  return tokenizer.encode(tokenizer.decode(ids, false), false) == ids;
}

}  // namespace hijack
