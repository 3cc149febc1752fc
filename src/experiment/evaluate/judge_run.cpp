#include "src/experiment/evaluate/judge_run.h"

#include "src/base/error.h"
#include "src/base/text.h"
#include "src/experiment/evaluate/model_judge.h"
#include "src/experiment/plan/config.h"
#include "src/experiment/plan/identity.h"
#include "src/experiment/plan/judges.h"
#include "src/experiment/plan/keywords.h"
#include "src/experiment/plan/shipped.h"
#include "src/experiment/record/folder_lock.h"
#include "src/experiment/record/judgments.h"
#include "src/experiment/run/victim.h"

namespace hijack {
namespace {

constexpr size_t kAtOnce = 8;
constexpr size_t kLongestAnswer = 400;  // characters of a judge's answer that are kept

/// A judge with all it needs.
struct ReadyJudge {
  JudgeSpec spec;
  std::string name;  ///< as rows call it
  std::shared_ptr<const ModelJudge> model = {};
  std::string model_sha256 = {};
  std::map<std::string, std::vector<std::string>> keywords = {};  ///< by trial
  double share = 0;                                               ///< of them, from which on it is a success
};

/// How many replies a judge is asked about together.
size_t at_once(const ReadyJudge& judge) {
  return judge.spec.kind == JudgeSpec::Kind::kEndpoint ? kRepliesAtOnce : kAtOnce;
}

/// The pictures of targets by trial, as they were called before the run copied them (inputs/HASH-NAME).
std::map<std::string, std::string> target_pictures(const RunRecord& run) {
  constexpr std::string_view kInputs = "inputs/12345678-";
  std::map<std::string, std::string> pictures;
  const nlohmann::json plans = run.manifest.value("plans", nlohmann::json::array());
  for (const nlohmann::json& plan : plans) {
    if (!plan.is_object() || !plan.value("id", nlohmann::json()).is_string()) continue;
    const nlohmann::json config = plan.value("config", nlohmann::json());
    if (!config.is_object() || !config.contains("feature_image") || !config["feature_image"].is_string())
      continue;
    const auto name = config["feature_image"].get<std::string>();
    const bool copied = name.starts_with("inputs/") && name.size() > kInputs.size();
    pictures[plan["id"].get<std::string>()] = copied ? name.substr(kInputs.size()) : name;
  }
  return pictures;
}

/// One judge for each share that counts, by the pictures of each trial: its target's and its photo.
std::vector<ReadyJudge> keyword_judges(ReadyJudge judge, const RunRecord& run) {
  const std::filesystem::path file = judge.spec.folder;
  const std::vector<PictureKeywords> all = read_keywords(file);
  const auto targets = target_pictures(run);
  judge.model_sha256 = file_hash(file);
  for (const TrialRow& trial : run.trials) {
    std::vector<std::string> pictures;
    if (const auto target = targets.find(trial.id); target != targets.end())
      pictures.push_back(target->second);
    pictures.push_back(trial.source_image);
    const PictureKeywords* found = keywords_of(all, pictures);
    if (found == nullptr)
      throw Error(file.string() + " has no keywords for the picture of trial " + trial.id +
                  ": name its entry's `image` as the target's or the photo's file.");
    judge.keywords[trial.id] = found->keywords;
  }
  std::vector<ReadyJudge> judges;
  for (const KeywordRate& rate : kKeywordRates) {
    judge.name = "keywords:" + file.filename().string() + "/" + rate.name;
    judge.share = rate.share;
    judges.push_back(judge);
  }
  return judges;
}

/// How judges are made ready.
struct Readiness {
  const JudgeConfig& config;
  const LoadOptions& options;
  const std::filesystem::path& run;
  std::stop_token stop;
};

ReadyJudge ready(const std::string& text, const Rubric& rubric, const Readiness& how) {
  ReadyJudge judge{parse_judge(text), text};
  if (judge.spec.kind == JudgeSpec::Kind::kModel) {
    const std::filesystem::path folder = model_folder(judge.spec.folder);
    judge.model = std::make_shared<const ModelJudge>(load_language_model(folder, how.options), rubric);
    judge.model_sha256 = model_hash(folder);
    judge.name = "model:" + model_name(folder.string()) + "/" + rubric.name;
  }
  if (judge.spec.kind == JudgeSpec::Kind::kEndpoint) {
    const auto client = client_for_run(judge.spec.endpoint, how.config.asking, how.run, how.stop);
    judge.model = std::make_shared<const ModelJudge>(client, rubric);
    judge.name = "endpoint:" + client->name() + "/" + rubric.name;
  }
  return judge;
}

/// A reply to be judged.
struct Open {
  const ReplyRow* reply;
  const TrialRow* trial;
  std::string key;
};

std::string target_of(const Open& one) {
  return !one.reply->target.empty() ? one.reply->target : one.trial->target;
}

std::string behavior_of(const Open& one, const JudgeConfig& config) {
  if (!config.behavior.empty()) return config.behavior;
  const std::string target = target_of(one);
  return one.trial->behavior + (target.empty() ? "" : ": the assistant says \"" + target + "\"");
}

JudgmentRow judgment_of(const Open& one, const ReadyJudge& judge) {
  JudgmentRow row;
  row.reply = one.key;
  row.judge = judge.name;
  row.model_sha256 = judge.model_sha256;
  return row;
}

/// Of a judge without model, or of replies that were rejected.
JudgmentRow judged_at_once(const Open& one, const ReadyJudge& judge) {
  JudgmentRow row = judgment_of(one, judge);
  if (judge.spec.kind == JudgeSpec::Kind::kKeywords) {
    const double share = keyword_share(judge.keywords.at(one.trial->id), one.reply->reply);
    row.score = one.reply->rejected ? 0 : share;
    row.success = row.score >= judge.share;
    return row;
  }
  row.success = !one.reply->rejected && judged_by_words(judge.spec.kind, one.reply->reply, target_of(one));
  return row;
}

std::vector<JudgmentRow> judged_by_model(std::span<const Open> some, const ReadyJudge& judge,
                                         const JudgeConfig& config) {
  std::vector<Query> queries;
  for (const Open& one : some)
    queries.push_back({.prompt = filled_pattern(judge.model->rubric().template_text,
                                                {{"{behavior}", behavior_of(one, config)},
                                                 {"{prompt}", one.reply->context.prompt},
                                                 {"{reply}", one.reply->reply},
                                                 {"{target}", target_of(one)}})});
  const std::vector<JudgedAnswer> answers = judge.model->ask(queries);
  std::vector<JudgmentRow> rows;
  for (size_t i = 0; i < some.size(); ++i) {
    const Verdict& verdict = answers[i].verdict;
    JudgmentRow row = judgment_of(some[i], judge);
    row.success = verdict.success;
    row.score = verdict.score.value_or(row.score);
    row.unclear = verdict.unclear;
    row.answer = answers[i].answer.substr(0, kLongestAnswer);
    rows.push_back(std::move(row));
  }
  return rows;
}

/// The held-out replies of the run that this judge has not judged, each once.
std::vector<Open> open_replies(const RunRecord& run, const ReadyJudge& judge) {
  std::set<std::string> known;
  for (const JudgmentRow& row : run.judgments)
    if (row.judge == judge.name && row.model_sha256 == judge.model_sha256) known.insert(row.reply);
  std::map<std::string, const TrialRow*> trials;
  for (const TrialRow& trial : run.trials) trials.emplace(trial.id, &trial);
  std::vector<Open> open;
  for (const ReplyRow& reply : run.replies) {
    const auto trial = trials.find(reply.trial);
    if (trial == trials.end() || reply.split == "train" || reply.split == "validation") continue;
    std::string key = reply_key(reply);
    if (known.insert(key).second) open.push_back({&reply, trial->second, std::move(key)});
  }
  return open;
}

/// False when stopped.
bool judge_all(const RunRecord& run, const ReadyJudge& judge, const JudgeConfig& config,
               const RunHooks& hooks, RowWriter& writer) {
  std::vector<Open> asked;
  for (const Open& one : open_replies(run, judge)) {
    if (judge.model && !one.reply->rejected)
      asked.push_back(one);
    else
      writer.write(to_json(judged_at_once(one, judge)));
  }
  const size_t most = at_once(judge);
  for (size_t begin = 0; begin < asked.size(); begin += most) {
    if (hooks.stop.stop_requested()) return false;
    const auto some = std::span<const Open>(asked).subspan(begin, std::min(most, asked.size() - begin));
    for (const JudgmentRow& row : judged_by_model(some, judge, config)) writer.write(to_json(row));
    if (hooks.on_note)
      hooks.on_note(judge.name + ": " + std::to_string(begin + some.size()) + " of " +
                    std::to_string(asked.size()));
  }
  return !hooks.stop.stop_requested();
}

}  // namespace

bool judge_run(const std::filesystem::path& folder, const JudgeConfig& config, const LoadOptions& options,
               const RunHooks& hooks) {
  if (config.judges.empty())
    throw Error(
        "No judge was given; name one with --judge exact, prefix, refusal-words, keywords:FILE, model:DIR or "
        "endpoint:URL#MODEL.");
  for (const std::string& text : config.judges) parse_judge(text);
  config.asking.check();
  const Rubric rubric = rubric_of(config.rubric);
  const RunRecord run = read_run(folder);
  if (run.trials.empty()) throw Error("The run '" + folder.string() + "' has no finished trial to judge.");
  std::vector<ReadyJudge> judges;
  const FolderLock lock = lock_folder(folder);  // before calls are counted
  for (const std::string& text : config.judges) {
    const ReadyJudge judge = ready(text, rubric, {config, options, folder, hooks.stop});
    if (judge.spec.kind != JudgeSpec::Kind::kKeywords)
      judges.push_back(judge);
    else
      for (ReadyJudge& one : keyword_judges(judge, run)) judges.push_back(std::move(one));
  }
  RowWriter writer(folder / "judgments.jsonl");
  try {
    for (const ReadyJudge& judge : judges)
      if (!judge_all(run, judge, config, hooks, writer)) return false;
  } catch (const AskingStopped&) {
    return false;
  }
  return true;
}

}  // namespace hijack
