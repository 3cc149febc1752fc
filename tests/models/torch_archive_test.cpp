// State dicts of PyTorch: what is read, and what a hostile file meets.
#include "models/checkpoint/torch_archive.h"

#include <gtest/gtest.h>

#include "models/checkpoint/torch_pickle.h"
#include "src/base/file.h"
#include "tests/support/expect_says.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/torch_file.h"

namespace hijack::torch_archive_test {
namespace {

namespace fs = std::filesystem;
namespace pickle = support::pickle;
using support::error_of;

const std::string kOne = pickle::tuple(pickle::number(1));

class TorchArchive : public testing::Test {
 protected:
  fs::path at(const std::string& name) const { return folder_.path() / name; }
  /// Why an archive with this pickle, and a storage "0" of four floats, is not read.
  std::string why_not(const std::string& program) const {
    support::write_archive({{"data.pkl", program}, {"data/0", std::string(16, '\0')}}, at("x.bin"));
    return error_of([&] { load_torch_archive(at("x.bin")); });
  }
  std::string why_not_view(int64_t offset, const std::string& sizes, const std::string& strides) const {
    return why_not(pickle::dict({{"w", pickle::view("0", 4, offset, sizes, strides)}}));
  }
  static std::string pair(int64_t first, int64_t second) {
    return pickle::tuple(pickle::number(first) + pickle::number(second));
  }

