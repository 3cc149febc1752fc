#include "src/experiment/plan/test_set_pictures.h"

#include "src/base/base64.h"
#include "src/base/decode_image.h"
#include "src/base/error.h"
#include "src/base/image_header.h"
#include "src/base/unicode.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;

/// Folders of pictures in the archives of the sets.
constexpr const char* kFolders[] = {"",
                                    "images",
                                    "imgs",
                                    "img",
                                    "MM-SafetyBench(imgs)",
                                    "images/SafeBench",
                                    "images/SafeBench-Tiny",
                                    "test",
                                    "train",
                                    "val2014",
                                    "multimodal_behavior_images"};

/// The place that a set names, in pieces that stay inside of a folder. Throws Error.
fs::path inner_path(const TestCase& one) {
  const fs::path named = one.image;
  const bool inside =
      std::none_of(named.begin(), named.end(), [](const fs::path& part) { return part == ".."; });
  if (named.is_absolute() || !inside || one.image.find('\0') != std::string::npos)
    throw Error(one.where + ": the picture '" + unicode::excerpt(one.image) +
                "' leads out of the set's folder.");
  return named;
}

/// The names that a picture may have: as it is written, without a first "imgs", and as PNG.
std::vector<fs::path> spellings(const fs::path& named) {
  std::vector<fs::path> all = {named};
  if (named.begin() != named.end() && *named.begin() == "imgs")
    all.push_back(named.lexically_relative("imgs"));
  const size_t written = all.size();
  for (size_t i = 0; i < written; ++i) {
    all.push_back(all[i]);
    all.back().replace_extension(".png");
  }
  return all;
}

/// Folders that pictures may lie below: that of the set, and where its texts lie in one of several folders.
std::vector<fs::path> roots_of(const fs::path& path) {
  const fs::path folder = fs::is_directory(path) ? path : fs::absolute(path).parent_path();
  return {folder, fs::absolute(folder / "").parent_path().parent_path()};
}

fs::path picture_of(const std::vector<fs::path>& roots, const TestCase& one) {
  const std::vector<fs::path> names = spellings(inner_path(one));
  for (const fs::path& root : roots)
    for (const char* folder : kFolders)
      for (const fs::path& name : names) {
        const fs::path place = *folder ? root / folder / name : root / name;
        if (fs::is_regular_file(place)) return place;
      }
  throw Error(one.where + ": its picture '" + unicode::excerpt(one.image) + "' is not below '" +
              roots.front().string() + "'.");
}

/// The bytes of a picture that lies inside of the set's file. Throws Error where they are none.
std::string embedded_picture(const TestCase& one) {
  const EmbeddedPicture& inside = *one.embedded;
  const std::string where = one.where + ": the picture";
  if (!inside.problem.empty()) throw Error(one.where + ": " + inside.problem);
  if (inside.size / 4 * 3 > static_cast<uint64_t>(ImageLimits().max_bytes))
    throw Error(where + " is larger than 64 MiB.");
  std::string text(inside.size, '\0');
  std::ifstream file(inside.file, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(inside.offset));
  if (!file.read(text.data(), static_cast<std::streamsize>(text.size())))
    throw Error(where + " cannot be read: the file has changed.");
  auto bytes = base64_decoded(text);
  if (!bytes) throw Error(where + " is not base64, or is cut off.");
  read_image_header(*bytes, where);
  return *std::move(bytes);
}

}  // namespace

Tensor PictureCase::image() const {
  return bytes.empty() ? load_image(picture) : decode_image(bytes, one.where + ": the picture");
}

bool takes_option(const std::string& reply, char letter) {
  const auto in_word = [&](size_t at) {
    if (at >= reply.size()) return false;
    const auto c = static_cast<unsigned char>(reply[at]);
    return std::isalnum(c) != 0 || c >= 0x80 || c == '\'';
  };
  std::set<char> options;
  bool begins = true;  // no word yet
  for (size_t at = 0; at < reply.size(); ++at) {
    if (!in_word(at)) continue;
    const char c = reply[at];
    const bool alone = (at == 0 || !in_word(at - 1)) && !in_word(at + 1);
    const bool article = c == 'A' && at + 1 < reply.size() && reply[at + 1] == ' ' && in_word(at + 2);
    if (alone && c >= 'A' && c <= 'D' && !article) {
      if (begins) return c == letter;
      options.insert(c);
    }
    begins = false;
  }
  return options.size() == 1 && *options.begin() == letter;
}

std::vector<PictureCase> read_picture_cases(const TestSetChoice& choice) {
  const std::vector<fs::path> roots = roots_of(choice.path);
  std::vector<PictureCase> cases;
  for (TestCase& one : read_test_set_with_pictures(choice)) {
    if (one.embedded) {
      std::string bytes = embedded_picture(one);
      cases.push_back({std::move(one), {}, std::move(bytes)});
      continue;
    }
    if (one.image.empty())
      throw Error(one.where + ": this case of " + choice.name +
                  " names no picture; --contexts reads its texts.");
    fs::path picture = picture_of(roots, one);
    cases.push_back({std::move(one), std::move(picture)});
  }
  return cases;
}

}  // namespace hijack
