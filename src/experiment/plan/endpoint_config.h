#pragma once
#include <cstdint>
#include <string>

#include "models/endpoint/parameters.h"

namespace hijack {

/// How a model behind an API is asked. Nothing here is part of what an answer is, but whom it is from.
struct AskingConfig {
  int64_t concurrency = 4;
  int64_t calls = 0;
  double timeout = 120;
  int64_t retries = 4;
  std::string cache = {};
  bool insecure = false;

  template <class Visitor>
  void visit(Visitor&& field) {
    field("concurrency", concurrency, "endpoint: requests at once, 1 to 25");
    field(
        "calls", calls,
        "endpoint: most requests that may be sent for this run and model, retries and earlier starts counted "
        "(RUN/calls.jsonl); 0 = as many as it takes");
    field("timeout", timeout, "endpoint: seconds to wait for an answer, 0.1 to 3600");
    field(
        "retries", retries,
        "endpoint: further tries when it is down or busy, waiting twice as long each time, or as long as it "
        "asks (Retry-After)");
    field("cache", cache,
          "endpoint: folder of its answers, so that a run repeats offline and nothing is paid twice; empty = "
          "$HIJACK_CACHE, else ~/.cache/hijack");
    field("insecure", insecure, "endpoint: send $HIJACK_API_KEY over plain http to another machine too");
  }
  /// Throws Error for numbers out of range.
  void check() const;
  /// Puts them into the parameters of a client.
  EndpointParameters parameters(EndpointParameters endpoint) const;
};

}  // namespace hijack
