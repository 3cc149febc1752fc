#include "src/experiment/report/aggregate/asked.h"

#include "src/base/fields.h"
#include "src/experiment/plan/defense_config.h"
#include "src/experiment/plan/identity.h"
#include "src/experiment/plan/sampling_config.h"
#include "src/experiment/report/aggregate/differences.h"

namespace hijack::report {
namespace {

bool held_out(const ReplyRow& reply) {
  return reply.split != "train" && reply.split != "validation";
}
bool is_attack(const ReplyRow& reply) {
  return reply.condition == "attack" || reply.condition == "adaptive";
}

std::string joined(std::initializer_list<std::string> parts) {
  std::string key;
  for (const std::string& part : parts) key += std::to_string(part.size()) + ':' + part;
  return key;
}

std::string model_key(const TrialRow& trial) {
  const Object& sum = field_of(trial.setting, "model_sha256");
  return sum.is_string() ? sum.get<std::string>() : trial.model;
}

/// Trials of a setting whose adversarial image another one has.
std::set<const TrialRow*> same_images(const std::vector<RunRecord>& runs) {
  std::set<std::string> seen;
  std::set<const TrialRow*> twins;
  for (const TrialRef& ref : distinct_trials(runs)) {
    const std::string image = image_key(*ref.trial);
    const bool known = !image.empty() && !seen.insert(joined({ref.trial->setting_digest, image})).second;
    if (known) twins.insert(ref.trial);
  }
  return twins;
}

class Collector {
 public:
  Collector(const std::vector<RunRecord>& runs, bool pictures)
      : pictures_(pictures), same_images_(same_images(runs)) {
    for (const Twin& twin : counted_twice(runs)) again_.insert(twin.again.trial);
    for (const RunRecord& run : runs)
      for (const TrialRow& trial : run.trials) trials_[&run].emplace(trial.id, &trial);
  }

  void add(const RunRecord& run, const ReplyRow& reply) {
    const auto found = trials_[&run].find(reply.trial);
    const TrialRow* trial = found == trials_[&run].end() ? nullptr : found->second;
    const bool transfer = !reply.model.empty() && !asked_of_victim(reply);
    if (!held_out(reply) || transfer || again_.contains(trial)) return;
    if (reply.condition == "survival") return;  // survival.h counts these
    if (reply.condition == kOwnPicture && !pictures_) return;
    // adaptive trials measure their controls behind the defense again: once is enough
    if (trial && trial->adaptive && reply.condition != "adaptive") return;
    if (trial && is_attack(reply) && same_images_.contains(trial)) return;
    Asked asked{&reply,
                trial,
                &run,
                trial ? attack_key(*trial) : "",
                trial ? model_key(*trial) : "",
                stack_of(run, reply),
                reply.variant};
    if (trial && trial->adaptive) asked.variant = trial->setting_digest;
    const std::string whom = whom_asked(reply);
    const std::string way = reply.sampling + (whom.empty() || reply.sampling.empty() ? "" : ", ") + whom;
    if (!way.empty())
      for (std::string* key : {&asked.attack, &asked.model}) *key += kDrawn + way;
    if (identify(asked)) all_.push_back(std::move(asked));
  }

  std::vector<Asked> take() { return std::move(all_); }

 private:
  const std::string& stack_of(const RunRecord& run, const ReplyRow& reply) {
    std::string& stack = stacks_[{&run, reply.defense + '\n' + reply.stack}];
    if (stack.empty()) {
      const Object record = stack_record(run, reply);
      stack = reply.defense == "none" ? "none"
              : record.is_object()    ? digest_of(record)
              : reply.stack.empty()   ? reply.defense
                                      : reply.stack;
    }
    return stack;
  }

