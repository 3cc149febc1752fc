#include "src/training/own_replies.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/image.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;

std::vector<OwnReply> read_replies(const fs::path& file) {
  std::vector<OwnReply> replies;
  try {
    for (const auto& row : nlohmann::json::parse(read_file(file)))
      replies.push_back({row.at("prompt").get<std::string>(), row.at("reply").get<TokenIds>()});
  } catch (const nlohmann::json::exception&) {
    return {};
  }
  return replies;
}

bool answers(const std::vector<OwnReply>& replies, const std::vector<std::string>& prompts) {
  return std::equal(replies.begin(), replies.end(), prompts.begin(), prompts.end(),
                    [](const OwnReply& own, const std::string& prompt) { return own.prompt == prompt; });
}

}  // namespace

std::vector<OwnReply> own_replies(const EyeModel& eye, const std::vector<std::string>& prompts,
                                  int64_t reply_tokens) {
  const auto language = eye.model->language_model();
  const TokenIds end = eye.model->end_of_reply();
  std::vector<OwnReply> replies;
  for (size_t first = 0; first < prompts.size(); first += kRepliesAtOnce) {
    std::vector<Query> queries;
    for (size_t i = first; i < std::min(prompts.size(), first + kRepliesAtOnce); ++i)
      queries.push_back({.prompt = prompts[i]});
    const auto said = language->generate(queries, {.max_new_tokens = reply_tokens});
    for (size_t i = 0; i < queries.size(); ++i) {
      TokenIds ids = eye.model->tokenizer().encode(said[i].text, false);
      if (!said[i].cut) ids.insert(ids.end(), end.begin(), end.end());
      replies.push_back({queries[i].prompt, std::move(ids)});
    }
  }
  return replies;
}

std::vector<OwnReply> kept_own_replies(const EyeModel& eye, const std::vector<std::string>& prompts,
                                       int64_t reply_tokens, const fs::path& file) {
  if (fs::exists(file))
    if (auto kept = read_replies(file); answers(kept, prompts)) return kept;
  auto replies = own_replies(eye, prompts, reply_tokens);
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const OwnReply& own : replies) rows.push_back({{"prompt", own.prompt}, {"reply", own.reply}});
  write_file(file, rows.dump(1) + "\n");
  return replies;
}

std::vector<std::string> read_prompts(const fs::path& file) {
  std::vector<std::string> prompts;
  std::istringstream lines(read_file(file));
  for (std::string line; std::getline(lines, line);)
    if (!line.empty()) prompts.push_back(line);
  if (prompts.empty()) throw Error(file.string() + " holds no prompts; write one a line");
  return prompts;
}

std::vector<Tensor> load_photos(const fs::path& folder) {
  std::error_code failed;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder, failed))
    if (const auto kind = entry.path().extension(); kind == ".png" || kind == ".jpg" || kind == ".jpeg")
      files.push_back(entry.path());
  if (failed) throw Error("cannot read the folder of photos " + folder.string() + ": " + failed.message());
  if (files.empty()) throw Error(folder.string() + " holds no photos (.png, .jpg)");
  std::sort(files.begin(), files.end());
  std::vector<Tensor> photos;
  for (const auto& file : files) photos.push_back(load_image(file));
  return photos;
}

}  // namespace hijack
