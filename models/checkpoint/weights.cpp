#include <ATen/ATen.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "models/checkpoint/safetensors.h"
#include "src/base/error.h"
#include "src/base/json.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;

std::string shape_text(at::IntArrayRef shape) {
  std::ostringstream text;
  text << shape;
  return text.str();
}

/// A file name inside the folder, and nothing that could lead out of it.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string("/\\\0", 3)) == name.npos;
}

std::map<std::string, std::set<std::string>> tensors_by_shard(const fs::path& index) {
  const nlohmann::json content = read_json(index);
  if (!content.is_object() || !content.contains("weight_map") || !content["weight_map"].is_object())
    throw Error(index.string() + " has no weight_map: it is not the index of a sharded checkpoint");
  std::map<std::string, std::set<std::string>> shards;
  for (const auto& [tensor, shard] : content["weight_map"].items()) {
    if (!shard.is_string() || !is_plain_name(shard.get_ref<const std::string&>()))
      throw Error(index.string() + " places " + tensor.substr(0, 200) +
                  " in something that is not the name of a file beside it");
    shards[shard.get<std::string>()].insert(tensor);
  }
  return shards;
}

TensorMap load_shards(const fs::path& folder, const fs::path& index) {
  TensorMap all;
  for (const auto& [shard, expected] : tensors_by_shard(index)) {
    if (!fs::is_regular_file(folder / shard))
      throw Error(folder.string() + " lacks the shard " + shard + " that " + index.filename().string() +
                  " names; download the checkpoint again");
    TensorMap tensors = load_safetensors(folder / shard);
    for (const std::string& name : expected)
      if (!tensors.contains(name))
        throw Error((folder / shard).string() + " lacks the tensor " + name.substr(0, 200) + " that " +
                    index.filename().string() + " places in it");
    for (const auto& [name, tensor] : tensors)
      if (!expected.contains(name))
        throw Error((folder / shard).string() + " has the tensor " + name.substr(0, 200) + " that " +
                    index.filename().string() + " does not place in it");
    all.merge(tensors);
  }
  return all;
}

[[noreturn]] void refuse(const fs::path& folder) {
  if (!fs::is_directory(folder))
    throw Error(folder.string() + " is not a folder; give the folder of a checkpoint in Hugging Face format");
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string ending = entry.path().extension().string();
    if (ending == ".bin" || ending == ".pt" || ending == ".pth")
      throw Error(folder.string() + " has its weights as " + entry.path().filename().string() +
                  ", a pickle that can run code when read; convert it in Python with "
                  "AutoModel.from_pretrained(DIR).save_pretrained(NEW_DIR), which writes model.safetensors");
  }
  throw Error(folder.string() + " has neither model.safetensors nor model.safetensors.index.json");
}

TensorMap load_folder(const fs::path& folder) {
  const fs::path single = folder / "model.safetensors", index = folder / "model.safetensors.index.json";
  if (fs::is_regular_file(single)) return load_safetensors(single);
  if (fs::is_regular_file(index)) return load_shards(folder, index);
  refuse(folder);
}

}  // namespace

Weights::Weights(const fs::path& folder) : Weights(load_folder(folder), folder.string()) {}

Weights::Weights(TensorMap tensors, std::string where)
    : where_(std::move(where)), tensors_(std::move(tensors)) {}

void Weights::rename(const std::function<std::string(const std::string&)>& canonical) {
  TensorMap renamed;
  for (auto& [stored, tensor] : tensors_) {
    const std::string name = canonical(stored);
    if (name.empty()) continue;
    if (!renamed.emplace(name, tensor).second)
      throw Error(where_ + " has two tensors for " + name + ", one of them stored as " + stored);
  }
  tensors_ = std::move(renamed);
  used_.clear();
}

void Weights::replace(const std::string& prefix, const Weights& others) {
  std::erase_if(tensors_, [&](const auto& one) { return one.first.starts_with(prefix); });
  for (const auto& [name, tensor] : others.tensors_)
    if (!tensors_.emplace(name, tensor).second)
      throw Error(others.where_ + " has a tensor " + name.substr(0, 200) + ", which " + where_ +
                  " has as well");
}

at::IntArrayRef Weights::shape(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw Error(where_ + " lacks the tensor " + name);
  return found->second.sizes();
}

Tensor Weights::take(const std::string& name, at::IntArrayRef shape) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw Error(where_ + " lacks the tensor " + name);
  if (found->second.sizes() != shape)
    throw Error(where_ + ": the tensor " + name + " has the shape " + shape_text(found->second.sizes()) +
                ", but config.json asks for " + shape_text(shape));
  if (!at::isFloatingType(found->second.scalar_type()))
    throw Error(where_ + ": the tensor " + name + " is of type " +
                c10::toString(found->second.scalar_type()) +
                "; weights must be floating-point numbers (quantized checkpoints are not supported)");
  used_.insert(name);
  return found->second;
}

void Weights::finish() const {
  std::string names;
  int64_t count = 0;
  for (const auto& [name, tensor] : tensors_)
    if (!used_.contains(name) && ++count <= 3) names += (names.empty() ? "" : ", ") + name.substr(0, 200);
  if (count > 0)
    throw Error(where_ + " has " + std::to_string(count) +
                " tensors that this kind of model does not use: " + names + (count > 3 ? ", ..." : ""));
}

}  // namespace hijack
