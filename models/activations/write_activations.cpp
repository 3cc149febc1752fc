#include <nlohmann/json.hpp>

#include "models/activations/activations.h"
#include "models/checkpoint/safetensors.h"
#include "src/base/error.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;

fs::path numbered(const fs::path& file, size_t index, size_t count) {
  const auto digits = [](size_t number) {
    const std::string text = std::to_string(number);
    return std::string(text.size() < 5 ? 5 - text.size() : 0, '0') + text;
  };
  return file.parent_path() /
         (file.stem().string() + "-" + digits(index) + "-of-" + digits(count) + file.extension().string());
}

/// Shards of an earlier set of this name.
std::vector<fs::path> earlier_shards(const fs::path& file) {
  std::vector<fs::path> found;
  const fs::path folder = file.parent_path().empty() ? "." : file.parent_path();
  const std::string begin = file.stem().string() + "-";
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(begin) || entry.path().extension() != file.extension()) continue;
    const std::string rest = entry.path().stem().string().substr(begin.size());
    if (rest.size() >= 14 && rest.find("-of-") != std::string::npos &&
        rest.find_first_not_of("0123456789-of") == std::string::npos)
      found.push_back(entry.path());
  }
  return found;
}

std::map<std::string, std::string> metadata_of(const ActivationSource& source) {
  const auto list = [](const std::vector<std::string>& texts) {
    return nlohmann::json(texts).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  };
  return {{"format", "hijack activations 1"},
          {"model", source.model},
          {"model_sha256", source.model_sha256},
          {"hook", hook_point_name(source.hook.point)},
          {"layer", std::to_string(source.hook.layer)},
          {"tokens", token_choice_name(source.tokens)},
          {"labels", list(source.labels)},
          {"images", list(source.images)},
          {"contexts", list(source.contexts)}};
}

}  // namespace

ActivationWriter::ActivationWriter(fs::path file, ActivationSource source, int64_t bytes_per_shard)
    : file_(std::move(file)), source_(std::move(source)), bytes_per_shard_(bytes_per_shard) {
  if (file_.extension() != ".safetensors")
    throw Error("activations are written as safetensors: name a file that ends in .safetensors, not '" +
                file_.string() + "'.");
}

ActivationWriter::~ActivationWriter() {
  std::error_code ignored;
  for (const fs::path& file : temporary_) fs::remove(file, ignored);
}

void ActivationWriter::add(ActivationRows rows) {
  TORCH_CHECK(rows.states.dim() == 2 && rows.states.size(1) == source_.width, "states are [n,D]");
  if (rows.size() == 0) return;
  rows.states = rows.states.detach().to(at::kFloat).cpu().contiguous();
  rows_ += rows.size();
  // what is added at once may be more than a shard
  const int64_t per_row = source_.width * 4 + 5 * 8;
  for (int64_t begin = 0; begin < rows.size();) {
    const int64_t room = std::max<int64_t>((bytes_per_shard_ - open_bytes_) / per_row, 1);
    const int64_t count = std::min(room, rows.size() - begin);
    const auto part = [&](const Tensor& all) { return all.narrow(0, begin, count).clone(); };
    open_.push_back({part(rows.states), part(rows.label), part(rows.image), part(rows.context),
                     part(rows.position), part(rows.token)});
    open_bytes_ += count * per_row;
    begin += count;
    if (open_bytes_ + per_row > bytes_per_shard_) write_shard();
  }
}

void ActivationWriter::write_shard() {
  const auto joined = [&](Tensor ActivationRows::*member) {
    std::vector<Tensor> parts;
    for (const ActivationRows& rows : open_) parts.push_back(rows.*member);
    return at::cat(parts);
  };
  const TensorMap tensors = {
      {"states", joined(&ActivationRows::states)},     {"label", joined(&ActivationRows::label)},
      {"image", joined(&ActivationRows::image)},       {"context", joined(&ActivationRows::context)},
      {"position", joined(&ActivationRows::position)}, {"token", joined(&ActivationRows::token)}};
  fs::path name = file_;
  name += ".part-" + std::to_string(temporary_.size() + 1);
  temporary_.push_back(name);
  save_safetensors(tensors, name, metadata_of(source_));
  open_.clear();
  open_bytes_ = 0;
}

std::vector<fs::path> ActivationWriter::finish() {
  if (!open_.empty()) write_shard();
  if (temporary_.empty())
    throw Error("there are no tokens of this kind: nothing is written to '" + file_.string() + "'.");
  for (const fs::path& old : earlier_shards(file_)) fs::remove(old);
  std::vector<fs::path> names;
  const size_t count = temporary_.size();
  for (size_t i = 0; i < count; ++i) {
    names.push_back(count == 1 ? file_ : numbered(file_, i + 1, count));
    fs::rename(temporary_[i], names.back());
  }
  if (count > 1) fs::remove(file_);
  temporary_.clear();
  return names;
}

}  // namespace hijack
