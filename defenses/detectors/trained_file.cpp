#include "defenses/detectors/trained_file.h"

#include <charconv>

#include "models/checkpoint/safetensors_metadata.h"
#include "src/base/error.h"
#include "src/base/file.h"

namespace hijack {
namespace {

constexpr const char* kDetectorFormat = "hijack detector 1";
constexpr size_t kDigits = 16;

/// The command that writes the file of a defense.
std::string training_of(const std::string& defense) {
  return defense == "steering" ? "hijack train steering" : "hijack train detector " + defense;
}

}  // namespace

void TrainedParameters::check(const std::string& defense) const {
  if (trained.empty())
    throw Error("Defense '" + defense + "' learns from examples: make them a file with '" +
                training_of(defense) + "' and name it, " + defense + ":trained=FILE.");
}

const std::string& TrainedFile::text(const std::string& name) const {
  const auto found = metadata.find(name);
  if (found == metadata.end()) throw Error(where + " has no '" + name + "' in its metadata.");
  return found->second;
}

int64_t TrainedFile::number(const std::string& name, int64_t least, int64_t most) const {
  const std::string& digits = text(name);
  int64_t value = 0;
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (failed != std::errc() || end != digits.data() + digits.size() || value < least || value > most)
    throw Error(where + ": '" + name + "' must be from " + std::to_string(least) + " to " +
                std::to_string(most) + ", not '" + digits.substr(0, 40) + "'.");
  return value;
}

TrainedFile read_trained(TrainedParameters& parameters, const DefenseResources& resources,
                         const std::string& defense) {
  parameters.check(defense);
  TrainedFile file{.where = parameters.trained};
  file.metadata = load_safetensors_metadata(file.where);
  const auto format = file.metadata.find("format");
  if (format == file.metadata.end() || format->second != kDetectorFormat)
    throw Error(file.where + " holds nothing that a defense has learned: '" + training_of(defense) +
                "' writes such files.");
  if (file.text("detector") != defense)
    throw Error(file.where + " is a trained " + file.text("detector").substr(0, 40) + ", not a " + defense +
                ".");
  const std::string hash = sha256_file(file.where);
  if (!hash.starts_with(parameters.sha256))
    throw Error(file.where + " is not the file that " + defense + ":sha256=" + parameters.sha256 + " means.");
  parameters.sha256 = hash.substr(0, kDigits);
  if (resources.model_sha256 && resources.model_sha256() != file.text("model_sha256"))
    throw Error(file.where + " was trained on another model (" + file.text("model").substr(0, 80) +
                "): take one that was trained on this one.");
  file.tensors = load_safetensors(file.where);
  parameters.trained = std::filesystem::path(parameters.trained).filename().string();
  return file;
}

void save_trained(const std::string& file, const std::string& detector, const TensorMap& tensors,
                  std::map<std::string, std::string> metadata) {
  metadata["format"] = kDetectorFormat;
  metadata["detector"] = detector;
  save_safetensors(tensors, file, metadata);
}

}  // namespace hijack
