#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/unicode.h"
#include "src/experiment/plan/test_set_readers.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxTableBytes = int64_t{512} << 20;  // the pictures are in the file
constexpr size_t kMostColumns = 256;
constexpr size_t kLongestReference =
    64;  // what is shorter is the index of another row, as in the set's own code

std::vector<std::string_view> tab_fields(std::string_view line) {
  std::vector<std::string_view> fields;
  for (size_t tab = line.find('\t'); tab != line.npos; tab = line.find('\t')) {
    fields.push_back(line.substr(0, tab));
    line.remove_prefix(tab + 1);
  }
  fields.push_back(line);
  return fields;
}

/// The table, line by line.
class MmBenchTable {
 public:
  explicit MmBenchTable(const fs::path& file) : file_(file), text_(read_file(file, kMaxTableBytes)) {}

  std::vector<TestCase> cases() {
    size_t number = 0;
    for (size_t at = 0; at < text_.size();) {
      const size_t end = std::min(text_.find('\n', at), text_.size());
      add_line(std::string_view(text_).substr(at, end - at), file_.string() + ":" + std::to_string(++number));
      at = end + 1;
    }
    if (head_.empty()) throw Error(file_.string() + ": the file is empty.");
    follow_references();
    return std::move(cases_);
  }

 private:
  void add_line(std::string_view line, const std::string& where) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == line.npos) return;
    if (!unicode::is_well_formed(line) || line.find('\0') != line.npos)
      throw Error(where + ": this is not text in UTF-8.");
    const auto columns = static_cast<size_t>(std::count(line.begin(), line.end(), '\t')) + 1;
    if (columns != head_.size() && !head_.empty())
      throw Error(where + ": " + std::to_string(columns) + " fields, but the first line names " +
                  std::to_string(head_.size()) + ".");
    if (columns > kMostColumns) throw Error(where + ": more than 256 columns.");
    fields_ = tab_fields(line);
    if (head_.empty()) {
      head_.assign(fields_.begin(), fields_.end());
      for (const char* name : {"question", "answer"})
        if (std::find(head_.begin(), head_.end(), name) == head_.end())
          throw Error(where + ": there is no column '" + name + "', so this is no file of MMBench.");
      return;
    }
    add(where);
  }

  std::string_view field(const char* name) const {
    const auto found = std::find(head_.begin(), head_.end(), name);
    return found == head_.end() ? std::string_view() : fields_[static_cast<size_t>(found - head_.begin())];
  }

  void add(const std::string& where) {
    const std::string question(field("question")), hint(field("hint"));
    std::string prompt = hint.empty() ? question : hint + "\n" + question;
    bool options = false;
    for (const char* option : {"A", "B", "C", "D"})
      if (!field(option).empty()) {
        prompt += std::string("\n") + option + ". " + std::string(field(option));
        options = true;
      }
    if (prompt.size() > kLongestTestText) throw Error(where + ": the question is longer than 64 KiB.");
    if (question.empty()) throw Error(where + ": the prompt is empty.");
    TestCase one{prompt, std::string(field("answer")), std::string(field("category")), "", where};
    if (options) one.with_image = prompt + "\nAnswer with the letter of the right option.";
    add_picture(one);
    add_case(cases_, std::move(one));
  }

  void add_picture(TestCase& one) {
    const std::string index(field("index"));
    const std::string_view picture = field("image");
    if (picture.empty()) return;
    one.image =
        file_.filename().string() + (index.empty() ? one.where.substr(one.where.rfind(':')) : "#" + index);
    one.embedded =
        EmbeddedPicture{file_, static_cast<uint64_t>(picture.data() - text_.data()), picture.size()};
    if (picture.size() <= kLongestReference)
      references_.emplace_back(cases_.size(), picture);
    else if (!index.empty() && !rows_.emplace(index, cases_.size()).second)
      twice_.insert(index);
  }

  /// Gives rows that name another one its picture.
  void follow_references() {
    for (const auto& [place, index] : references_) {
      TestCase& one = cases_[place];
      const std::string name = "'" + unicode::excerpt(index) + "'";
      const auto found = rows_.find(std::string(index));
      if (found == rows_.end())
        one.embedded->problem =
            "its picture " + name + " is neither base64 nor the index of a row that has one.";
      else if (twice_.contains(std::string(index)))
        one.embedded->problem =
            "its picture is that of the row with the index " + name + ", which is there twice.";
      else {
        one.image = cases_[found->second].image;
        one.embedded = cases_[found->second].embedded;
      }
    }
  }

  fs::path file_;
  std::string text_;
  std::vector<std::string> head_;
  std::vector<std::string_view> fields_;  // of the line that is read
  std::vector<TestCase> cases_;
  std::map<std::string, size_t> rows_;  // with a picture of their own, by index
  std::set<std::string> twice_;
  std::vector<std::pair<size_t, std::string_view>> references_;
};

}  // namespace

/// A TSV file with a column for the picture in base64, or the index of another row that has it.
std::vector<TestCase> read_mmbench(const fs::path& path) {
  return MmBenchTable(file_of_set(path, {"mmbench.tsv"})).cases();
}

}  // namespace hijack
