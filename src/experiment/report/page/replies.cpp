#include "src/experiment/report/page/parts.h"
#include "src/experiment/report/values/text.h"

namespace hijack::report {
namespace {

constexpr size_t kShown = 12, kMost = 400, kLongestReply = 600;

Cell quiet(const std::string& text) {
  Cell cell{text};
  cell.markup = "<span class=\"quiet\">" + html(text) + "</span>";
  return cell;
}

/// In words, a sign and a color.
Cell marked(const std::string& sign, const std::string& words, const std::string& css) {
  Cell cell{words};
  cell.markup = "<span class=\"" + css + "\">" + sign + " " + words + "</span>";
  return cell;
}

}  // namespace

Cell reply_cell(const ReplyRow& reply) {
  if (reply.reply.empty()) return quiet("(empty reply)");
  Cell cell{clean_text(reply.reply, kLongestReply)};
  cell.markup = "<q>" + html(reply.reply, kLongestReply) + "</q>";
  return cell;
}

Cell verdict_cell(const ReplyRow& reply) {
  if (reply.rejected) return marked("⊘", "rejected by the defense", "quiet");
  if (reply.condition == "benign")
    return reply.correct ? marked("●", "correct", "quiet") : marked("○", "not the right answer", "bad");
  if (reply.exact) return marked("●", "obeyed", "obeyed");
  if (reply.substring) return marked("◐", "substring match", "obeyed");
  return marked("○", "did not obey", "quiet");
}

Cell question_cell(const Query& context) {
  Cell cell{clean_text(context.prompt, kLongestReply)};
  cell.markup = html(context.prompt, kLongestReply);
  if (!context.system.empty()) cell.notes.push_back("system: " + clean_text(context.system, kLongestReply));
  for (const Turn& turn : context.earlier)
    cell.notes.push_back("earlier: " + clean_text(turn.user, 200) + " → " + clean_text(turn.assistant, 200));
  return cell;
}

std::string replies_table(const TrialRef& trial) {
  const std::vector<ContextReplies> pairs = held_out_replies(trial);
  if (pairs.empty()) return "<p>No reply to a held-out context was recorded.</p>";
  ReportTable table{"replies-" + trial.trial->id,
                    {"The user asks", "Clean image", "Adversarial image", "Verdict"}};
  for (size_t i = 0; i < std::min(kMost, pairs.size()); ++i) {
    const ContextReplies& pair = pairs[i];
    table.rows.push_back({question_cell(pair.attack->context),
                          pair.clean ? reply_cell(*pair.clean) : quiet("not asked"), reply_cell(*pair.attack),
                          verdict_cell(*pair.attack)});
  }
  table.css = "replies";
  table.shown = kShown;
  table.rest = "held-out contexts";
  table.caption = "Replies to held-out contexts, in the order of the rows.";
  if (pairs.size() > kMost)
    table.caption += " " + std::to_string(pairs.size() - kMost) + " further replies are in replies.jsonl.";
  return html_table(table);
}

}  // namespace hijack::report
