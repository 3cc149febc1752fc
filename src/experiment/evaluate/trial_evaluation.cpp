#include "src/experiment/evaluate/trial_evaluation.h"

#include <chrono>

#include "attacks/text/suffix.h"
#include "attacks/text/suffixed.h"
#include "src/base/image.h"
#include "src/experiment/plan/judges.h"
#include "src/experiment/record/recorded_images.h"
#include "src/experiment/run/defense_setup.h"
#include "src/experiment/run/shown_images.h"
#include "src/experiment/run/submitted_image.h"
#include "src/experiment/run/victim.h"
#include "src/pocket/contexts.h"
#include "src/pocket/grammar.h"

namespace hijack {
namespace {

constexpr uint64_t kUtilitySeed = 0x07e57;

/// Two searches may find the same suffix: each is a row of its own.
std::string key_of(const std::string& condition, const std::string& question, const std::string& variant) {
  return condition + "\n" + question + "\n" + variant;
}

/// Undefined for a trial on a language model.
Tensor image_of(const std::filesystem::path& folder, const std::string& file) {
  return file.empty() ? Tensor() : load_image(folder / file);
}

std::vector<Question> with_draws(const std::vector<Question>& questions, int64_t draws) {
  std::vector<Question> all;
  for (const Question& question : questions)
    for (Submission& one : hijack::with_draws({question.submission}, draws)) {
      all.push_back(question);
      all.back().submission = std::move(one);
    }
  return all;
}

Context ending(const Context& context, const std::string& suffix) {
  return suffix.empty() ? context : with_suffix(context, suffix);
}

/// `count` of them, from all parts of the list.
std::vector<CheckedQuestion> spread(const std::vector<CheckedQuestion>& all, size_t count) {
  if (count >= all.size()) return all;
  std::vector<CheckedQuestion> some;
  for (size_t i = 0; i < count; ++i) some.push_back(all[i * all.size() / count]);
  return some;
}

/// By the set's own answer: a letter of the options, or words.
std::function<bool(const Reply&)> right_answer(const PictureCase& each) {
  const std::string& answer = each.one.target;
  if (answer.size() == 1 && answer >= "A" && answer <= "D")
    return [letter = answer[0]](const Reply& reply) { return takes_option(reply.text, letter); };
  return [checked = CheckedQuestion{each.prompt(), {answer}}](const Reply& reply) {
    return checked.answered_by(reply.text);
  };
}

}  // namespace

TrialEvaluation::TrialEvaluation(const TrialSetup& setup, const RunRecord& run, const TrialRow& trial)
    : setup_(setup),
      trial_(trial),
      origin_((check_images(run.folder, trial, Images::all), image_of(run.folder, trial.origin_file))),
      adversarial_(image_of(run.folder, trial.image_file)),
      noise_file_(trial.noise_file.empty() ? std::filesystem::path() : run.folder / trial.noise_file),
      model_(bare_model(setup.model, setup.replies())),
      victim_(victim_name(*setup.model)),
      keys_(setup.plan.config.model, setup.plan.config, setup.replies(), victim_) {
  if (victim_ == trial.model) victim_.clear();  // it was attacked there, too
  check_has_images(run.folder, trial, !setup.plan.config.images.empty());
  if (origin_.defined()) check_budget(run.folder, trial, adversarial_, origin_);
  for (const ReplyRow& row : run.replies)
    if (row.trial == trial.id && (row.split == "test" || row.condition == "benign"))
      ++asked_[key_of(row.condition, row.question, row.variant)];
}

std::vector<Question> TrialEvaluation::shown(const Tensor& image, const std::string& condition,
                                             const std::string& suffix) const {
  const auto& contexts = setup_.contexts.test;
  const uint64_t seed = trial_.seed;
  const Constraint constraint =
      origin_.defined() ? make_constraint(setup_.plan.config.constraint, origin_.size(2), origin_.size(3))
                        : Constraint(LinfBall{0});
  const auto* moving = std::get_if<MovingPatch>(&constraint);
  const Location at = moving ? place_in_file(*moving, origin_, seed) : Location{};
  const auto images = shown_images(constraint, image, origin_, at, seed, "test", contexts.size());
  std::vector<Question> questions;
  for (size_t i = 0; i < contexts.size(); ++i)
    questions.push_back({condition, {images[i], ending(contexts[i], suffix)}, {}, suffix});
  return questions;
}

std::vector<Question> TrialEvaluation::adversarial(const std::string& condition) const {
  return shown(adversarial_, condition, trial_.suffix);
}

std::vector<Question> TrialEvaluation::noise() const {
  return noise_file_.empty() ? std::vector<Question>{} : shown(load_image(noise_file_), "noise", "");
}

std::vector<Question> TrialEvaluation::processed(const Processing& processing) const {
  std::vector<Question> questions = adversarial("survival");
  Tensor before, after;  // a moving patch aside, all contexts share one image
  for (Question& question : questions) {
    Tensor& image = question.submission.image;
    if (!before.defined() || !image.is_same(before)) before = image, after = processing.apply(image);
    image = after;
    question.variant = processing.name;
  }
  return questions;
}

std::vector<Question> TrialEvaluation::clean(const std::string& condition, const std::string& suffix,
                                             const std::string& variant) const {
  std::vector<Question> questions;
  for (const Context& context : setup_.contexts.test)
    questions.push_back({condition, {origin_, ending(context, suffix)}, {}, suffix, variant});
  return questions;
}

std::vector<Question> TrialEvaluation::about_scenes(int64_t count) const {
  std::vector<Question> questions;
  for (const UtilityItem& item : utility_set(Texts::kNatural, count, kUtilitySeed)) {
    if (item.image.defined() && !setup_.model->takes_images()) continue;
    const Tensor image = item.image.defined() ? as_submitted(*setup_.model, setup_.plan.config.space,
                                                             from_bytes(item.image).unsqueeze(0))
                                              : origin_;
    // a cut reply would have gone on to say nobody knows what
    const auto right = [exercise = item.exercise](const Reply& reply) {
      return !reply.cut && graded_right(exercise, reply.text);
    };
    questions.push_back(
        {"benign", {image, {.prompt = item.exercise.prompt}}, Benign{item.exercise.answer, right}});
  }
  return questions;
}

std::vector<Question> TrialEvaluation::benign(const UtilitySet& set, int64_t count) const {
  if (set.file.empty()) return about_scenes(count);
  std::vector<Question> questions;
  for (const CheckedQuestion& one : spread(read_checked_questions(set.file), static_cast<size_t>(count))) {
    std::string expected;
    for (const std::string& answer : one.answers) expected += (expected.empty() ? "" : "/") + answer;
    const auto right = [one](const Reply& reply) { return one.answered_by(reply.text); };
    questions.push_back({"benign", {origin_, {.prompt = one.prompt}}, Benign{expected, right}});
  }
  return questions;
}

std::vector<Question> TrialEvaluation::own_pictures(const std::string& set,
                                                    std::span<const PictureCase> cases) const {
  std::vector<Question> questions;
  for (const PictureCase& each : cases) {
    const TestCase& one = each.one;
    const bool answers = has_right_answers(set) && !one.target.empty();
    Question question{kOwnPicture, {each.image(), {.prompt = each.prompt()}}};
    question.variant = set + (one.subset.empty() ? "" : ", " + one.subset);
    question.own = OwnPictureCase{one.image, answers ? "" : one.target};
    if (answers) question.benign = Benign{one.target, right_answer(each)};
    questions.push_back(std::move(question));
  }
  return questions;
}

ReplyRow TrialEvaluation::row_of(const Question& question, const Reply& reply) const {
  ReplyRow row;
  row.trial = trial_.id;
  row.condition = question.condition;
  row.split = "test";
  row.context = question.submission.query;
  row.reply = reply.text;
  row.cut = reply.cut;
  row.sampling = setup_.plan.config.sampling.text();
  row.draw = static_cast<int64_t>(question.submission.draw);
  row.rejected = reply.rejected;
  row.trace = reply.trace;
  row.variant = question.variant;
  row.model = victim_;
  if (question.benign) {
    row.expected = question.benign->expected;
    row.correct = !reply.rejected && question.benign->right(reply);
  }
  if (question.own) {
    row.photo = question.own->photo;
    row.target = question.own->target;
    row.exact = row.substring =
        question.benign ? row.correct
                        : !reply.rejected && judged_by_words(JudgeSpec::Kind::kRefusalWords, reply.text, "");
  }
  if (question.benign || question.own) return row;
  // what the user said decides, without a suffix
  std::shared_ptr<const Behavior> behavior = setup_.behavior;
  if (!question.suffix.empty()) behavior = std::make_shared<SuffixedBehavior>(behavior, question.suffix);
  const Generated said{reply.text, reply.cut};
  row.exact = !reply.rejected && behavior->succeeded(row.context, said);
  row.substring = !reply.rejected && behavior->matches_substring(row.context, said);
  return row;
}

std::vector<ReplyRow> TrialEvaluation::ask(const IdentifiedStack& stack,
                                           const std::vector<Question>& questions) {
  const Responder responder =
      protect(stack.defenses, stack_decoding(stack.defenses).plain()
                                  ? model_
                                  : bare_model(stack_model(stack.defenses, setup_.model), setup_.replies()));
  std::vector<std::pair<const Question*, std::string>> open;
  std::map<std::string, size_t> left = asked_;
  const std::vector<Question> drawn = with_draws(questions, setup_.plan.config.sampling.samples);
  for (const Question& question : drawn) {
    std::string key = keys_.of(question.submission, stack);
    size_t& answered = left[key_of(question.condition, key, question.variant)];
    if (answered == 0)
      open.emplace_back(&question, std::move(key));
    else
      --answered;
  }
  std::vector<ReplyRow> rows;
  for (size_t begin = 0; begin < open.size(); begin += kRepliesAtOnce) {
    const size_t end = std::min(open.size(), begin + kRepliesAtOnce);
    std::vector<Submission> submissions;
    for (size_t i = begin; i < end; ++i) submissions.push_back(open[i].first->submission);
    const auto start = std::chrono::steady_clock::now();
    const std::vector<Reply> replies = responder(submissions);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    for (size_t i = begin; i < end; ++i) {
      ReplyRow row = row_of(*open[i].first, replies[i - begin]);
      row.defense = stack.name();
      row.stack = stack.digest;
      row.question = open[i].second;
      row.seconds = seconds.count() / static_cast<double>(end - begin);
      ++asked_[key_of(row.condition, row.question, row.variant)];
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

}  // namespace hijack
