#include "src/base/gzip.h"

#include <zlib.h>

#include <memory>
#include <vector>

#include "src/base/error.h"

namespace hijack {

std::string read_gzip(const std::filesystem::path& file, int64_t max_bytes) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> stream(gzopen(file.c_str(), "rb"), &gzclose);
  if (!stream) throw Error("cannot read " + file.string() + "; check its permissions");
  constexpr unsigned kBlock = 1 << 18;
  std::vector<char> block(kBlock);
  std::string text;
  for (;;) {
    const int count = gzread(stream.get(), block.data(), kBlock);
    if (count < 0) throw Error(file.string() + " is not a whole gzip file; it is damaged");
    text.append(block.data(), static_cast<size_t>(count));
    if (static_cast<int64_t>(text.size()) > max_bytes)
      throw Error(file.string() + " unpacks to more than " + std::to_string(max_bytes) + " bytes");
    if (count < static_cast<int>(kBlock)) break;
  }
  int status = Z_OK;
  gzerror(stream.get(), &status);
  if (status != Z_OK && status != Z_STREAM_END)
    throw Error(file.string() + " is cut off in its middle; it is damaged");
  return text;
}

}  // namespace hijack
