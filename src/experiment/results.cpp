#include "src/experiment/results.h"

#include "src/base/error.h"
#include "src/base/file.h"

namespace hijack {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

// Far above anything a run writes; a hostile file is refused before it fills the memory.
constexpr size_t kMaxLine = size_t{32} << 20;
constexpr uintmax_t kMaxFile = uintmax_t{2} << 30;
constexpr size_t kMaxRows = 4'000'000;
constexpr int kMaxDepth = 64;
constexpr int64_t kMaxManifest = int64_t{16} << 20;

/// Parses one document; nullopt when it is not JSON or nested deeper than kMaxDepth.
std::optional<Json> parse(std::string_view text) {
  bool too_deep = false;
  const auto limit = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > kMaxDepth) too_deep = true;
    return !too_deep;
  };
  Json json = Json::parse(text, limit, /*allow_exceptions=*/false);
  if (json.is_discarded() || too_deep) return std::nullopt;
  return json;
}

/// Reads up to the next '\n'. `complete` tells whether it was there. False at the end of the file.
bool next_line(std::istream& in, std::string& line, bool& complete, const std::string& where) {
  line.clear();
  complete = false;
  for (int c = in.get(); c != std::istream::traits_type::eof(); c = in.get()) {
    if (c == '\n') {
      complete = true;
      return true;
    }
    line.push_back(static_cast<char>(c));
    if (line.size() > kMaxLine)
      throw Error(where + ": the line is longer than 32 MiB, so this is not a row file of hijack");
  }
  return !line.empty();
}

template <class Row>
std::vector<Row> read_rows(const fs::path& file, Row (*from_json)(const Json&, const std::string&)) {
  std::vector<Row> rows;
  if (!fs::exists(file)) return rows;
  std::ifstream in(file, std::ios::binary);
  if (!in || !fs::is_regular_file(file))
    throw Error("cannot read " + file.string() + "; check its permissions");
  if (fs::file_size(file) > kMaxFile)
    throw Error(file.string() + " is larger than 2 GiB; split the run into several");
  std::string line;
  bool complete = false;
  for (size_t number = 1;; ++number) {
    const std::string where = file.string() + ":" + std::to_string(number);
    if (!next_line(in, line, complete, where)) break;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::optional<Json> json = parse(line);
    if (!json && !complete) break;  // a killed run was writing this line
    if (!json) throw Error(where + ": the line is not JSON; delete it to go on without this row");
    if (rows.size() == kMaxRows)
      throw Error(where + ": more than 4 million rows; split the run into several");
    rows.push_back(from_json(*json, where));
  }
  return rows;
}

/// Makes the file end after a whole row: a half-written last line is cut off, a missing line end is added.
void repair_end(const fs::path& file) {
  if (!fs::exists(file) || fs::file_size(file) == 0) return;
  std::string tail;
  uintmax_t start = fs::file_size(file);
  {
    std::ifstream in(file, std::ios::binary);
    constexpr uintmax_t kBlock = 65536;
    while (start > 0) {
      const uintmax_t length = std::min(kBlock, start);
      std::string block(length, '\0');
      in.seekg(static_cast<std::streamoff>(start - length));
      if (!in.read(block.data(), static_cast<std::streamsize>(length)))
        throw Error("cannot read " + file.string() + "; check its permissions");
      const size_t end = block.rfind('\n');
      if (end != std::string::npos) {
        start = start - length + end + 1;
        tail.insert(0, block, end + 1);
        break;
      }
      start -= length;
      tail.insert(0, block);
    }
  }
  if (tail.empty()) return;
  if (parse(tail))
    std::ofstream(file, std::ios::binary | std::ios::app) << '\n';
  else
    fs::resize_file(file, start);
}

}  // namespace

RunRecord read_run(const fs::path& folder) {
  if (!fs::is_directory(folder)) throw Error(folder.string() + " is not a folder; give a run folder");
  const fs::path manifest = folder / "manifest.json";
  if (!fs::is_regular_file(manifest))
    throw Error(folder.string() + " is not a run folder: it holds no manifest.json");
  RunRecord record;
  record.folder = folder;
  const std::optional<Json> json = parse(read_file(manifest, kMaxManifest));
  if (!json || !json->is_object())
    throw Error(manifest.string() + " is not a JSON object; the run is damaged");
  record.manifest = *json;
  record.trials = read_rows<TrialRow>(folder / "trials.jsonl", trial_from_json);
  record.replies = read_rows<ReplyRow>(folder / "replies.jsonl", reply_from_json);
  return record;
}

RowWriter::RowWriter(const fs::path& file) : file_(file) {
  repair_end(file_);
  if (!std::ofstream(file_, std::ios::binary | std::ios::app))
    throw Error("cannot write " + file_.string() + "; check that the folder exists and is writable");
}

void RowWriter::write(const Json& row) {
  // Replies are any bytes: what is not UTF-8 becomes U+FFFD. NaN and infinity become null.
  const std::string line = row.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
  std::error_code no_file;
  const uintmax_t before = fs::file_size(file_, no_file);
  std::ofstream out(file_, std::ios::binary | std::ios::app);
  out.write(line.data(), static_cast<std::streamsize>(line.size()));
  out.flush();
  if (out) return;
  out.close();
  if (!no_file) fs::resize_file(file_, before, no_file);  // leave no half line behind
  throw Failure("cannot write a row to " + file_.string() + "; is the disk full?");
}

}  // namespace hijack
