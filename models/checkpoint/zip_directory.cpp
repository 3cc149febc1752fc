#include "models/checkpoint/zip_directory.h"

#include <algorithm>
#include <set>

#include "src/base/error.h"
#include "src/base/unicode.h"

// Offsets of fields: APPNOTE.TXT of PKWARE, 4.3.7 (local header), 4.3.12 (directory), 4.3.14 to 4.3.16 (its
// end).

namespace hijack {
namespace {

constexpr uint32_t kLocal = 0x04034b50, kEntry = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                   kLocator64 = 0x07064b50;
constexpr uint64_t kEndSize = 22, kEnd64Size = 56, kLocatorSize = 20, kEntrySize = 46, kLocalSize = 30;
constexpr uint64_t kInExtra16 = 0xffff, kInExtra32 = 0xffffffff;
constexpr size_t kMostEntries = 1'000'000;

class ZipReader {
 public:
  ZipReader(std::string_view bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  std::vector<ZipEntry> entries() {
    find_end();
    if (count_ > kMostEntries || count_ > size_ / kEntrySize) damaged();
    std::vector<ZipEntry> all;
    uint64_t at = start_;
    for (uint64_t i = 0; i < count_; ++i) all.push_back(entry(at));
    check_apart(all);
    return all;
  }

 private:
  [[noreturn]] void damaged() const {
    throw Error(where_ + " is no whole zip archive of PyTorch: it is damaged, or was cut off");
  }
  /// Bytes [at, at + size).
  std::string_view span(uint64_t at, uint64_t size) const {
    if (at > bytes_.size() || size > bytes_.size() - at) damaged();
    return bytes_.substr(at, size);
  }
  uint64_t number(uint64_t at, size_t size) const {
    uint64_t value = 0;
    const std::string_view digits = span(at, size);
    for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(digits[i]);
    return value;
  }

  void find_end();
  void find_end64(uint64_t end);
  ZipEntry entry(uint64_t& at) const;
  void widen(uint64_t extra, uint64_t length, std::vector<uint64_t*> wanted) const;
  void check_apart(std::vector<ZipEntry> all) const;

  std::string_view bytes_;
  const std::string& where_;
  uint64_t start_ = 0, size_ = 0, count_ = 0;  ///< of the directory
};

void ZipReader::find_end() {
  constexpr uint64_t kLongestComment = 0xffff;
  if (bytes_.size() < kEndSize) damaged();
  const uint64_t last = bytes_.size() - kEndSize;
  for (uint64_t back = 0; back <= std::min(last, kLongestComment); ++back) {
    const uint64_t at = last - back;
    if (number(at, 4) != kEnd || number(at + 20, 2) != back) continue;
    if (number(at + 4, 2) != number(at + 6, 2)) damaged();  // in several parts
    count_ = number(at + 10, 2), size_ = number(at + 12, 4), start_ = number(at + 16, 4);
    if (count_ == kInExtra16 || size_ == kInExtra32 || start_ == kInExtra32) find_end64(at);
    span(start_, size_);
    return;
  }
  damaged();
}

void ZipReader::find_end64(uint64_t end) {
  if (end < kLocatorSize || number(end - kLocatorSize, 4) != kLocator64) return;  // as large as it says
  const uint64_t at = number(end - kLocatorSize + 8, 8);
  span(at, kEnd64Size);
  if (number(at, 4) != kEnd64) damaged();
  count_ = number(at + 32, 8), size_ = number(at + 40, 8), start_ = number(at + 48, 8);
}

/// Numbers that have no room in an entry, from its extra field of kind 1, in their order.
void ZipReader::widen(uint64_t extra, uint64_t length, std::vector<uint64_t*> wanted) const {
  if (wanted.empty()) return;
  const uint64_t end = extra + length;
  for (uint64_t at = extra; at + 4 <= end;) {
    const uint64_t kind = number(at, 2), size = number(at + 2, 2);
    if (size > end - at - 4) damaged();
    if (kind == 1) {
      if (size < 8 * wanted.size()) damaged();
      for (size_t i = 0; i < wanted.size(); ++i) *wanted[i] = number(at + 4 + 8 * i, 8);
      return;
    }
    at += 4 + size;
  }
  damaged();
}

ZipEntry ZipReader::entry(uint64_t& at) const {
  span(at, kEntrySize);
  if (number(at, 4) != kEntry) damaged();
  const uint64_t flags = number(at + 8, 2), method = number(at + 10, 2);
  uint64_t packed = number(at + 20, 4), size = number(at + 24, 4), header = number(at + 42, 4);
  const uint64_t name_size = number(at + 28, 2), extra = number(at + 30, 2), comment = number(at + 32, 2);
  std::vector<uint64_t*> wide;
  for (uint64_t* value : {&size, &packed, &header})
    if (*value == kInExtra32) wide.push_back(value);
  const std::string name(span(at + kEntrySize, name_size));
  span(at + kEntrySize + name_size, extra);
  widen(at + kEntrySize + name_size, extra, wide);
  if ((flags & 1) != 0 || method != 0 || packed != size)
    throw Error(where_ + ": its entry " + unicode::excerpt(name) +
                " is compressed or encrypted, which PyTorch never does; load it in Python and save it again");
  span(header, kLocalSize);
  if (number(header, 4) != kLocal || number(header + 8, 2) != 0) damaged();
  const uint64_t begin = header + kLocalSize + number(header + 26, 2) + number(header + 28, 2);
  span(begin, size);
  at += kEntrySize + name_size + extra + comment;
  return {name, header, begin, size};
}

void ZipReader::check_apart(std::vector<ZipEntry> all) const {
  std::set<std::string> names;
  for (const ZipEntry& one : all)
    if (!names.insert(one.name).second)
      throw Error(where_ + " has two entries " + unicode::excerpt(one.name));
  std::sort(all.begin(), all.end(), [](const ZipEntry& a, const ZipEntry& b) { return a.header < b.header; });
  uint64_t end = 0;
  for (const ZipEntry& one : all) {
    if (one.header < end) throw Error(where_ + " has entries that lie over each other");
    end = one.begin + one.size;
  }
  if (end > start_) damaged();
}

}  // namespace

std::vector<ZipEntry> zip_directory(std::string_view bytes, const std::string& where) {
  return ZipReader(bytes, where).entries();
}

}  // namespace hijack
