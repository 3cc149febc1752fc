#include <limits>

#include "src/base/error.h"
#include "src/base/json.h"
#include "src/experiment/record/results.h"
#include "src/experiment/record/row_reader.h"

// Rows to JSON and back, strictly: extra keys are tolerated (a newer version may write them), anything
// missing, of the wrong type or out of range is an Error with file, line and field.

namespace hijack {
namespace {

using Json = nlohmann::json;

Json to_json(const Tally& tally) {
  Json json = {{"n", tally.n}, {"exact", tally.exact}, {"contained", tally.substring}};
  if (tally.draws > 1) json["draws"] = tally.draws;
  return json;
}

Json to_json(const std::map<std::string, Tally>& tallies) {
  Json json = Json::object();
  for (const auto& [key, tally] : tallies) json[key] = to_json(tally);
  return json;
}

Json to_json(const Budget& budget) {
  return {{"max_difference_255", number_or_null(budget.max_difference_255)},
          {"changed_outside", number_or_null(budget.changed_outside)},
          {"l2", number_or_null(budget.l2)},
          {"respected", budget.respected}};
}

Budget budget_from(const RowReader& budget) {
  return {budget.real("max_difference_255"), budget.real("changed_outside"), budget.boolean("respected"),
          budget.real_or("l2", 0)};
}

std::vector<PhotoRow> photos_from(const RowReader& fields) {
  std::vector<PhotoRow> photos;
  for (const Json& value : fields.array("photos")) {
    const RowReader photo = fields.item(value, "photos", photos.size());
    photos.push_back({photo.text("source_image"), photo.boolean("held_out"), photo.inner_path("image_file"),
                      budget_from(photo.object("budget")), photo.tally("test")});
  }
  return photos;
}

Json to_json(const Query& query) {
  Json earlier = Json::array();
  for (const Turn& turn : query.earlier)
    earlier.push_back({{"user", turn.user}, {"assistant", turn.assistant}});
  return {{"prompt", query.prompt}, {"system", query.system}, {"earlier", earlier}};
}

Query query_from(const RowReader& fields) {
  Query query{fields.text("prompt"), fields.text("system"), {}};
  size_t index = 0;
  for (const Json& value : fields.array("earlier")) {
    const RowReader turn = fields.item(value, "earlier", index++);
    query.earlier.push_back({turn.text("user"), turn.text("assistant")});
  }
  return query;
}

}  // namespace

namespace {

Json to_json(const Visibility& visibility) {
  Json json = {{"ssim", number_or_null(visibility.ssim)},
               {"psnr", number_or_null(visibility.psnr)},
               {"feature_distance", number_or_null(visibility.feature_distance)}};
  if (std::isinf(visibility.psnr)) json["identical"] = true;  // JSON has no infinity
  return json;
}

Visibility visibility_from(const RowReader& fields) {
  Visibility visibility{fields.real("ssim"), fields.real("psnr"), fields.real("feature_distance")};
  if (fields.json().contains("identical") && fields.boolean("identical"))
    visibility.psnr = std::numeric_limits<double>::infinity();
  return visibility;
}

Json to_json(const ReadBackRow& row) {
  return {{"reader", row.reader},
          {"mean_error_255", number_or_null(row.mean_error_255)},
          {"max_error_255", number_or_null(row.max_error_255)},
          {"clean_error_255", number_or_null(row.clean_error_255)},
          {"seen_file", row.seen_file},
          {"wanted_file", row.wanted_file}};
}

Json to_json(const EncoderRow& row) {
  Json json = {{"encoder", row.encoder},
               {"held_out", row.held_out},
               {"n", row.n},
               {"attack", number_or_null(row.attack)},
               {"clean", number_or_null(row.clean)},
               {"noise", number_or_null(row.noise)},
               {"attack_to_clean", number_or_null(row.attack_to_clean)},
               {"noise_to_clean", number_or_null(row.noise_to_clean)},
               {"attack_nearer", row.attack_nearer},
               {"noise_nearer", row.noise_nearer}};
  if (!row.photos.empty()) json["photos"] = row.photos;
  if (row.steps >= 0) json["steps"] = row.steps;
  return json;
}

std::vector<EncoderRow> encoders_from(const RowReader& fields) {
  std::vector<EncoderRow> rows;
  for (const Json& value : fields.array("encoders")) {
    const RowReader one = fields.item(value, "encoders", rows.size());
    rows.push_back({one.text("encoder"), one.boolean("held_out"), one.text_or_empty("photos"),
                    one.integer("n", 0), one.real("attack"), one.real("clean"), one.real("noise"),
                    one.real("attack_to_clean"), one.real("noise_to_clean"), one.integer("attack_nearer", 0),
                    one.integer("noise_nearer", 0)});
    if (value.contains("steps")) rows.back().steps = one.integer("steps", 0);
  }
  return rows;
}

ReadBackRow read_back_from(const RowReader& fields) {
  return {fields.text("reader"),          fields.real("mean_error_255"),  fields.real("max_error_255"),
          fields.real("clean_error_255"), fields.inner_path("seen_file"), fields.inner_path("wanted_file")};
}

/// What every row of a trial has.
Json always_written(const TrialRow& row) {
  Json losses = Json::array();
  for (const double loss : row.losses) losses.push_back(number_or_null(loss));
  return {{"id", row.id},
          {"model", row.model},
          {"source_image", row.source_image},
          {"behavior", row.behavior},
          {"target", row.target},
          {"constraint", row.constraint},
          {"constraint_name", row.constraint_name},
          {"epsilon_255", number_or_null(row.epsilon_255)},
          {"patch_size", row.patch_size},
          {"optimizer", row.optimizer},
          {"seed", row.seed},
          {"steps", row.steps},
          {"best_step", row.best_step},
          {"seconds", number_or_null(row.seconds)},
          {"seconds_per_step", number_or_null(row.seconds_per_step)},
          {"budget", to_json(row.budget)},
          {"loss_clean", number_or_null(row.loss_clean)},
          {"loss_saved", number_or_null(row.loss_saved)},
          {"losses", losses},
          {"success", to_json(row.success)},
          {"controls", to_json(row.controls)},
          {"image_file", row.image_file},
          {"origin_file", row.origin_file},
          {"noise_file", row.noise_file},
          {"defense", row.defense},
          {"adaptive", row.adaptive}};
}

}  // namespace

Json to_json(const TrialRow& row) {
  Json json = always_written(row);
  if (!row.suffix.empty()) json["suffix"] = row.suffix;
  if (!row.stopped.empty()) json["stopped"] = row.stopped;
  if (!row.query_score.empty()) json["query_score"] = row.query_score;
  if (row.idle_steps > 0) json["idle_steps"] = row.idle_steps;
  if (!row.setting.is_null()) json["setting"] = row.setting;
  if (!row.setting_digest.empty()) json["setting_digest"] = row.setting_digest;
  if (!row.trial_digest.empty()) json["trial_digest"] = row.trial_digest;
  if (row.reply_tokens > 0) json["reply_tokens"] = row.reply_tokens;
  if (!row.sampling.empty()) json["sampling"] = row.sampling;
  if (!row.files.empty()) json["files"] = row.files;
  if (!row.stack.is_null()) json["stack"] = row.stack;
  if (!std::isnan(row.visibility.psnr)) json["visibility"] = to_json(row.visibility);
  if (row.read_back) json["read_back"] = to_json(*row.read_back);
  for (const EncoderRow& one : row.encoders) json["encoders"].push_back(to_json(one));
  for (const auto& [model, tallies] : row.transfer) json["transfer"][model] = to_json(tallies);
  for (const PhotoRow& photo : row.photos)
    json["photos"].push_back({{"source_image", photo.source_image},
                              {"held_out", photo.held_out},
                              {"image_file", photo.image_file},
                              {"budget", to_json(photo.budget)},
                              {"test", to_json(photo.test)}});
  return json;
}

bool without_images(const TrialRow& trial) {
  return trial.source_image.empty() && trial.image_file.empty() && trial.origin_file.empty() &&
         trial.noise_file.empty();
}

std::string attack_condition(const TrialRow& trial) {
  return trial.adaptive ? "adaptive" : "attack";
}

Json to_json(const ReplyRow& row) {
  Json trace = Json::array();
  for (const StageTrace& stage : row.trace)
    trace.push_back({{"stage", stage.stage},
                     {"rejected", stage.rejected},
                     {"score", number_or_null(stage.score)},
                     {"threshold", number_or_null(stage.threshold)},
                     {"note", stage.note}});
  Json json = {{"trial", row.trial},
               {"condition", row.condition},
               {"split", row.split},
               {"context", to_json(row.context)},
               {"defense", row.defense},
               {"reply", row.reply},
               {"rejected", row.rejected},
               {"exact", row.exact},
               {"contained", row.substring},
               {"expected", row.expected},
               {"correct", row.correct},
               {"seconds", number_or_null(row.seconds)},
               {"trace", trace}};
  if (!row.target.empty()) json["target"] = row.target;
  if (!row.photo.empty()) json["photo"] = row.photo;
  if (!row.model.empty()) json["model"] = row.model;
  if (!row.sampling.empty()) json["sampling"] = row.sampling;
  if (row.draw > 0) json["draw"] = row.draw;
  if (row.cut) json["cut"] = true;
  if (!row.question.empty()) json["question"] = row.question;
  if (!row.stack.empty()) json["stack"] = row.stack;
  if (!row.variant.empty()) json["variant"] = row.variant;
  return json;
}

namespace {

/// The radius that the setting states; NaN for one that makes no sense, `otherwise` without any.
double stated_epsilon(const Json& setting, double otherwise) {
  if (!setting.is_object() || !setting.contains("epsilon") || !setting["epsilon"].is_string())
    return otherwise;
  try {
    return 255 * parse_epsilon(setting["epsilon"].get<std::string>());
  } catch (const Error&) {
    return std::numeric_limits<double>::quiet_NaN();
  }
}

/// Whether the change that the row tells of lies in the set of its own setting, whatever it claims.
bool fits_its_setting(const TrialRow& row) {
  constexpr double kLevel = 1e-3, kRounding = 1e-5;  // as measure_budget has them
  const Budget& budget = row.budget;
  if (!(budget.changed_outside == 0)) return false;
  if (row.constraint_name.starts_with("linf"))
    return budget.max_difference_255 <= stated_epsilon(row.setting, row.epsilon_255) + kLevel;
  if (!row.constraint_name.starts_with("l2") || !row.setting.is_object()) return true;
  const Json radius = row.setting.value("l2_radius", Json());
  return !radius.is_number() || budget.l2 <= radius.get<double>() + kRounding * (radius.get<double>() + 0.1);
}

/// What every row of a trial has.
void read_always_written(const RowReader& fields, TrialRow& row) {
  row.id = fields.text("id");
  row.model = fields.text("model");
  row.source_image = fields.text("source_image");
  row.behavior = fields.text("behavior");
  row.target = fields.text("target");
  row.constraint = fields.text("constraint");
  row.constraint_name = fields.text("constraint_name");
  row.epsilon_255 = fields.real("epsilon_255");
  row.patch_size = fields.integer("patch_size", 0);
  row.optimizer = fields.text("optimizer");
  row.seed = fields.seed("seed");
  row.steps = fields.integer("steps", 0);
  row.best_step = fields.integer("best_step", -1);
  row.seconds = fields.real("seconds");
  row.seconds_per_step = fields.real("seconds_per_step");
  row.budget = budget_from(fields.object("budget"));
  row.loss_clean = fields.real("loss_clean");
  row.loss_saved = fields.real("loss_saved");
  row.losses = fields.reals("losses");
  row.success = fields.tallies("success");
  row.controls = fields.tallies("controls");
  row.image_file = fields.inner_path_or_empty("image_file");
  row.origin_file = fields.inner_path_or_empty("origin_file");
  row.noise_file = fields.inner_path_or_empty("noise_file");
}

}  // namespace

TrialRow trial_from_json(const Json& json, const std::string& where) {
  const RowReader fields(json, where);
  TrialRow row;
  read_always_written(fields, row);
  row.suffix = fields.text_or_empty("suffix");
  row.stopped = fields.text_or_empty("stopped");
  row.query_score = fields.text_or_empty("query_score");
  if (json.contains("idle_steps")) row.idle_steps = fields.integer("idle_steps", 0);
  if (json.contains("photos")) row.photos = photos_from(fields);
  if (json.contains("defense")) row.defense = fields.text("defense");
  if (json.contains("transfer")) {
    const RowReader transfer = fields.object("transfer");
    for (const auto& [model, value] : json["transfer"].items())
      row.transfer[model] = transfer.tallies(model.c_str());
  }
  if (json.contains("adaptive")) row.adaptive = fields.boolean("adaptive");
  if (json.contains("visibility")) row.visibility = visibility_from(fields.object("visibility"));
  if (json.contains("read_back")) row.read_back = read_back_from(fields.object("read_back"));
  if (json.contains("encoders")) row.encoders = encoders_from(fields);
  if (json.contains("setting")) row.setting = fields.object("setting").json();
  if (json.contains("stack")) row.stack = fields.object("stack").json();
  row.setting_digest = fields.text_or_empty("setting_digest");
  row.trial_digest = fields.text_or_empty("trial_digest");
  if (json.contains("reply_tokens")) row.reply_tokens = fields.integer("reply_tokens", 1);
  row.sampling = fields.text_or_empty("sampling");
  if (json.contains("files")) row.files = fields.object("files").inner_files();
  row.budget.respected = row.budget.respected && fits_its_setting(row);
  return row;
}

ReplyRow reply_from_json(const Json& json, const std::string& where) {
  const RowReader fields(json, where);
  ReplyRow row;
  row.trial = fields.text("trial");
  row.condition = fields.text("condition");
  row.split = fields.text("split");
  row.context = query_from(fields.object("context"));
  row.defense = fields.text("defense");
  row.reply = fields.text("reply");
  row.rejected = fields.boolean("rejected");
  row.exact = fields.boolean("exact");
  row.substring = fields.boolean("contained");
  row.target = fields.text_or_empty("target");
  row.photo = fields.text_or_empty("photo");
  row.model = fields.text_or_empty("model");
  row.expected = fields.text("expected");
  row.correct = fields.boolean("correct");
  row.seconds = fields.real("seconds");
  row.sampling = fields.text_or_empty("sampling");
  if (json.contains("draw")) row.draw = fields.integer("draw", 0);
  row.cut = json.contains("cut") && fields.boolean("cut");
  row.question = fields.text_or_empty("question");
  row.stack = fields.text_or_empty("stack");
  row.variant = fields.text_or_empty("variant");
  size_t index = 0;
  for (const Json& value : fields.array("trace")) {
    const RowReader stage = fields.item(value, "trace", index++);
    row.trace.push_back({stage.text("stage"), stage.boolean("rejected"), stage.real("score"),
                         stage.real("threshold"), stage.text("note")});
  }
  return row;
}

}  // namespace hijack
