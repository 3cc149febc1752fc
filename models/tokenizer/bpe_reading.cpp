#include <functional>

#include "models/tokenizer/bpe.h"
#include "src/base/error.h"
#include "src/base/unicode.h"

namespace hijack::tokenizer {
namespace {

using json_reader::Json;

void refuse_affix(const Json& model, const char* key, const std::string& where) {
  const auto found = model.find(key);
  if (found == model.end() || found->is_null()) return;
  if (!found->is_string() || !found->get_ref<const std::string&>().empty())
    json_reader::unsupported("BPE with '" + std::string(key) + "'", where);
}

void check_dropout(const Json& model, const std::string& where) {
  const auto found = model.find("dropout");
  if (found == model.end() || found->is_null()) return;
  if (!found->is_number() || !(found->get<double>() >= 0 && found->get<double>() <= 1))
    throw Error(where + ": 'dropout' must be a number in [0, 1]");
}

using Place = std::function<std::string()>;  // written out only for a message: there are many merges

std::pair<std::string, std::string> merge_parts(const Json& merge, const Place& where) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string())
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  if (!merge.is_string()) throw Error(where() + ": must be \"a b\" or [\"a\", \"b\"]");
  const auto& line = merge.get_ref<const std::string&>();
  const size_t space = line.find(' ');
  if (space == line.npos || line.find(' ', space + 1) != line.npos)
    throw Error(where() + ": '" + unicode::excerpt(line) + "' must be two tokens with one space between");
  return {line.substr(0, space), line.substr(space + 1)};
}

}  // namespace

Bpe::Bpe(const Json& model, const std::string& where) : WordModel(model, where) {
  refuse_affix(model, "continuing_subword_prefix", where);
  const auto suffix = model.find("end_of_word_suffix");
  if (suffix != model.end() && !suffix->is_null())
    word_end_ = json_reader::text(model, "end_of_word_suffix", where);
  check_dropout(model, where);
  fuse_unknown_ = json_reader::flag(model, "fuse_unk", false, where);
  byte_fallback_ = json_reader::flag(model, "byte_fallback", false, where);
  ignore_merges_ = json_reader::flag(model, "ignore_merges", false, where);
  read_merges(model, where);
  if (model.contains("unk_token") && !model["unk_token"].is_null()) {
    unknown_token_ = json_reader::text(model, "unk_token", where);
    unknown_ = id_of(unknown_token_);
  }
  if (byte_fallback_) fallback_bytes_ = byte_tokens();
}

void Bpe::read_merges(const Json& model, const std::string& where) {
  const Json& merges = json_reader::array(model, "merges", where);
  merges_.reserve(merges.size());
  const bool strings = !merges.empty() && merges[0].is_string();
  uint32_t rank = 0;
  for (size_t i = 0; i < merges.size(); ++i) {
    const Place place = [&] { return where + ".merges[" + std::to_string(i) + "]"; };
    if (merges[i].is_string() != strings) throw Error(place() + ": strings and pairs are mixed");
    if (strings && merges[i].get_ref<const std::string&>().starts_with("#version")) continue;
    const auto [left, right] = merge_parts(merges[i], place);
    add_merge(left, right, rank++, place);
  }
}

void Bpe::add_merge(const std::string& left, const std::string& right, uint32_t rank, const Place& where) {
  const auto known = [&](const std::string& token) {
    const auto id = id_of(token);
    if (!id) throw Error(where() + ": '" + unicode::excerpt(token) + "' is not in the vocabulary");
    return *id;
  };
  const uint64_t pair = uint64_t{known(left)} << 32 | known(right);
  merges_.insert_or_assign(pair, Merge{rank, known(left + right)});
}

}  // namespace hijack::tokenizer
