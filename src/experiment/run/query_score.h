#pragma once
#include "src/experiment/run/trial.h"

namespace hijack {

/// Settles what the search of a trial on a victim behind an API follows (TrialSetup::score): what
/// --query-score says, or for `auto` the log-likelihood where the server gives it, else the success of its
/// replies. The server is asked once a run, with a score that the trial needs in any case; a note says where
/// replies have to do, and the manifest's "query_scores" {"URL#MODEL, reply": "success"} keeps it, so that a
/// resumed run goes on alike and asks no more. Nothing for models with weights. Throws as EndpointClient.
void settle_query_score(TrialSetup& setup, const RunFolder& folder, const RunHooks& hooks);

}  // namespace hijack
