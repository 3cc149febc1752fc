// Damaged and hostile files: one sentence on stderr, exit code 2, nothing on stdout.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "models/checkpoint/safetensors.h"
#include "src/base/file.h"
#include "tests/support/temporary_folder.h"

namespace hijack::bad_input_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kRoot = HIJACK_SOURCE_DIR;

/// Copies of a sharded and a single-file checkpoint that a row of the table damages.
struct Scene {
  fs::path sharded, single, image, work;
};

struct Row {
  const char* name;
  const char* says;  ///< part of the sentence
  std::function<void(const Scene&)> damage;
  bool use_single = false;
};

std::string repeated(const std::string& part, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += part;
  return text;
}

void edit(const fs::path& file, const std::function<void(json&)>& change) {
  json value = json::parse(read_file(file));
  change(value);
  write_file(file, value.dump());
}

/// A safetensors file of this header and no data.
std::string headed(uint64_t length, const std::string& header) {
  std::string bytes(8, '\0');
  for (int i = 0; i < 8; ++i) bytes[static_cast<size_t>(i)] = static_cast<char>(length >> (8 * i));
  return bytes + header;
}

std::string big_endian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

/// A PNG whose header promises so many pixels (8 bits, RGB).
std::string huge_png(uint32_t width, uint32_t height) {
  const std::string header =
      "IHDR" + big_endian(width) + big_endian(height) + std::string("\x08\x02\0\0\0", 5);
  uint32_t crc = 0xffffffffU;
  for (const char byte : header) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320U & (0U - (crc & 1U)));
  }
  return "\x89PNG\r\n\x1a\n" + big_endian(13) + header + big_endian(~crc) + big_endian(0) +
         std::string("IEND\xae\x42\x60\x82");
}

const Row kRows[] = {
    {"truncated shard", "model-00002-of-00003.safetensors",
     [](const Scene& s) {
       const fs::path shard = s.sharded / "model-00002-of-00003.safetensors";
       fs::resize_file(shard, fs::file_size(shard) / 2);
     }},
    {"missing shard", "lacks the shard model-00003-of-00003.safetensors",
     [](const Scene& s) { fs::remove(s.sharded / "model-00003-of-00003.safetensors"); }},
    {"index that leads out of the folder", "not the name of a file",
     [](const Scene& s) {
       edit(s.sharded / "model.safetensors.index.json",
            [](json& index) { index["weight_map"].begin().value() = "../../etc/passwd"; });
     }},
    {"wrong dtype", "F8_E4M3",
     [](const Scene& s) {
       const std::string header = R"({"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})";
       write_file(s.single / "model.safetensors", headed(header.size(), header) + "x");
     },
     true},
    {"integers for weights", "language_model.model.norm.weight",
     [](const Scene& s) {
       TensorMap tensors;
       for (const auto& [name, tensor] : load_safetensors(s.single / "model.safetensors"))
         tensors[name] = name.ends_with("model.norm.weight") ? tensor.to(at::kLong) : tensor.clone();
       fs::remove(s.single / "model.safetensors");
       save_safetensors(tensors, s.single / "model.safetensors");
     },
     true},
    {"huge header length", "header",
     [](const Scene& s) { write_file(s.single / "model.safetensors", headed(UINT64_MAX - 4, "{}")); }, true},
    {"config nested 10000 deep", "nested deeper",
     [](const Scene& s) {
       write_file(s.single / "config.json", repeated("{\"a\":", 10000) + "1" + repeated("}", 10000));
     },
     true},
    {"tokenizer nested 10000 deep", "nested deeper",
     [](const Scene& s) {
       write_file(s.single / "tokenizer.json", repeated("[", 10000) + repeated("]", 10000));
     },
     true},
    {"unknown post-processor", "BertProcessing",
     [](const Scene& s) {
       edit(s.single / "tokenizer.json", [](json& tokenizer) {
         tokenizer["post_processor"] = {{"type", "BertProcessing"}};
       });
     },
     true},
    {"duplicate ids", "tokenizer.json",
     [](const Scene& s) {
       edit(s.single / "tokenizer.json", [](json& tokenizer) {
         auto& words = tokenizer["model"]["vocab"];
         auto first = words.begin();
         const json id = first.value();
         (++first).value() = id;
       });
     },
     true},
    {"a key twice", "twice",
     [](const Scene& s) {
       write_file(s.single / "config.json", R"({"model_type": "llava", "model_type": "x"})");
     },
     true},
    {"PNG of 60000 x 60000 pixels", "60000x60000",
     [](const Scene& s) { write_file(s.image, huge_png(60000, 60000)); }, true},
    {"text for an image", "photo.png", [](const Scene& s) { write_file(s.image, "no image"); }, true},
};

/// The exit code, and what the program wrote to stderr and stdout.
std::tuple<int, std::string, std::string> trace(const Scene& scene, const fs::path& model) {
  const std::string out = (scene.work / "out").string(), err = (scene.work / "err").string();
  const std::string command = "OMP_NUM_THREADS=1 timeout 60 " HIJACK_PROGRAM " trace --model " +
                              model.string() + " --image " + scene.image.string() +
                              " --prompt Who --target cat --out " +
                              (scene.work / "trace.safetensors").string() + " >" + out + " 2>" + err;
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(err), read_file(out)};
}

TEST(BadInput, OneSentenceAndExitCode2) {
  for (const Row& row : kRows) {
    const hijack::support::TemporaryFolder folder;
    const Scene scene{folder.path() / "sharded", folder.path() / "single", folder.path() / "photo.png",
                      folder.path()};
    fs::copy(kRoot / "tests/golden/llava/hub_bf16", scene.sharded);
    fs::copy(kRoot / "tests/golden/llava/clip_gqa", scene.single);
    fs::copy(kRoot / "tests/golden/llava/images/gray.png", scene.image);
    row.damage(scene);
    const auto [code, err, out] = trace(scene, row.use_single ? scene.single : scene.sharded);
    EXPECT_EQ(code, 2) << row.name << ": " << err;
    EXPECT_EQ(out, "") << row.name;
    EXPECT_EQ(std::count(err.begin(), err.end(), '\n'), 1) << row.name << ": " << err;
    EXPECT_NE(err.find(row.says), std::string::npos) << row.name << ": " << err;
    EXPECT_LE(err.size(), 600U) << row.name;
    EXPECT_FALSE(fs::exists(scene.work / "trace.safetensors")) << row.name;
  }
}

}  // namespace
}  // namespace hijack::bad_input_test
