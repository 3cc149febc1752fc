#include "src/experiment/report/page/parts.h"
#include "src/experiment/report/values/text.h"

namespace hijack::report {
namespace {

constexpr size_t kLongest = 280;  ///< of a reply: a glance

Rate held_out_rate(const TrialRef& ref) {
  return rate_of(counted(*ref.trial, "test"));
}

double exact_share(const Rate& rate) {
  return rate.n ? rate.value() : -1;
}

/// The first question that only the adversarial image turns, else the first.
size_t telling(const std::vector<ContextReplies>& pairs) {
  for (size_t i = 0; i < pairs.size(); ++i)
    if (pairs[i].attack->exact && !(pairs[i].clean && pairs[i].clean->exact)) return i;
  return 0;
}

std::string said(const ReplyRow* reply) {
  if (!reply) return "";
  const std::string words = reply->reply.empty() ? "<span class=\"quiet\">(empty reply)</span>"
                                                 : "<q>" + html(reply->reply, kLongest) + "</q>";
  return "<p class=\"said\">" + words + "</p><p class=\"verdict\">" + verdict_cell(*reply).markup + "</p>";
}

std::string obeys(const Rate& rate) {
  if (!rate.n) return "";
  return "<p class=\"obeys\"><b class=\"rate\">" + percent(rate.value()) + "</b> of " +
         std::to_string(rate.n) + " held-out replies obey <span>(" + percent(rate.interval()) +
         ")</span></p>";
}

std::string side(const std::string& css, const std::string& title, const std::string& picture,
                 const ReplyRow* reply, const Rate& rate) {
  return "<div class=\"side " + css + "\">" + picture + "<div><h2>" + title + "</h2>" + said(reply) +
         obeys(rate) + "</div></div>";
}

std::string question(const TrialRef& ref, const ContextReplies& pair) {
  const Query asked = without_suffix(*ref.trial, pair.attack->context);
  std::string out =
      "<p class=\"asked\"><span>The user asks</span> <q>" + html(asked.prompt, kLongest) + "</q>";
  if (!ref.trial->suffix.empty())
    out += std::string("<small>and") + (without_images(*ref.trial) ? "" : ", beside the adversarial image,") +
           " behind it: " + html(ref.trial->suffix, kLongest) + "</small>";
  return out + "</p>";
}

/// Which trial and question this is, so that nobody takes the best case for the average.
std::string origin(const TrialRef& ref, const std::vector<ContextReplies>& pairs, bool one_of_many) {
  std::string out;
  if (one_of_many) out = "Trial " + html(ref.label, 120) + ", of the strongest setting. ";
  if (pairs.empty()) return out;
  const size_t place = telling(pairs);
  const bool turned = pairs[place].attack->exact;
  return out + "Question " + std::to_string(place + 1) + " of " + std::to_string(pairs.size()) + " held out" +
         (turned ? std::string(", the first that only the ") +
                       (without_images(*ref.trial) ? "suffix" : "adversarial image") + " turns."
                 : ".");
}

}  // namespace

TrialRef shown_first(const std::vector<RunRecord>& runs) {
  const std::vector<Setting> all = bare_settings(runs);
  if (all.empty()) return {};
  const Setting& best = *std::max_element(all.begin(), all.end(), [](const Setting& a, const Setting& b) {
    return exact_share(exact_of(a.success, "test")) < exact_share(exact_of(b.success, "test"));
  });
  const auto merit = [](const TrialRef& ref) {
    return std::pair(has_pictures(ref), exact_share(held_out_rate(ref)));
  };
  return *std::max_element(best.trials.begin(), best.trials.end(),
                           [&](const TrialRef& a, const TrialRef& b) { return merit(a) < merit(b); });
}

std::string first_look(const TrialRef& ref, bool one_of_many, PageBudget& budget) {
  PicturePair pictures;
  std::string note;
  const bool text = without_images(*ref.trial);
  if (has_pictures(ref))
    pictures = picture_pair(ref, budget);
  else if (!text)
    note = "The pictures are not in the run folder. ";
  const std::vector<ContextReplies> pairs = held_out_replies(ref);
  const ContextReplies pair = pairs.empty() ? ContextReplies{} : pairs[telling(pairs)];
  const Rate clean = rate_of(control(*ref.trial, "clean"));
  return "<div class=\"look\">" + (pair.attack ? question(ref, pair) : "") + "<div class=\"sides\">" +
         side("clean", text ? "Prompt alone" : "Clean image", pictures.clean, pair.clean, clean) +
         side("attacked", text ? "With the suffix" : "Adversarial image", pictures.adversarial, pair.attack,
              held_out_rate(ref)) +
         "</div><p class=\"quiet\">" + note + origin(ref, pairs, one_of_many) + "</p></div>";
}

}  // namespace hijack::report
