#include "models/checkpoint/safetensors.h"
#include "models/checkpoint/weights.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "models/checkpoint/safetensors_header.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/random.h"
#include "tests/support/expect_says.h"

namespace hijack::safetensors_test {
namespace {

namespace fs = std::filesystem;

class Safetensors : public testing::Test {
 protected:
  Safetensors() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~Safetensors() override { fs::remove_all(folder_); }

  static std::string file_of(const std::string& header, const std::string& data) {
    std::string bytes;
    for (int shift = 0; shift < 64; shift += 8) bytes += static_cast<char>(uint64_t{header.size()} >> shift);
    return bytes + header + data;
  }
  TensorMap load(const std::string& header, const std::string& data) const {
    write_file(folder_ / "x.safetensors", file_of(header, data));
    return load_safetensors(folder_ / "x.safetensors");
  }
  std::string why_not(const std::string& header, const std::string& data) const {
    try {
      load(header, data);
    } catch (const Error& error) {
      return error.what();
    }
    return "loaded";
  }

  const fs::path folder_ =
      fs::path(testing::TempDir()) / ("hijack_safetensors_" + std::to_string(::getpid()));
};

TEST_F(Safetensors, EveryDtypeAndRankSurvives) {
  TensorMap tensors;
  int i = 0;
  for (const at::ScalarType dtype : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt,
                                     at::kShort, at::kChar, at::kByte, at::kBool})
    tensors[at::toString(dtype)] = at::arange(15).reshape({3, 5}).remainder(2 + i++).to(dtype);
  tensors["scalar"] = at::full({}, 2.5, at::kFloat);
  tensors["empty"] = at::empty({0, 4}, at::kFloat);
  tensors["turned"] = at::arange(6, at::kFloat).reshape({2, 3}).t();
  save_safetensors(tensors, folder_ / "x.safetensors", {{"format", "pt"}});
  const TensorMap loaded = load_safetensors(folder_ / "x.safetensors");
  ASSERT_EQ(loaded.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    EXPECT_EQ(loaded.at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(loaded.at(name), tensor)) << name;
  }
  EXPECT_EQ(read_file(folder_ / "x.safetensors")[8], '{');
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(Safetensors, WritingToTensorsLeavesTheFile) {
  save_safetensors({{"a", at::zeros({4})}}, folder_ / "x.safetensors");
  const std::string digest = sha256_file(folder_ / "x.safetensors");
  Tensor a = load_safetensors(folder_ / "x.safetensors").at("a");  // outlives the map
  a.fill_(7);
  EXPECT_EQ(a.sum().item<float>(), 28);
  EXPECT_EQ(sha256_file(folder_ / "x.safetensors"), digest);
}

TEST_F(Safetensors, MisalignedTensorsAreCopied) {
  const std::string two(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                        R"("b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})");
  const TensorMap tensors = load(two, std::string("\x05\0\0\x80\x3f", 5));
  EXPECT_EQ(tensors.at("a").item<int>(), 5);
  EXPECT_EQ(tensors.at("b").item<float>(), 1);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensors.at("b").const_data_ptr()) % 4, 0u);
}

TEST_F(Safetensors, LegalOddities) {
  EXPECT_TRUE(load("{}", "").empty());
  EXPECT_TRUE(load(R"({"__metadata__":{"dtype":"x"}}   )", "").empty());
  EXPECT_EQ(load(R"({"a":{"shape":[0,3],"data_offsets":[0,0],"dtype":"I64"}})", "").at("a").size(1), 3);
}

