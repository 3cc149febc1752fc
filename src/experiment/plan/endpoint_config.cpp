#include "src/experiment/plan/endpoint_config.h"

#include "models/query.h"
#include "src/base/error.h"

namespace hijack {

void AskingConfig::check() const {
  if (concurrency < 1 || concurrency > static_cast<int64_t>(kRepliesAtOnce))
    throw Error("--concurrency must be from 1 to " + std::to_string(kRepliesAtOnce) + ".");
  if (calls < 0) throw Error("--calls must not be negative; 0 sets no budget.");
  if (!(timeout >= 0.1 && timeout <= 3600)) throw Error("--timeout must be from 0.1 to 3600.");
  if (retries < 0 || retries > 20) throw Error("--retries must be from 0 to 20.");
}

EndpointParameters AskingConfig::parameters(EndpointParameters endpoint) const {
  endpoint.timeout = timeout;
  endpoint.retries = retries;
  endpoint.cache = cache;
  endpoint.insecure = insecure;
  return endpoint;
}

}  // namespace hijack
