#include "src/base/file.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <system_error>

#include "src/base/error.h"
#include "src/base/sha256.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;
using Stream = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

Stream opened(const fs::path& file) {
  std::error_code failed;
  const fs::file_status status = fs::status(file, failed);
  if (!fs::exists(status)) throw Error("cannot read " + file.string() + ": there is no such file");
  if (!fs::is_regular_file(status))  // a pipe or device could block or never end
    throw Error("cannot read " + file.string() + ": it is not a regular file");
  Stream stream(std::fopen(file.c_str(), "rb"), &std::fclose);
  if (!stream) throw Error("cannot read " + file.string() + ": " + std::strerror(errno));
  return stream;
}

fs::path temporary_beside(const fs::path& file) {
  static std::atomic<uint64_t> counter{0};
  fs::path temporary = file;
  temporary += ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(counter++);
  return temporary;
}

}  // namespace

std::string read_file(const fs::path& file, int64_t max_bytes) {
  const Stream stream = opened(file);
  std::string bytes;
  char chunk[1 << 16];
  size_t count = 0;
  while ((count = std::fread(chunk, 1, sizeof chunk, stream.get())) > 0) {
    bytes.append(chunk, count);
    if (static_cast<int64_t>(bytes.size()) > max_bytes)
      throw Error(file.string() + " is longer than the " + std::to_string(max_bytes) +
                  " bytes allowed for such a file");
  }
  if (std::ferror(stream.get())) throw Error("cannot read " + file.string() + ": " + std::strerror(errno));
  return bytes;
}

void write_file(const fs::path& file, std::string_view bytes) {
  FileWriter writer(file);
  writer.write(bytes);
  writer.commit();
}

std::string sha256_file(const fs::path& file) {
  const Stream stream = opened(file);
  Sha256 hash;
  char chunk[1 << 16];
  size_t count = 0;
  while ((count = std::fread(chunk, 1, sizeof chunk, stream.get())) > 0) hash.update({chunk, count});
  if (std::ferror(stream.get())) throw Error("cannot read " + file.string() + ": " + std::strerror(errno));
  return hash.finish();
}

FileWriter::FileWriter(fs::path file) : file_(std::move(file)), temporary_(temporary_beside(file_)) {
  stream_ = std::fopen(temporary_.c_str(), "wbx");
  if (stream_ == nullptr) throw Error("cannot write " + file_.string() + ": " + std::strerror(errno));
}

FileWriter::~FileWriter() {
  if (stream_ != nullptr) std::fclose(stream_);
  if (temporary_.empty()) return;
  std::error_code ignored;
  fs::remove(temporary_, ignored);
}

void FileWriter::write(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stream_) != bytes.size())
    throw Failure("cannot write " + file_.string() + ": " + std::strerror(errno));
}

void FileWriter::commit() {
  const bool closed = std::fclose(stream_) == 0;
  stream_ = nullptr;
  if (!closed) throw Failure("cannot write " + file_.string() + ": " + std::strerror(errno));
  std::error_code failed;
  fs::rename(temporary_, file_, failed);
  if (failed) throw Error("cannot write " + file_.string() + ": " + failed.message());
  temporary_.clear();
}

}  // namespace hijack
