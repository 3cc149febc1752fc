#pragma once
#include <filesystem>
#include <vector>

#include "src/training/eye_data.h"
#include "src/training/eye_model.h"

namespace hijack {

/// What the decoder replies to the prompts, greedily and without an image, in at most reply_tokens tokens.
std::vector<OwnReply> own_replies(const EyeModel& eye, const std::vector<std::string>& prompts,
                                  int64_t reply_tokens);

/// The same from the file, where it holds the replies to these prompts; else asks and writes it.
std::vector<OwnReply> kept_own_replies(const EyeModel& eye, const std::vector<std::string>& prompts,
                                       int64_t reply_tokens, const std::filesystem::path& file);

/// Lines of a file that are not empty. Throws Error when there is none.
std::vector<std::string> read_prompts(const std::filesystem::path& file);

/// All images of a folder, [1,3,H,W] in [0,1], by name. Throws Error when there is none.
std::vector<Tensor> load_photos(const std::filesystem::path& folder);

}  // namespace hijack