  support::TemporaryFolder folder_;
};

TEST_F(TorchArchive, ReadsEveryTypeAndWrapping) {
  TensorMap tensors = {{"a", at::arange(6, at::kFloat).view({2, 3})},
                       {"b", at::arange(4).to(at::kBFloat16)},
                       {"c", at::arange(4).to(at::kHalf)},
                       {"d", at::arange(4).to(at::kDouble)},
                       {"e", at::full({}, 7, at::kLong)},
                       {"f", at::empty({0, 5}, at::kFloat)}};
  for (const bool wrapped : {false, true}) {
    support::save_torch(tensors, at("x.pt"), wrapped);
    const TensorMap read = load_torch_archive(at("x.pt"));
    ASSERT_EQ(read.size(), tensors.size());
    for (const auto& [name, tensor] : tensors) {
      EXPECT_EQ(read.at(name).scalar_type(), tensor.scalar_type()) << name;
      EXPECT_TRUE(at::equal(read.at(name), tensor)) << name;
    }
  }
}

TEST_F(TorchArchive, ReadsViewsOfOneStorage) {
  const Tensor numbers = at::arange(4, at::kFloat);
  support::write_archive(
      {{"data.pkl", pickle::dict({{"turned", pickle::view("0", 4, 0, pair(2, 2), pair(1, 2))},
                                  {"last", pickle::view("0", 4, 3, kOne, kOne)}})},
       {"data/0", {static_cast<const char*>(numbers.const_data_ptr()), 16}}},
      at("x.bin"));
  const TensorMap read = load_torch_archive(at("x.bin"));
  EXPECT_TRUE(at::equal(read.at("turned"), numbers.view({2, 2}).t()));
  EXPECT_EQ(read.at("last").item<float>(), 3);
}

TEST_F(TorchArchive, NothingIsExecuted) {
  for (const auto& [module, name] : {std::pair("posix", "system"),
                                     {"builtins", "eval"},
                                     {"torch._utils", "_rebuild_qtensor"},
                                     {"argparse", "Namespace"},
                                     {"numpy.core.multiarray", "_reconstruct"}}) {
    const std::string asked = pickle::global(module, name) + pickle::tuple(pickle::text("touch x")) + "R";
    EXPECT_SAYS(why_not(pickle::dict({{"w", asked}})), std::string(module) + "." + name);
    const std::string newer = pickle::text(module) + pickle::text(name) + "\x93" + pickle::tuple("") + "R";
    EXPECT_SAYS(why_not(pickle::dict({{"w", newer}})), std::string(module) + "." + name);
  }
  for (const char* instruction : {"i", "o", "\x81", "\x92", "P0\n", "\x82\x01", "S'x'\n", "B"})
    EXPECT_SAYS(why_not(std::string("\x80\x02") + instruction), "the pickle instruction");
  EXPECT_SAYS(why_not(pickle::dict({{"w", pickle::global("torch", "FloatStorage") + ")R"}})),
              "a call of torch.FloatStorage");
  EXPECT_SAYS(why_not("\x80\x02(K\x01t}b."), "an object with a state of its own");
}

TEST_F(TorchArchive, ViewsStayInTheirStorage) {
  EXPECT_SAYS(why_not_view(0, pickle::tuple(pickle::number(5)), kOne), "outside of its storage");
  EXPECT_SAYS(why_not_view(4, kOne, kOne), "outside of its storage");
  EXPECT_SAYS(why_not_view(-1, kOne, kOne), "damaged");
  EXPECT_SAYS(why_not_view(0, pickle::tuple(pickle::number(-1)), kOne), "damaged");
  EXPECT_SAYS(why_not_view(0, pair(2, 2), pair(1, 1)), "share memory");
  EXPECT_SAYS(why_not_view(0, pair(1000, 1000), pair(0, 0)), "share memory");
  const int64_t huge = int64_t{1} << 62;
  EXPECT_SAYS(why_not_view(0, pair(huge, huge), pair(huge, 1)), "no file can hold");
  EXPECT_SAYS(why_not_view(huge, pair(2, 2), pair(2, 1)), "outside of its storage");
  EXPECT_SAYS(why_not_view(0, pair(1, 1), kOne), "damaged");
  EXPECT_SAYS(why_not(pickle::dict({{"w", pickle::view("0", 5, 0, kOne, kOne)}})),
              "5 elements in its pickle");
  EXPECT_SAYS(why_not(pickle::dict({{"w", pickle::view("1", 4, 0, kOne, kOne)}})), "lacks its record data/1");
  EXPECT_SAYS(why_not(pickle::dict({{"w", pickle::view("../0", 4, 0, kOne, kOne)}})), "damaged");
  EXPECT_SAYS(why_not(pickle::dict({{"v", pickle::view("0", 4, 0, kOne, kOne)},
                                    {"w", pickle::view("0", 2, 0, kOne, kOne, "DoubleStorage")}})),
              "two types or sizes");
  support::write_archive(
      {{"data.pkl", pickle::dict({{"w", pickle::view("0", 4, 0, kOne, kOne, "BoolStorage")}})},
       {"data/0", std::string("\0\1\2\0", 4)}},
      at("x.bin"));
  EXPECT_SAYS(error_of([&] { load_torch_archive(at("x.bin")); }), "truth values other than 0 and 1");
}

TEST_F(TorchArchive, WhatIsNoStateDictIsNamed) {
  EXPECT_SAYS(why_not("\x80\x02]."), "no state dict");
  EXPECT_SAYS(why_not(pickle::dict({{"lr", pickle::number(1)}})), "its entry lr is no tensor");
  const std::string view = pickle::view("0", 4, 0, kOne, kOne);
  EXPECT_SAYS(why_not("\x80\x02}(" + pickle::text("w") + view + pickle::text("w") + view + "u."),
              "two entries");
  EXPECT_SAYS(why_not("\x80\x02}(K\x01" + view + "u."), "without a name");
}

TEST_F(TorchArchive, WorkAndMemoryAreBounded) {
  EXPECT_SAYS(why_not("\x80\x02" + std::string(1'100'000, 'N') + "."), "more values");
  EXPECT_SAYS(why_not("\x80\x02" + std::string(500'000, '(') + std::string(500'000, 't') + "."),
              "no state dict");
  EXPECT_SAYS(why_not("\x80\x02]q\x01" + std::string("h\x01") + "a."), "no state dict");  // a list in itself
  std::string growing = "\x80\x02]q\x01(";
  for (int i = 0; i < 1000; ++i) growing += "h\x01";
  std::string all = growing + "e";
  for (int i = 0; i < 1000; ++i) all += "h\x01(" + growing.substr(5) + "e";
  EXPECT_NE(why_not(all + "."), "");
  EXPECT_SAYS(why_not("\x80\x02X\xff\xff\xff\xff"), "damaged, or was cut off");
  const std::string whole = pickle::dict({{"w", pickle::view("0", 4, 0, kOne, kOne)}});
  for (size_t end = 0; end < whole.size(); ++end)
    EXPECT_THROW(parse_torch_pickle(whole.substr(0, end), "x"), Error) << end;
}

TEST_F(TorchArchive, ArchivesAreCheckedBeforeTheyAreOpened) {
  const auto why = [&] { return error_of([&] { load_torch_archive(at("x.bin")); }); };
  const std::string program = pickle::dict({{"w", pickle::view("0", 4, 0, kOne, kOne)}});
  support::write_archive({{"data.pkl", program}, {"data/0", std::string(1 << 20, '\0')}}, at("x.bin"), true);
  EXPECT_SAYS(why(), "is compressed or encrypted");
  support::write_archive({{"data.pkl", program}, {"data/0", std::string(16, '\0')}, {"constants.pkl", "N."}},
                         at("x.bin"));
  EXPECT_SAYS(why(), "TorchScript archive");
  support::write_archive({{"data.pkl", program}, {"data/0", std::string(16, '\0')}, {"byteorder", "big"}},
                         at("x.bin"));
  EXPECT_SAYS(why(), "byte order of another machine");
  write_file(at("x.bin"), "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9");
  EXPECT_SAYS(why(), "before 1.6");
  write_file(at("x.bin"), "{}");
  EXPECT_SAYS(why(), "no file of PyTorch");
  write_file(at("x.bin"), "");
  EXPECT_SAYS(why(), "it is empty");

  support::write_archive({{"data.pkl", program}, {"data/0", std::string(16, '\1')}}, at("x.bin"));
  const std::string good = read_file(at("x.bin"));
  EXPECT_NO_THROW(load_torch_archive(at("x.bin")));
  for (size_t end = 0; end < good.size(); end += 7) {
    write_file(at("x.bin"), good.substr(0, end));
    EXPECT_NE(why(), "") << end;
  }
  for (size_t place = 0; place < good.size(); ++place) {  // read or refused, never more
    std::string damaged = good;
    damaged[place] = static_cast<char>(damaged[place] ^ 0x55);
    write_file(at("x.bin"), damaged);
    why();
  }
}

}  // namespace
}  // namespace hijack::torch_archive_test
