#pragma once
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "src/experiment/plan/config.h"

// What a number belongs to. Two trials are of one setting when everything that can change their outcome is
// the same, but for seed and photo; they are one trial when these are the same, too. Files and weights count
// by their content, never by their names: a copy is the same, a file that was replaced is not.

namespace hijack {

/// First 16 hexadecimal digits of the SHA-256 of the compact dump; keys of objects are in alphabetical order.
std::string digest_of(const nlohmann::json& value);

/// SHA-256 of a file as 64 hexadecimal digits. A file is read again only when its size, time of change or
/// inode is another. Throws Error when it cannot be read.
std::string file_hash(const std::filesystem::path& file);

/// The files of a model folder that decide what it answers (weights, configs, tokenizer, templates), by name,
/// with their SHA-256. Throws Error when there is no such folder.
std::map<std::string, std::string> model_files(const std::filesystem::path& folder);
/// One SHA-256 for all of them: equal for copies of a model, whatever their folders are called.
std::string model_hash(const std::filesystem::path& folder);

/// A defense's spec with hashes in place of the folder of its own model and of the file that it has learned
/// from, if it names any.
std::string by_content(const std::string& defense);

struct Identity {
  /// The resolved configuration, {field: value} as in files. In place of file names stand the SHA-256 sums of
  /// their content ("contexts_sha256", "model_sha256"); "photos_sha256" only where one change is sought for
  /// all photos. Not in it: seed, photo, and what only tells the machine how to work (device, threads,
  /// checkpoint_every), which decides no more than the order of rounding.
  nlohmann::json setting;
  std::string setting_digest;
  std::string trial_digest;  ///< of setting, seed and photos
};
/// Of a resolved config with one seed. Reads every file it names.
Identity identity_of(const AttackConfig& config);

}  // namespace hijack
