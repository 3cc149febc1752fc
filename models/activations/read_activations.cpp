#include <charconv>
#include <nlohmann/json.hpp>

#include "models/activations/activations.h"
#include "models/checkpoint/safetensors.h"
#include "models/checkpoint/safetensors_metadata.h"
#include "src/base/error.h"
#include "src/base/json.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;

/// The file, or its shards, all of them.
std::vector<fs::path> shards_of(const fs::path& file) {
  if (fs::exists(file)) return {file};
  const fs::path folder = file.parent_path().empty() ? "." : file.parent_path();
  const std::string begin = file.stem().string() + "-";
  std::vector<fs::path> found;
  if (fs::is_directory(folder))
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.path().filename().string().starts_with(begin) && entry.path().extension() == ".safetensors" &&
          entry.path().stem().string().find("-of-", begin.size()) != std::string::npos)
        found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  if (found.empty()) throw Error("there is no file '" + file.string() + "', nor shards of it.");
  const std::string last = found.back().stem().string(), count = last.substr(last.rfind('-') + 1);
  size_t wanted = 0;
  std::from_chars(count.data(), count.data() + count.size(), wanted);
  if (wanted != found.size())
    throw Error("of the " + count + " shards of '" + file.string() + "' " + std::to_string(found.size()) +
                " are there.");
  return found;
}

std::vector<std::string> texts_of(const std::string& json, const std::string& where) {
  const nlohmann::json list = parse_json(json, where);
  std::vector<std::string> texts;
  if (!list.is_array()) throw Error(where + " has a list in its metadata that is none.");
  for (const auto& one : list) {
    if (!one.is_string()) throw Error(where + " has a list in its metadata that is not of texts.");
    texts.push_back(one.get<std::string>());
  }
  return texts;
}

ActivationSource source_of(const fs::path& file) {
  const auto metadata = load_safetensors_metadata(file);
  const std::string where = file.string();
  const auto format = metadata.find("format");
  if (format == metadata.end() || format->second != "hijack activations 1")
    throw Error(where + " is no file of activations: hijack activations writes them.");
  const auto text = [&](const char* name) {
    const auto found = metadata.find(name);
    if (found == metadata.end()) throw Error(where + " has no '" + name + "' in its metadata.");
    return found->second;
  };
  ActivationSource source{.model = text("model"),
                          .model_sha256 = text("model_sha256"),
                          .hook = {hook_point_from_name(text("hook")), -1},
                          .tokens = token_choice_from_name(text("tokens")),
                          .labels = texts_of(text("labels"), where),
                          .images = texts_of(text("images"), where),
                          .contexts = texts_of(text("contexts"), where)};
  const std::string layer = text("layer");
  const auto [end, failed] = std::from_chars(layer.data(), layer.data() + layer.size(), source.hook.layer);
  if (failed != std::errc() || end != layer.data() + layer.size() || source.hook.layer < 0)
    throw Error(where + " has no layer, but '" + layer.substr(0, 40) + "'.");
  return source;
}

/// The index of each of `names` in `all`, which grows.
std::vector<int64_t> merged(std::vector<std::string>& all, const std::vector<std::string>& names) {
  std::map<std::string, int64_t> known;
  for (size_t i = 0; i < all.size(); ++i) known.emplace(all[i], static_cast<int64_t>(i));
  std::vector<int64_t> places;
  for (const std::string& name : names) {
    const auto [found, fresh] = known.try_emplace(name, static_cast<int64_t>(all.size()));
    if (fresh) all.push_back(name);
    places.push_back(found->second);
  }
  return places;
}

void check_same(const ActivationSource& one, const fs::path& first, const ActivationSource& other,
                const fs::path& second) {
  const auto differ = [&](const std::string& what, const std::string& a, const std::string& b) {
    if (a != b)
      throw Error(first.string() + " and " + second.string() + " do not belong together: their " + what +
                  " differ (" + a.substr(0, 80) + " and " + b.substr(0, 80) + ").");
  };
  differ("models", one.model + " " + one.model_sha256.substr(0, 16),
         (one.model_sha256 == other.model_sha256 ? one.model : other.model) + " " +
             other.model_sha256.substr(0, 16));
  differ("hooks", hook_point_name(one.hook.point), hook_point_name(other.hook.point));
  differ("layers", std::to_string(one.hook.layer), std::to_string(other.hook.layer));
  differ("tokens", token_choice_name(one.tokens), token_choice_name(other.tokens));
  differ("widths", std::to_string(one.width), std::to_string(other.width));
}