TEST_F(Safetensors, SaysWhatIsWrong) {
  const auto entry = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  const std::string data(8, '\0');
  EXPECT_EQ(why_not(entry("F32", "[2]", "[0,8]"), data), "loaded");
  EXPECT_SAYS(why_not(entry("F8_E4M3", "[8]", "[0,8]"), data), "\"F8_E4M3\"");
  EXPECT_SAYS(why_not(entry("F32", "[3]", "[0,8]"), data), "another size");
  EXPECT_SAYS(why_not(entry("F32", "[2]", "[0,12]"), data), "outside");
  EXPECT_SAYS(why_not(entry("F32", "[2]", "[8,0]"), data), "outside");
  EXPECT_SAYS(why_not(entry("F32", "[1]", "[0,4]"), data), "belong to no tensor");
  EXPECT_SAYS(why_not(entry("F32", "[1]", "[4,8]"), data), "belong to no tensor");
  EXPECT_SAYS(why_not(entry("F32", "[4611686018427387904,4]", "[0,8]"), data), "too large");
  EXPECT_SAYS(why_not(entry("F32", "[0,4611686018427387904,4]", "[0,0]"), ""), "too large");
  EXPECT_SAYS(why_not(entry("F32", "[18446744073709551615]", "[0,8]"), data), "too large");
  EXPECT_SAYS(why_not(entry("F32", "[18446744073709551616]", "[0,8]"), data), "not whole");
  EXPECT_SAYS(why_not(entry("F32", "[-2]", "[0,8]"), data), "negative");
  EXPECT_SAYS(why_not(entry("F32", "[2.0]", "[0,8]"), data), "not whole");
  EXPECT_SAYS(why_not(entry("F32", "[[2]]", "[0,8]"), data), "a list");
  EXPECT_SAYS(why_not(entry("F32", "{}", "[0,8]"), data), "an object");
  EXPECT_SAYS(why_not(entry("F32", "null", "[0,8]"), data), "null");
  EXPECT_SAYS(why_not(entry("F32", "[2]", "[0,8,8]"), data), "two data_offsets");
  EXPECT_SAYS(why_not(entry("F32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2]", "[0,8]"), data), "too many");
  EXPECT_SAYS(why_not(entry("BOOL", "[8]", "[0,8]"), std::string(8, '\2')), "BOOL");
  EXPECT_SAYS(why_not(R"({"a":{"dtype":"F32","shape":[2]}})", data), "lacks");
  EXPECT_SAYS(why_not(R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", data),
              "twice");
  EXPECT_SAYS(why_not(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":[1]}})", data),
              "unknown key");
  EXPECT_SAYS(why_not(R"({"a":3})", data), "a number");
  EXPECT_SAYS(why_not(R"([1])", data), "begin with {");
  EXPECT_SAYS(why_not("", ""), "begin with {");
  EXPECT_SAYS(why_not("{", ""), "not valid JSON");
  EXPECT_SAYS(why_not(R"({"__metadata__":{"a":1}})", ""), "a number");
}

TEST_F(Safetensors, DuplicatesOverlapsAndGapsBetweenTensors) {
  const auto two = [](const char* second, const char* offsets) {
    return std::string(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},")") + second +
           R"(":{"dtype":"F32","shape":[1],"data_offsets":)" + offsets + "}}";
  };
  EXPECT_EQ(why_not(two("b", "[4,8]"), std::string(8, '\0')), "loaded");
  EXPECT_SAYS(why_not(two("a", "[4,8]"), std::string(8, '\0')), "twice");
  EXPECT_SAYS(why_not(two("b", "[2,6]"), std::string(6, '\0')), "overlaps");
  EXPECT_SAYS(why_not(two("b", "[0,4]"), std::string(4, '\0')), "overlaps");
  EXPECT_SAYS(why_not(two("b", "[5,9]"), std::string(9, '\0')), "belong to no tensor");
}

TEST_F(Safetensors, NestingIsNoStackOverflow) {
  EXPECT_SAYS(why_not("{\"a\":" + std::string(5'000'000, '['), ""), "a list");
  std::string nested;
  for (int i = 0; i < 100000; ++i) nested += "{\"dtype\":";
  EXPECT_SAYS(why_not(nested, ""), "an object");
}

TEST_F(Safetensors, FilesThatAreNone) {
  for (const std::string& bytes : {std::string(), std::string("1234567"), std::string(8, '\xff'),
                                   std::string(8, '\0'), file_of("{}", "").substr(0, 9)}) {
    write_file(folder_ / "x.safetensors", bytes);
    EXPECT_THROW(load_safetensors(folder_ / "x.safetensors"), Error) << bytes.size();
  }
  EXPECT_THROW(load_safetensors(folder_ / "none"), Error);
  EXPECT_THROW(load_safetensors(folder_), Error);
  EXPECT_THROW(load_safetensors("/dev/null"), Error);
}

/// `good` with one byte changed, removed or added, or cut off, at `i`.
std::vector<std::string> damaged(const std::string& good, size_t i, Random& random) {
  std::vector<std::string> all = {good.substr(0, i), good.substr(0, i) + good.substr(i + 1),
                                  good.substr(0, i) + "[" + good.substr(i)};
  for (const char byte : {static_cast<char>(good[i] ^ (1 << random.below(8))), '"', '}', '9',
                          static_cast<char>(random.bits()), static_cast<char>(0xff)}) {
    all.push_back(good);
    all.back()[i] = byte;
  }
  return all;
}

// An Error or tensors, never a crash.
TEST_F(Safetensors, SurvivesDamage) {
  save_safetensors(
      {{"a", at::ones({3, 2})}, {"b", at::ones({5}, at::kBool)}, {"c", at::zeros({0}, at::kHalf)}},
      folder_ / "good.safetensors", {{"k", "v"}});
  const std::string good = read_file(folder_ / "good.safetensors");
  int refused = 0, loaded = 0;
  Random random(1);
  for (size_t i = 0; i < good.size(); i += i < 8 || i + 40 > good.size() ? 1 : 17)
    for (const std::string& bytes : damaged(good, i, random)) {
      fs::remove(folder_ /
                 "x.safetensors");  // replacing a file flushes it to disk: thousands of times would be slow
      std::ofstream(folder_ / "x.safetensors", std::ios::binary) << bytes;
      try {
        for (const auto& [name, tensor] : load_safetensors(folder_ / "x.safetensors"))
          tensor.to(at::kDouble).sum();
        ++loaded;
      } catch (const Error&) {
        ++refused;
      }
    }
  EXPECT_GT(refused, 200);
  EXPECT_GT(loaded, 30);  // changed values
}

