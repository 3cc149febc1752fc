#include "src/experiment/report/page/defended_replies.h"

#include "src/experiment/report/aggregate/grouping.h"
#include "src/experiment/report/values/text.h"

namespace hijack::report {
namespace {

constexpr const char* kBare = "no defense";

/// In the order in which they are shown.
constexpr std::pair<const char*, const char*> kConditions[] = {
    {"attack", "adversarial image"}, {"adaptive", "adaptive adversarial image"},
    {"clean", "clean image"},        {"noise", "random noise"},
    {"text_suffix", "text suffix"},  {"text_adaptive", "adaptive text suffix"}};

/// Adds to the group that says the same, once for each defense.
void join(std::vector<Said>& groups, Said said) {
  const std::string name = said.behind.front();
  for (Said& group : groups) {
    if (!group.same(said)) continue;
    if (std::find(group.behind.begin(), group.behind.end(), name) == group.behind.end())
      group.behind.push_back(name);
    return;
  }
  groups.push_back(std::move(said));
}

/// The question that a submission asks, with or without a suffix behind it; the longest where one begins
/// another.
AskedQuestion* question_of(std::vector<AskedQuestion>& questions, const ReplyRow& reply) {
  AskedQuestion* found = nullptr;
  for (AskedQuestion& one : questions) {
    const std::string &prompt = reply.context.prompt, &own = one.context.prompt;
    if (one.photo != reply.photo || (prompt != own && !prompt.starts_with(own + " "))) continue;
    Query same = reply.context;
    same.prompt = own;
    if (context_key(same) != context_key(one.context)) continue;
    if (!found || own.size() > found->context.prompt.size()) found = &one;
  }
  return found;
}

bool counts(const ReplyRow& reply) {
  return reply.condition == "attack" || reply.condition == "adaptive" || reply.condition == "benign";
}

/// For the line of a closed question: where the attack worked, or the answer was right.
std::string summary_of(const AskedQuestion& question) {
  std::set<std::string> asked, done;
  bool benign = false;
  for (const Said& one : question.said) {
    const ReplyRow& reply = *one.reply;
    if (!counts(reply)) continue;
    benign = benign || reply.condition == "benign";
    asked.insert(one.behind.begin(), one.behind.end());
    if (!reply.rejected && (reply.exact || reply.correct)) done.insert(one.behind.begin(), one.behind.end());
  }
  const bool bare = asked.erase(kBare) > 0, bare_done = done.erase(kBare) > 0;
  return std::string(benign ? "answered correctly" : "image obeyed") +
         (bare ? std::string(": undefended ") + (bare_done ? "yes" : "no") + "," : "") + " behind " +
         std::to_string(done.size()) + " of " + std::to_string(asked.size()) + " defenses";
}

ReportTable table_of(const std::vector<AskedQuestion>& questions, const std::string& name) {
  ReportTable table{name, {"The user asks", "Submission", "Behind", "Reply", "Verdict"}};
  table.css = "replies by-defense";
  table.caption = "Replies behind each defense; equal replies stand together.";
  for (const AskedQuestion& question : questions) {
    for (const Said& one : question.said) {
      Cell submission{one.condition}, behind{};
      if (!one.suffix.empty()) submission.notes = {clean_text(one.suffix, 200)};
      for (const std::string& defense : one.behind)
        behind.text += (behind.text.empty() ? "" : ", ") + defense;
      table.rows.push_back({question_cell(question.context), submission, behind, reply_cell(*one.reply),
                            verdict_cell(*one.reply)});
    }
  }
  return table;
}

/// The replies to one question, without the column that says which.
std::string fold(const AskedQuestion& question) {
  ReportTable table = table_of({question}, "replies to one question");
  table.head.erase(table.head.begin());
  for (auto& row : table.rows) row.erase(row.begin());
  return "<details class=\"question\"><summary>" + html(question.context.prompt, 200) + "<small>" +
         summary_of(question) + "</small></summary>" + html_rows(table, 0, table.rows.size()) +
         "</details>\n";
}

std::string folds(const std::vector<AskedQuestion>& questions, const std::string& name, PageBudget& budget) {
  std::string out;
  size_t shown = 0;
  for (; shown < questions.size() && budget.reply_bytes_left > 0; ++shown) {
    const std::string one = fold(questions[shown]);
    budget.reply_bytes_left -= static_cast<int64_t>(one.size()) * 2;  // with its share of the files
    out += one;
  }
  if (shown > 0)
    out += file_links(table_of({questions.begin(), questions.begin() + static_cast<ptrdiff_t>(shown)}, name));
  if (shown < questions.size())
    out += "<p class=\"quiet\">The replies to " + std::to_string(questions.size() - shown) +
           " more questions are left out to keep the page small; they are in replies.jsonl.</p>";
  return out;
}

bool behind_several(const std::vector<AskedQuestion>& questions) {
  std::set<std::string> names;
  for (const AskedQuestion& question : questions)
    for (const Said& one : question.said) names.insert(one.behind.begin(), one.behind.end());
  return names.size() > 1;
}

}  // namespace

bool Said::same(const Said& other) const {
  return order == other.order && suffix == other.suffix && reply->reply == other.reply->reply &&
         verdict_cell(*reply).text == verdict_cell(*other.reply).text;
}

DefendedReplies::DefendedReplies(const std::vector<RunRecord>& runs) : runs_(runs) {
  const std::vector<Asked> all = asked_once(runs);
  std::map<std::string, std::string> stacks;
  for (const StackName& stack : stack_names(all))
    stacks[stack.key] = stack.defense + (stack.details.empty() ? "" : " (" + stack.details + ")");
  for (const Asked& one : all)
    names_.emplace(one.reply->defense + '\n' + one.reply->stack, stacks[one.stack]);
}

std::string DefendedReplies::behind(const ReplyRow& reply) const {
  if (reply.defense == "none") return kBare;
  const auto found = names_.find(reply.defense + '\n' + reply.stack);
  return clean_text(found == names_.end() ? reply.defense : found->second, 200);
}

std::vector<TrialRef> DefendedReplies::relatives(const TrialRef& ref) const {
  std::vector<TrialRef> result{ref};
  if (ref.trial->adaptive) return result;
  for (const TrialRef& other : all_trials(runs_))
    if (other.trial->adaptive && other.trial->seed == ref.trial->seed &&
        photo_key(*other.trial) == photo_key(*ref.trial) &&
        attack_key(*other.trial) == attack_key(*ref.trial))
      result.push_back(other);
  return result;
}

std::vector<AskedQuestion> DefendedReplies::questions_of(const TrialRef& ref) const {
  std::vector<AskedQuestion> questions;
  for (const ContextReplies& pair : held_out_replies(ref))
    questions.push_back({without_suffix(*ref.trial, pair.attack->context), pair.attack->photo});
  for (const TrialRef& source : relatives(ref)) {
    for (const ReplyRow& reply : source.run->replies) {
      if (reply.trial != source.trial->id || reply.split != "test" || !reply.model.empty()) continue;
      const auto* condition = std::find_if(std::begin(kConditions), std::end(kConditions),
                                           [&](const auto& one) { return reply.condition == one.first; });
      AskedQuestion* question = condition == std::end(kConditions) ? nullptr : question_of(questions, reply);
      if (!question) continue;
      const std::string& prompt = reply.context.prompt;
      const size_t asked = question->context.prompt.size();
      join(question->said, {static_cast<size_t>(condition - std::begin(kConditions)),
                            condition->second,
                            prompt.size() > asked ? prompt.substr(asked + 1) : "",
                            &reply,
                            {behind(reply)}});
    }
  }
  for (AskedQuestion& question : questions)
    std::stable_sort(question.said.begin(), question.said.end(),
                     [](const Said& a, const Said& b) { return a.order < b.order; });
  return questions;
}

std::string DefendedReplies::of(const TrialRef& trial, PageBudget& budget) const {
  const std::vector<AskedQuestion> questions = questions_of(trial);
  if (!behind_several(questions)) return "";
  return "<details class=\"by-defense\"><summary>Every reply, by defense: " +
         std::to_string(questions.size()) + " held-out questions</summary>" +
         folds(questions, "replies-by-defense-" + trial.trial->id, budget) + "</details>";
}

std::string DefendedReplies::benign(PageBudget& budget) const {
  std::vector<AskedQuestion> questions;
  std::map<std::string, size_t> index;
  for (const RunRecord& run : runs_) {
    for (const ReplyRow& reply : run.replies) {
      if (!reply.model.empty() || reply.condition != "benign" || reply.split == "train" ||
          reply.split == "validation")
        continue;
      const auto [found, fresh] =
          index.emplace(context_key(reply.context) + '\n' + reply.expected, questions.size());
      if (fresh) questions.push_back({reply.context, reply.photo});
      join(questions[found->second].said,
           {0,
            reply.expected.empty() ? "benign" : "benign; right: " + clean_text(reply.expected, 100),
            "",
            &reply,
            {behind(reply)}});
    }
  }
  if (!behind_several(questions)) return "";
  return "<details class=\"by-defense\"><summary>Every reply to benign questions, by defense: " +
         std::to_string(questions.size()) + "</summary>" + folds(questions, "benign-replies", budget) +
         "</details>";
}

}  // namespace hijack::report
