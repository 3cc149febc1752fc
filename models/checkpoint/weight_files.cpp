#include "models/checkpoint/weight_files.h"

#include <nlohmann/json.hpp>

#include "models/checkpoint/torch_archive.h"
#include "src/base/error.h"
#include "src/base/json.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;

/// One way in which weights are stored.
struct Layout {
  const char* single;
  const char* index;
};
constexpr Layout kLayouts[] = {{"model.safetensors", "model.safetensors.index.json"},
                               {"pytorch_model.bin", "pytorch_model.bin.index.json"}};

using Shards = std::map<std::string, std::set<std::string>>;  ///< names of tensors by file

/// A file name inside the folder, and nothing that could lead out of it.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string("/\\\0", 3)) == name.npos;
}

Shards tensors_by_shard(const fs::path& index) {
  const nlohmann::json content = read_json(index);
  if (!content.is_object() || !content.contains("weight_map") || !content["weight_map"].is_object())
    throw Error(index.string() + " has no weight_map: it is not the index of a sharded checkpoint");
  Shards shards;
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
    TensorMap tensors = load_tensors(folder / shard);
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

/// Weights of other formats, by the ending of their files.
struct Other {
  const char* ending;
  const char* what;
};
constexpr Other kOthers[] = {
    {".gguf",
     "llama.cpp's format (GGUF), which is not read: take the model's folder in Hugging Face format, with "
     "safetensors"},
    {".h5", "weights of TensorFlow, which are not read: take the model's folder with safetensors"},
    {".msgpack", "weights of Flax, which are not read: take the model's folder with safetensors"},
    {".safetensors",
     "under a name that is not the checkpoint's; it must be model.safetensors, or have an index"},
    {".bin", "under a name that is not the checkpoint's; it must be pytorch_model.bin, or have an index"},
    {".pt", "under a name that is not the checkpoint's; a whole state dict is read as pytorch_model.bin"},
    {".pth",
     "in the layout of the model's makers; convert it in Python with the script convert_..._to_hf.py of "
     "transformers"}};

[[noreturn]] void refuse_folder(const fs::path& folder) {
  for (const Other& other : kOthers)
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.path().extension() == other.ending)
        throw Error(folder.string() + " has " + entry.path().filename().string().substr(0, 100) + ", " +
                    other.what);
  throw Error(folder.string() +
              " has neither model.safetensors nor pytorch_model.bin, nor an index of either");
}

const Layout& layout_of(const fs::path& folder) {
  if (!fs::is_directory(folder))
    throw Error(folder.string() + " is not a folder; give the folder of a checkpoint in Hugging Face format");
  for (const Layout& layout : kLayouts)
    for (const char* file : {layout.single, layout.index})
      if (fs::is_regular_file(folder / file)) return layout;
  refuse_folder(folder);
}

}  // namespace

bool has_weights(const fs::path& folder) {
  if (!fs::is_directory(folder)) return true;  // layout_of says so
  return std::any_of(fs::directory_iterator(folder), {}, [](const fs::directory_entry& entry) {
    const std::string name = entry.path().filename().string();
    for (const char* ending :
         {".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".pt", ".pth"})
      if (name.ends_with(ending)) return true;
    return false;
  });
}

std::vector<fs::path> weight_files(const fs::path& folder) {
  const Layout& layout = layout_of(folder);
  if (fs::is_regular_file(folder / layout.single)) return {folder / layout.single};
  std::vector<fs::path> files;
  for (const auto& [shard, tensors] : tensors_by_shard(folder / layout.index)) {
    if (!fs::is_regular_file(folder / shard))
      throw Error(folder.string() + " lacks the shard " + shard + " that " + layout.index +
                  " names; download the checkpoint again");
    files.push_back(folder / shard);
  }
  return files;
}

TensorMap load_tensors(const fs::path& file) {
  const std::string ending = file.extension().string();
  return ending == ".bin" || ending == ".pt" || ending == ".pth" ? load_torch_archive(file)
                                                                 : load_safetensors(file);
}

TensorMap load_weights(const fs::path& folder) {
  const std::vector<fs::path> files = weight_files(folder);
  const Layout& layout = layout_of(folder);
  if (fs::is_regular_file(folder / layout.single)) return load_tensors(files.front());
  return load_shards(folder, folder / layout.index);
}

}  // namespace hijack
