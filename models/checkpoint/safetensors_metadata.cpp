#include "models/checkpoint/safetensors_metadata.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "models/checkpoint/safetensors.h"
#include "src/base/error.h"
#include "src/base/json.h"

namespace hijack {

std::map<std::string, std::string> load_safetensors_metadata(const std::filesystem::path& file) {
  load_safetensors(file);  // maps it: the header is checked, nothing is read
  std::ifstream stream(file, std::ios::binary);
  unsigned char bytes[8] = {};
  stream.read(reinterpret_cast<char*>(bytes), sizeof bytes);
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = (length << 8) | bytes[i];
  std::string text(length, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(length));
  if (!stream) throw Error("Cannot read " + file.string() + ".");
  const nlohmann::json header = parse_json(text, file.string());
  std::map<std::string, std::string> metadata;
  const auto found = header.find("__metadata__");
  if (found == header.end()) return metadata;
  for (const auto& [name, value] : found->items()) {
    if (!value.is_string())
      throw Error(file.string() + ": the metadata '" + name.substr(0, 80) + "' are no text");
    metadata.emplace(name, value.get<std::string>());
  }
  return metadata;
}

}  // namespace hijack
