#include "src/experiment/report/aggregate/own_pictures.h"

#include <set>

#include "src/experiment/report/aggregate/asked.h"

namespace hijack::report {

std::vector<OwnPictures> own_pictures(const std::vector<RunRecord>& runs) {
  std::vector<OwnPictures> all;
  std::set<std::string> seen;
  for (const RunRecord& run : runs)
    for (const ReplyRow& reply : run.replies) {
      if (reply.condition != kOwnPicture || !seen.insert(reply.variant + reply.question).second) continue;
      const std::string whom = whom_asked(reply);
      auto found = std::find_if(all.begin(), all.end(), [&](const OwnPictures& one) {
        return one.set == reply.variant && one.defense == reply.defense && one.whom == whom;
      });
      if (found == all.end())
        found = all.insert(found,
                           OwnPictures{reply.variant, reply.defense, whom, {}, {}, !reply.expected.empty()});
      const std::string question = reply.photo + '\n' + context_key(reply.context);
      found->obeyed.add(question, Draw{reply.exact, reply.draw});
      found->rejected.add(question, Draw{reply.rejected, reply.draw});
    }
  return all;
}

}  // namespace hijack::report