Tensor column(const TensorMap& tensors, const char* name, int64_t rows, const std::string& where) {
  const auto found = tensors.find(name);
  if (found == tensors.end() || found->second.scalar_type() != at::kLong || found->second.dim() != 1 ||
      found->second.size(0) != rows)
    throw Error(where + ": '" + name + "' must be one int64 for each row of 'states'.");
  return found->second;
}

/// An index into a list of the shard -> into that of all.
Tensor mapped(const Tensor& indices, const std::vector<int64_t>& places, const char* name,
              const std::string& where) {
  if (indices.numel() == 0) return indices;
  if (indices.min().item<int64_t>() < 0 ||
      indices.max().item<int64_t>() >= static_cast<int64_t>(places.size()))
    throw Error(where + ": '" + name + "' points outside of its list.");
  return at::tensor(places, at::kLong).index_select(0, indices);
}

Tensor states_in(const TensorMap& tensors, const std::string& where) {
  const auto found = tensors.find("states");
  if (found == tensors.end() || found->second.scalar_type() != at::kFloat || found->second.dim() != 2)
    throw Error(where + ": 'states' must be float32 with two dimensions.");
  return found->second;
}

}  // namespace

ActivationSet::ActivationSet(const std::vector<fs::path>& files) {
  for (const fs::path& file : files)
    for (const fs::path& shard : shards_of(file)) add(shard);
}

void ActivationSet::add(const fs::path& file) {
  ActivationSource found = source_of(file);
  found.width = states_in(load_safetensors(file), file.string()).size(1);
  if (files_.empty()) {
    source_ = found;
    source_.labels.clear(), source_.images.clear(), source_.contexts.clear();
  } else {
    check_same(source_, files_.front().file, found, file);
  }
  files_.push_back({file, merged(source_.labels, found.labels), merged(source_.images, found.images),
                    merged(source_.contexts, found.contexts)});
}

ActivationRows ActivationSet::rows(size_t shard) const {
  const Shard& from = files_.at(shard);
  const std::string where = from.file.string();
  const TensorMap tensors = load_safetensors(from.file);
  ActivationRows rows{.states = states_in(tensors, where)};
  if (rows.states.size(1) != source_.width || !rows.states.isfinite().all().item<bool>())
    throw Error(where + ": 'states' has values that are not finite, or another width than before.");
  const int64_t n = rows.size();
  rows.label = mapped(column(tensors, "label", n, where), from.labels, "label", where);
  rows.image = mapped(column(tensors, "image", n, where), from.images, "image", where);
  rows.context = mapped(column(tensors, "context", n, where), from.contexts, "context", where);
  rows.position = column(tensors, "position", n, where);
  rows.token = column(tensors, "token", n, where);
  return rows;
}

ActivationRows ActivationSet::all_rows(int64_t most_bytes) const {
  std::vector<Tensor> parts[6];
  int64_t bytes = 0;
  for (size_t shard = 0; shard < shards(); ++shard) {
    const ActivationRows one = rows(shard);
    bytes += static_cast<int64_t>(one.states.nbytes());
    if (bytes > most_bytes)
      throw Error(files_.front().file.string() + " and what belongs to it are larger than " +
                  std::to_string(most_bytes >> 20) + " MiB: give fewer tokens.");
    const Tensor columns[6] = {one.states, one.label, one.image, one.context, one.position, one.token};
    for (size_t k = 0; k < 6; ++k) parts[k].push_back(columns[k]);
  }
  return {at::cat(parts[0]), at::cat(parts[1]), at::cat(parts[2]),
          at::cat(parts[3]), at::cat(parts[4]), at::cat(parts[5])};
}

}  // namespace hijack
