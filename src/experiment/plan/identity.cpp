#include "src/experiment/plan/identity.h"

#include <mutex>

#include "defenses/make_defense.h"
#include "models/families/llava_original.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/sha256.h"
#include "src/experiment/plan/hash_cache.h"
#include "src/experiment/plan/machine.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Raised whenever equal configs are measured in another way than before: their rows are not pooled.
constexpr int kProtocol = 2;

constexpr int kDeepest = 4;  // folders in a model folder

bool holds(const fs::path& folder, const std::string& ending) {
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ending) return true;
  return false;
}

/// All but what is written about a model, and other copies of its weights.
bool decides(const fs::path& file, bool safetensors) {
  static const std::set<std::string> kNever = {".md",  ".jsonl", ".py",   ".png",  ".jpg",
                                               ".pdf", ".h5",    ".onnx", ".gguf", ".msgpack"};
  static const std::set<std::string> kOtherWeights = {".bin", ".pth"};
  const std::string ending = file.extension().string();
  return !kNever.contains(ending) && !(safetensors && kOtherWeights.contains(ending));
}

json hashes_of(const std::vector<std::string>& files) {
  json list = json::array();
  for (const std::string& file : files) list.push_back(file_hash(file));
  return list;
}

json model_hashes(const std::vector<std::string>& folders) {
  json list = json::array();
  for (const std::string& folder : folders) list.push_back(model_hash(folder));
  return list;
}

/// The field `name` of a file gives way to the hash of its content.
void replace_file(json& setting, const char* name, const std::string& file) {
  setting.erase(name);
  setting[std::string(name) + "_sha256"] = file.empty() ? "" : file_hash(file);
}

}  // namespace

std::string digest_of(const json& value) {
  return sha256(value.dump(-1, ' ', false, json::error_handler_t::replace)).substr(0, 16);
}

std::string file_hash(const fs::path& file) {
  static std::mutex guard;
  static std::map<FileStamp, std::string> known;
  const FileStamp stamp = stamp_of(file);
  {
    const std::lock_guard lock(guard);
    const auto found = known.find(stamp);
    if (found != known.end() && stamp != FileStamp{}) return found->second;
  }
  const HashCache cache = HashCache::of_user();
  const auto kept = cache.find(stamp);
  std::string hash = kept ? *kept : sha256_file(file);
  if (stamp != stamp_of(file)) return hash;  // it was written meanwhile
  if (!kept) cache.keep(stamp, hash);
  const std::lock_guard lock(guard);
  known[stamp] = hash;
  return hash;
}

namespace {

std::map<std::string, std::string> files_of(const fs::path& folder) {
  if (!fs::is_directory(folder))
    throw Error("There is no model folder '" + folder.string() +
                "'; --model takes a Hugging Face checkpoint folder.");
  const bool safetensors = holds(folder, ".safetensors");
  std::map<std::string, std::string> files;
  fs::recursive_directory_iterator entry(folder);
  for (; entry != fs::recursive_directory_iterator(); ++entry) {
    const fs::path& path = entry->path();
    if (path.filename().string().starts_with(".")) {
      if (entry->is_directory()) entry.disable_recursion_pending();
      continue;
    }
    if (entry.depth() > kDeepest)
      throw Error("The model folder '" + folder.string() + "' is nested too deep.");
    if (entry->is_regular_file() && decides(path, safetensors))
      files[path.lexically_relative(folder).string()] = file_hash(path);
  }
  return files;
}

}  // namespace

std::map<std::string, std::string> model_files(const fs::path& folder) {
  std::map<std::string, std::string> files = files_of(folder);
  if (const auto tower = named_tower(folder))
    for (const auto& [name, hash] : files_of(*tower)) files["vision tower: " + name] = hash;
  return files;
}

std::string model_hash(const fs::path& folder) {
  return sha256(json(model_files(folder)).dump());
}

std::string by_content(const std::string& defense) {
  return with_trained_file(with_own_model(defense, [](std::string& folder) { folder = model_hash(folder); }),
                           [](std::string& file) { file = file_hash(file); });
}

namespace {

/// Fields of runs without surrogates are left out, as before there were any.
void identify_surrogates(AttackConfig& config, json& setting) {
  if (!config.surrogate.any()) {
    for (const Field& field : fields_of(config.surrogate)) setting.erase(field.name);
    return;
  }
  for (const char* name : {"surrogate", "transfer_encoder", "auxiliary_image"}) setting.erase(name);
  if (!config.surrogate.choice.chooses(config.surrogate.folders.size()))
    for (const Field& field : fields_of(config.surrogate.choice)) setting.erase(field.name);
  setting["surrogate_sha256"] = model_hashes(config.surrogate.folders);
  setting["transfer_encoder_sha256"] = model_hashes(config.surrogate.held_out);
  setting["auxiliary_image_sha256"] = hashes_of(config.surrogate.auxiliary_images);
}

/// How a victim behind an API is asked decides nothing but whom.
void settle_victim(json& setting, AttackConfig& config) {
  for (const Field& field : fields_of(config.asking)) setting.erase(field.name);
  if (config.victim.empty())
    setting.erase("victim"), setting.erase("victim_scores");  // as before there was this
  if (config.query_score == AttackConfig().query_score) setting.erase("query_score");
}

}  // namespace

Identity identity_of(const AttackConfig& given) {
  AttackConfig config = given;
  Identity identity;
  json& setting = identity.setting = fields_to_json(fields_of(config));
  for (const char* name : {"image", "held_out_image", "seed", "threads", "image_batch", "device", "num_beams",
                           "checkpoint_every", "model", "vision_tower", "adapter", "ensemble", "transfer"})
    setting.erase(name);
  if (config.objective.hardest_of == 1) setting.erase("hardest_of");  // as before there was this
  identify_surrogates(config, setting);
  settle_victim(setting, config);
  if (config.sampling.greedy())  // as before there was anything else
    for (const char* name : {"temperature", "top_p", "top_k", "samples"}) setting.erase(name);
  setting["protocol"] = kProtocol;
  setting["dtype"] = dtype_of(config);  // `auto` is another type on another device
  setting["model_sha256"] = model_hash(config.model);
  if (!config.adapter.empty()) setting["adapter_sha256"] = model_hash(config.adapter);
  if (!config.vision_tower.empty()) setting["vision_tower_sha256"] = model_hash(config.vision_tower);
  setting["ensemble_sha256"] = model_hashes(config.ensemble);
  setting["transfer_sha256"] = model_hashes(config.transfer);
  setting["defense"] = json::array();
  for (const std::string& defense : config.defense.defenses)
    setting["defense"].push_back(by_content(defense));
  replace_file(setting, "contexts", config.contexts);
  replace_file(setting, "targets", config.behavior.targets);
  replace_file(setting, "templates", config.augmentation.templates);
  replace_file(setting, "mask", config.constraint.mask);
  replace_file(setting, "feature_image", config.objective.feature_image);
  replace_file(setting, "font", config.typographic.font);
  if (config.method == "scaling")
    replace_file(setting, "scaling_picture", config.scaling.picture);
  else  // as before there was this method
    for (const Field& field : fields_of(config.scaling)) setting.erase(field.name);
  if (config.universal) setting["photos_sha256"] = hashes_of(config.images);
  identity.setting_digest = digest_of(setting);
  identity.trial_digest = digest_of({{"setting", identity.setting_digest},
                                     {"seed", config.seeds},
                                     {"photos", hashes_of(config.images)},
                                     {"held_out_photos", hashes_of(config.held_out_images)}});
  return identity;
}

}  // namespace hijack