TEST_F(Safetensors, HeaderSurvivesDamageOfEveryByte) {
  const std::string good =
      R"({"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[3,2],"data_offsets":[0,24]},)"
      R"("b":{"dtype":"BOOL","shape":[5],"data_offsets":[24,29]}})";
  ASSERT_EQ(parse_safetensors_header(good, 29, "here").size(), 2u);
  int refused = 0, loaded = 0;
  Random random(2);
  for (int round = 0; round < 10; ++round)
    for (size_t i = 0; i < good.size(); ++i)
      for (const std::string& bytes : damaged(good, i, random)) {
        try {
          for (const StoredTensor& tensor : parse_safetensors_header(bytes, 29, "here"))
            ASSERT_TRUE(tensor.begin <= tensor.end && tensor.end <= 29);
          ++loaded;
        } catch (const Error&) {
          ++refused;
        }
      }
  EXPECT_GT(refused, 5000);
  EXPECT_GT(loaded, 100);  // changed names and metadata
}

class Checkpoint : public Safetensors {
 protected:
  void index(const std::string& json) const { write_file(folder_ / "model.safetensors.index.json", json); }
  std::string why_not_weights() const {
    try {
      Weights weights(folder_);
    } catch (const Error& error) {
      return error.what();
    }
    return "loaded";
  }
};

TEST_F(Checkpoint, TakesEverythingOnce) {
  save_safetensors({{"old.a", at::ones({2})}, {"old.b", at::ones({3})}, {"drop", at::ones({1})}},
                   folder_ / "model.safetensors");
  Weights weights(folder_);
  weights.rename([](const std::string& name) { return name == "drop" ? "" : name.substr(4); });
  EXPECT_TRUE(weights.has("a"));
  EXPECT_FALSE(weights.has("old.a"));
  EXPECT_EQ(weights.shape("b"), at::IntArrayRef({3}));
  EXPECT_EQ(weights.take("a", {2}).sum().item<float>(), 2);
  EXPECT_THROW(weights.take("a", {1, 2}), Error);
  EXPECT_THROW(weights.take("c", {2}), Error);
  EXPECT_THROW(weights.shape("c"), Error);
  EXPECT_THROW(weights.finish(), Error);
  weights.take("b", {3});
  weights.finish();
  EXPECT_THROW(weights.rename([](const std::string&) { return "same"; }), Error);
}

TEST_F(Checkpoint, FinishNamesWhatIsLeft) {
  const Weights weights(
      {{"a", at::ones({1})}, {"b", at::ones({1})}, {"c", at::ones({1})}, {"d", at::ones({1})}}, "here");
  try {
    weights.finish();
    FAIL();
  } catch (const Error& error) {
    EXPECT_SAYS(std::string(error.what()), "here has 4 tensors");
    EXPECT_SAYS(std::string(error.what()), "a, b, c, ...");
  }
}

TEST_F(Checkpoint, Shards) {
  save_safetensors({{"a", at::ones({2})}}, folder_ / "one.safetensors");
  save_safetensors({{"b", at::ones({2})}, {"c", at::ones({2})}}, folder_ / "two.safetensors");
  index(R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors","c":"two.safetensors"}})");
  Weights weights(folder_);
  for (const char* name : {"a", "b", "c"}) weights.take(name, {2});
  weights.finish();
  index(R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  EXPECT_SAYS(why_not_weights(), "does not place");
  index(R"({"weight_map":{"a":"one.safetensors","d":"one.safetensors"}})");
  EXPECT_SAYS(why_not_weights(), "lacks the tensor d");
  index(R"({"weight_map":{"a":"three.safetensors"}})");
  EXPECT_SAYS(why_not_weights(), "lacks the shard");
  for (const char* name : {"../one.safetensors", "/etc/passwd", "..", "", "a\\\\b", "a\\u0000b"}) {
    index(std::string(R"({"weight_map":{"a":")") + name + "\"}}");
    EXPECT_SAYS(why_not_weights(), "not the name of a file beside it");
  }
  index(R"({"weight_map":{"a":"one.safetensors","a":"two.safetensors"}})");
  EXPECT_SAYS(why_not_weights(), "twice");
  for (const char* json : {"[]", "{}", R"({"weight_map":[]})", R"({"weight_map":{"a":1}})", "{"}) {
    index(json);
    EXPECT_NE(why_not_weights(), "loaded") << json;
  }
}

TEST_F(Checkpoint, OtherFormatsAreNamed) {
  EXPECT_SAYS(why_not_weights(), "neither");
  write_file(folder_ / "model-Q4_K_M.gguf", "x");
  EXPECT_SAYS(why_not_weights(), "llama.cpp's format (GGUF), which is not read");
  write_file(folder_ / "pytorch_model.bin", "x");
  EXPECT_SAYS(why_not_weights(), "is no file of PyTorch");
  EXPECT_THROW(Weights(folder_ / "none"), Error);
}

}  // namespace
}  // namespace hijack::safetensors_test
