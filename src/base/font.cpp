#include "src/base/font.h"

#include <cmath>

#include "src/base/error.h"
#include "src/base/file.h"

#define STB_TRUETYPE_IMPLEMENTATION
#define STBTT_STATIC
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
#include <stb_truetype.h>
#include "src/base/unicode.h"
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

namespace hijack {
namespace {

constexpr int64_t kMaxFontBytes = int64_t{32} << 20;
constexpr size_t kMaxTables = 64;
constexpr double kMaxHeight = 2000;
constexpr int64_t kMaxPixels = 64'000'000;

uint32_t big_endian(std::string_view bytes, size_t at, size_t count) {
  uint32_t value = 0;
  for (size_t i = 0; i < count; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

/// Sum of 32-bit words, the last one filled up with zeros (OpenType, "Calculating Checksums").
uint32_t checksum(std::string_view table) {
  uint32_t sum = 0;
  for (size_t i = 0; i < table.size(); i += 4) {
    uint32_t word = 0;
    for (size_t k = 0; k < 4; ++k)
      word = word << 8 | (i + k < table.size() ? static_cast<unsigned char>(table[i + k]) : 0U);
    sum += word;
  }
  return sum;
}

void check_font(std::string_view bytes, const std::string& where) {
  const auto damaged = [&](const char* what) {
    throw Error(where + " is not a usable TrueType font (" + what + "); give a .ttf file.");
  };
  if (bytes.size() < 12) damaged("it is too short");
  const uint32_t version = big_endian(bytes, 0, 4);
  if (version != 0x00010000 && version != 0x74727565) damaged("it has another format");
  const size_t tables = big_endian(bytes, 4, 2);
  if (tables == 0 || tables > kMaxTables || bytes.size() < 12 + 16 * tables)
    damaged("its contents are cut off");
  for (size_t i = 0; i < tables; ++i) {
    const size_t entry = 12 + 16 * i;
    const std::string_view name = bytes.substr(entry, 4);
    const size_t begin = big_endian(bytes, entry + 8, 4), size = big_endian(bytes, entry + 12, 4);
    if (begin > bytes.size() || size > bytes.size() - begin) damaged("a table lies outside the file");
    std::string table(bytes.substr(begin, size));
    if (name == "head" && size >= 12) table.replace(8, 4, 4, '\0');  // where the whole file's sum is kept
    if (checksum(table) != big_endian(bytes, entry + 4, 4)) damaged("a table does not match its checksum");
  }
}

/// The next character of a UTF-8 text.
int next_character(const std::string& text, size_t& at) {
  size_t ill_formed = 0;
  const size_t length = unicode::sequence_length(text, at, &ill_formed);
  if (length == 0) throw Error("the text to draw is not UTF-8.");
  const char32_t value = unicode::decode(text, at).value;
  at += length;
  return static_cast<int>(value);
}

}  // namespace

struct Font::Data {
  std::string bytes;
  std::string where;
  stbtt_fontinfo info{};
  int ascent = 0, descent = 0;

  double scale(double height) const { return height / static_cast<double>(ascent - descent); }

  /// Calls work(glyph, x) for each glyph of a line, x in pixels; returns the width.
  template <class Work>
  double each_glyph(const std::string& line, double height, Work work) const {
    double x = 0;
    int before = 0;
    for (size_t at = 0; at < line.size();) {
      const int character = next_character(line, at);
      const int glyph = stbtt_FindGlyphIndex(&info, character);
      if (glyph == 0)
        throw Error(where + " has no shape for a character of '" + line.substr(0, 80) +
                    "'; name another font with --font, or another text.");
      if (before) x += scale(height) * stbtt_GetGlyphKernAdvance(&info, before, glyph);
      work(glyph, x);
      int advance = 0, bearing = 0;
      stbtt_GetGlyphHMetrics(&info, glyph, &advance, &bearing);
      x += scale(height) * advance;
      before = glyph;
    }
    return x;
  }
};

Font Font::from_file(const std::filesystem::path& file) {
  auto data = std::make_shared<Data>();
  data->bytes = read_file(file, kMaxFontBytes);
  data->where = file.string();
  check_font(data->bytes, data->where);
  const auto* bytes = reinterpret_cast<const unsigned char*>(data->bytes.data());
  int gap = 0;
  if (stbtt_InitFont(&data->info, bytes, 0))
    stbtt_GetFontVMetrics(&data->info, &data->ascent, &data->descent, &gap);
  if (data->ascent <= data->descent)
    throw Error(data->where + " is not a usable TrueType font (a table is missing); give a .ttf file.");
  return Font(data);
}

double Font::width_of(const std::string& line, double height) const {
  return data_->each_glyph(line, height, [](int, double) {});
}

std::vector<std::string> Font::lines(const std::string& text, double height, double width) const {
  std::vector<std::string> result;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const std::string longer = result.empty() ? "" : result.back() + " " + word;
    if (!result.empty() && width_of(longer, height) <= width)
      result.back() = longer;
    else
      result.push_back(word);
  }
  return result;
}

Tensor Font::ink(const std::vector<std::string>& lines, double height) const {
  TORCH_CHECK(height >= 1 && height <= kMaxHeight, "letters are 1 to 2000 pixels high");
  double widest = 1;
  for (const std::string& line : lines) widest = std::max(widest, width_of(line, height));
  const auto line_height = static_cast<int64_t>(std::ceil(height));
  const auto rows = std::max<int64_t>(1, line_height * static_cast<int64_t>(lines.size()));
  const auto columns = static_cast<int64_t>(std::ceil(widest)) + 2;
  if (rows * columns > kMaxPixels) throw Error("the text to draw is too long for letters of this size.");
  Tensor canvas = at::zeros({rows, columns}, at::kByte);
  auto* pixels = canvas.data_ptr<uint8_t>();
  const auto scale = static_cast<float>(data_->scale(height));
  for (size_t i = 0; i < lines.size(); ++i) {
    const double baseline =
        static_cast<double>(static_cast<int64_t>(i) * line_height) + scale * data_->ascent;
    data_->each_glyph(lines[i], height, [&](int glyph, double x) {
      int left = 0, top = 0, right = 0, bottom = 0;
      const auto shift = static_cast<float>(x - std::floor(x));
      stbtt_GetGlyphBitmapBoxSubpixel(&data_->info, glyph, scale, scale, shift, 0, &left, &top, &right,
                                      &bottom);
      if (right <= left || bottom <= top || (right - left) * int64_t{bottom - top} > kMaxPixels) return;
      std::vector<uint8_t> shape(static_cast<size_t>(right - left) * static_cast<size_t>(bottom - top));
      stbtt_MakeGlyphBitmapSubpixel(&data_->info, shape.data(), right - left, bottom - top, right - left,
                                    scale, scale, shift, 0, glyph);
      const int64_t x0 = static_cast<int64_t>(std::floor(x)) + left;
      const int64_t y0 = static_cast<int64_t>(std::floor(baseline)) + top;
      for (int64_t row = 0; row < bottom - top; ++row)
        for (int64_t column = 0; column < right - left; ++column) {
          if (y0 + row < 0 || y0 + row >= rows || x0 + column < 0 || x0 + column >= columns) continue;
          uint8_t& pixel = pixels[(y0 + row) * columns + x0 + column];
          pixel = std::max(pixel, shape[static_cast<size_t>(row * (right - left) + column)]);
        }
    });
  }
  return canvas.to(at::kFloat) / 255;
}

}  // namespace hijack
