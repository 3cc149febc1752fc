#include "src/experiment/report/parts.h"
#include "src/experiment/report/text.h"

namespace hijack::report {
namespace {

constexpr size_t kShown = 12, kMost = 400, kLongest = 600;

std::string quoted(const ReplyRow* reply) {
  if (!reply) return "<span class=\"quiet\">not asked</span>";
  if (reply->reply.empty()) return "<span class=\"quiet\">(empty reply)</span>";
  return "<q>" + html(reply->reply, kLongest) + "</q>";
}

/// In words, a sign and a color.
std::string verdict(const ReplyRow& reply) {
  if (reply.exact) return "<span class=\"obeyed\">● obeyed</span>";
  if (reply.substring) return "<span class=\"obeyed\">◐ substring match</span>";
  return "<span class=\"quiet\">○ did not obey</span>";
}

std::string asked(const Query& context) {
  std::string out;
  if (!context.system.empty()) out += "<small>system: " + html(context.system, kLongest) + "</small>";
  for (const Turn& turn : context.earlier)
    out += "<small>earlier: " + html(turn.user, 200) + " → " + html(turn.assistant, 200) + "</small>";
  return html(context.prompt, kLongest) + out;
}

std::string rows_table(const std::vector<ContextReplies>& pairs, size_t from, size_t to,
                       const std::string& caption) {
  std::vector<std::vector<std::string>> rows;
  for (size_t i = from; i < to; ++i)
    rows.push_back({asked(pairs[i].attack->context), quoted(pairs[i].clean), quoted(pairs[i].attack),
                    verdict(*pairs[i].attack)});
  return table({"The user asks", "Clean image", "Adversarial image", "Verdict"}, rows, caption, "replies");
}

}  // namespace

std::string replies_table(const TrialRef& trial) {
  const std::vector<ContextReplies> pairs = held_out_replies(trial);
  if (pairs.empty()) return "<p>No reply to a held-out context was recorded.</p>";
  const size_t first = std::min(kShown, pairs.size()), last = std::min(kMost, pairs.size());
  std::string out = rows_table(pairs, 0, first, "Replies to held-out contexts, in the order of the rows.");
  if (last == first) return out;
  out += "<details><summary>" + std::to_string(last - first) + " more held-out contexts</summary>" +
         rows_table(pairs, first, last, "The rest of the held-out contexts.") + "</details>";
  if (last < pairs.size())
    out += "<p class=\"quiet\">" + std::to_string(pairs.size() - last) +
           " further replies are in replies.jsonl.</p>";
  return out;
}

}  // namespace hijack::report