  /// Fills in pair and place. False for what was asked before.
  bool identify(Asked& asked) {
    const ReplyRow& reply = *asked.reply;
    const std::string where = std::to_string(numbers_.emplace(asked.run, numbers_.size()).first->second);
    const bool clean = reply.condition == "clean", benign = reply.condition == "benign";
    const std::string whose = clean && asked.trial ? joined({asked.model, photo_key(*asked.trial)})
                              : benign             ? asked.model
                                                   : joined({where, reply.trial});
    asked.question = joined({whose, reply.condition, reply.split, reply.photo, context_key(reply.context),
                             reply.expected, reply.sampling, reply.model});
    const std::string draw = reply.draw > 0 ? "draw " + std::to_string(reply.draw) : "";
    asked.pair = asked.question + draw;
    const std::string series = joined({where, reply.trial, reply.condition, reply.photo, asked.stack,
                                       asked.variant, reply.sampling + draw, reply.model});
    asked.place = places_[series]++;
    if (benign) {
      // a question may be asked about several images: the second asking pairs with the second
      const size_t turn = turns_[joined({where, asked.stack, asked.pair})]++;
      asked.pair += std::to_string(turn);
      asked.question += std::to_string(turn);
      const std::string question = reply.question.empty() ? where + asked.pair : reply.question;
      return asked_.insert(joined({question, asked.stack})).second;
    }
    return asked_.insert(joined({asked.pair, asked.stack, asked.attack, asked.variant})).second;
  }

  const bool pictures_;
  std::map<const RunRecord*, std::unordered_map<std::string, const TrialRow*>> trials_;  ///< by id
  std::map<const RunRecord*, size_t> numbers_;
  std::map<std::pair<const RunRecord*, std::string>, std::string> stacks_;
  std::set<const TrialRow*> same_images_, again_;
  std::unordered_map<std::string, size_t> places_, turns_;
  std::unordered_set<std::string> asked_;
  std::vector<Asked> all_;
};

}  // namespace

bool asked_of_victim(const ReplyRow& reply) {
  return !reply.model.empty() && !reply.condition.starts_with("transfer");
}

std::string whom_asked(const ReplyRow& reply) {
  return asked_of_victim(reply) ? "asked of " + reply.model : "";
}

Object stack_record(const RunRecord& run, const ReplyRow& reply) {
  Object record = field_of(field_of(run.manifest, "stacks"), reply.stack);
  if (record.is_object()) record.erase("calibrated_on");
  return record;
}

std::string attack_key(const TrialRow& trial) {
  if (!trial.setting.is_object())
    return joined({trial.model, trial.behavior, trial.constraint, trial.optimizer});
  static const std::vector<std::string> kOfReplies = [] {
    DefenseConfig defense;
    SamplingConfig sampling;
    std::vector<std::string> names;
    for (const Fields& fields : {fields_of(defense), fields_of(sampling)})
      for (const Field& field : fields) names.push_back(field.name);
    return names;
  }();
  Object attack = trial.setting;
  for (const std::string& name : kOfReplies) attack.erase(name);
  return digest_of(attack);
}

std::string context_key(const Query& context) {
  // The lengths make the parts unambiguous.
  std::string key = std::to_string(context.system.size()) + ':' + context.system;
  for (const Turn& turn : context.earlier)
    for (const std::string* text : {&turn.user, &turn.assistant})
      key += std::to_string(text->size()) + ':' + *text;
  return key + '\x1f' + context.prompt;
}

std::vector<Asked> asked_once(const std::vector<RunRecord>& runs, bool own_pictures) {
  Collector collector(runs, own_pictures);
  for (const RunRecord& run : runs)
    for (const ReplyRow& reply : run.replies) collector.add(run, reply);
  return collector.take();
}

std::vector<std::pair<const RunRecord*, const ReplyRow*>> repeated_replies(
    const std::vector<RunRecord>& runs) {
  std::vector<std::pair<const RunRecord*, const ReplyRow*>> repeated;
  std::unordered_set<std::string> seen;
  for (size_t i = 0; i < runs.size(); ++i)
    for (const ReplyRow& reply : runs[i].replies)
      if (!reply.question.empty() &&
          !seen.insert(joined({std::to_string(i), reply.question, reply.condition, reply.trial})).second)
        repeated.emplace_back(&runs[i], &reply);
  return repeated;
}

}  // namespace hijack::report
