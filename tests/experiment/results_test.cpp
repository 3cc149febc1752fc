#include "src/experiment/record/results.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <limits>

#include "src/base/error.h"
#include "src/base/file.h"
#include "tests/support/sample_run.h"

namespace hijack::results_test {
namespace {

namespace fs = std::filesystem;

class Results : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() /
              ("hijack_results_" + std::string(info->name()) + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void add(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary | std::ios::app) << text;
  }
  static nlohmann::json trial() {
    TrialRow row;
    row.id = "t";
    row.image_file = "images/t.png";
    return to_json(row);
  }
  static nlohmann::json reply() {
    ReplyRow row;
    row.trial = "t";
    return to_json(row);
  }
  static std::string error_of(const std::function<void()>& work) {
    try {
      work();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
  std::string trial_error(const nlohmann::json& json) const {
    return error_of([&] { trial_from_json(json, "trials.jsonl:3"); });
  }

  fs::path folder_;
};

TEST_F(Results, RowsSurviveTheRoundTrip) {
  const RunRecord written = support::small_run(folder_);
  const RunRecord read = read_run(folder_);
  ASSERT_EQ(read.trials.size(), 1u);
  ASSERT_EQ(read.replies.size(), written.replies.size());
  EXPECT_EQ(to_json(read.trials[0]), to_json(written.trials[0]));
  for (size_t i = 0; i < read.replies.size(); ++i)
    EXPECT_EQ(to_json(read.replies[i]), to_json(written.replies[i]));
  EXPECT_EQ(read.manifest, written.manifest);
  EXPECT_EQ(read.trials[0].success.at("test").exact, 56);
  EXPECT_EQ(read.trials[0].losses, written.trials[0].losses);
}

TEST_F(Results, EverySingleFieldIsRequiredAndTyped) {
  const nlohmann::json a_trial = trial(), a_reply = reply();
  for (const auto& [key, value] : a_trial.items()) {
    nlohmann::json missing = trial();
    missing.erase(key);
    const std::string problem = trial_error(missing);
    if (key == "defense" || key == "adaptive") {  // older versions had no defended models
      EXPECT_EQ(problem, "no error") << key;
      continue;
    }
    EXPECT_NE(problem.find("trials.jsonl:3"), std::string::npos) << problem;
    EXPECT_NE(problem.find("'" + key + "' is missing"), std::string::npos) << problem;
    nlohmann::json wrong = trial();
    wrong[key] = nlohmann::json::array({nlohmann::json::object()});
    EXPECT_NE(trial_error(wrong).find("'" + key), std::string::npos) << key << ": " << trial_error(wrong);
  }
  for (const auto& [key, value] : a_reply.items()) {
    nlohmann::json missing = reply();
    missing.erase(key);
    const std::string problem = error_of([&] { reply_from_json(missing, "replies.jsonl:7"); });
    EXPECT_NE(problem.find("replies.jsonl:7: field '" + key + "' is missing"), std::string::npos) << problem;
  }
  EXPECT_NE(trial_error(nlohmann::json::array()).find("must be an object"), std::string::npos);
}

TEST_F(Results, ExtraKeysAreTolerated) {
  nlohmann::json json = trial();
  json["from_the_future"] = {1, 2, 3};
  json["budget"]["more"] = true;
  EXPECT_EQ(trial_from_json(json, "here").id, "t");
}

TEST_F(Results, NumbersThatAreNotFiniteBecomeNull) {
  TrialRow row;
  row.losses = {1, std::nan(""), std::numeric_limits<double>::infinity()};
  row.loss_saved = -std::numeric_limits<double>::infinity();
  const nlohmann::json json = to_json(row);
  EXPECT_TRUE(json["losses"][1].is_null());
  EXPECT_TRUE(json["losses"][2].is_null());
  EXPECT_TRUE(json["loss_saved"].is_null());
  const TrialRow back = trial_from_json(json, "here");
  EXPECT_EQ(back.losses[0], 1);
  EXPECT_TRUE(std::isnan(back.losses[2]));
  EXPECT_TRUE(std::isnan(back.loss_saved));
}

TEST_F(Results, NumbersOutOfRangeAreRefused) {
  const auto with = [&](const std::string& pointer, const nlohmann::json& value) {
    nlohmann::json json = trial();
    json["success"] = {{"test", {{"n", 10}, {"exact", 5}, {"contained", 5}}}};
    json[nlohmann::json::json_pointer(pointer)] = value;
    return trial_error(json);
  };
  EXPECT_EQ(with("/steps", 5), "no error");
  EXPECT_NE(with("/steps", -1), "no error");
  EXPECT_NE(with("/steps", 1.5), "no error");
  EXPECT_NE(with("/steps", uint64_t{1} << 63), "no error");
  EXPECT_NE(with("/seed", -1), "no error");
  EXPECT_EQ(with("/seed", std::numeric_limits<uint64_t>::max()), "no error");
  EXPECT_NE(with("/success/test/exact", 11).find("success.test"), std::string::npos);
  EXPECT_NE(with("/success/test/n", "10"), "no error");
}

TEST_F(Results, FilesOutsideTheRunFolderAreRefused) {
  for (const char* path : {"/etc/passwd", "../other/x.png", "images/../../x.png"}) {
    nlohmann::json json = trial();
    json["origin_file"] = path;
    EXPECT_NE(trial_error(json).find("inside the run folder"), std::string::npos) << path;
  }
}

TEST_F(Results, AHalfWrittenLastLineIsIgnored) {
  add("manifest.json", "{}");
  add("trials.jsonl", checked(trial()).dump() + "\n" + trial().dump().substr(0, 40));
  EXPECT_EQ(read_run(folder_).trials.size(), 1u);
}

TEST_F(Results, ARowThatWasChangedIsAnErrorWithItsNumber) {
  add("manifest.json", "{}");
  nlohmann::json row = checked(trial());
  row["steps"] = row["steps"].get<int64_t>() + 1;
  add("trials.jsonl", checked(trial()).dump() + "\n" + row.dump() + "\n");
  const std::string problem = error_of([&] { read_run(folder_); });
  EXPECT_NE(problem.find("trials.jsonl:2: the row was changed"), std::string::npos) << problem;
  fs::remove(folder_ / "trials.jsonl");
  add("trials.jsonl", trial().dump() + "\n");
  EXPECT_NE(error_of([&] { read_run(folder_); }).find("older version"), std::string::npos);
}

TEST_F(Results, PackedRowsAreRead) {
  add("manifest.json", "{}");
  add("trials.jsonl", checked(trial()).dump() + "\n");
  const gzFile out = gzopen((folder_ / "replies.jsonl.gz").c_str(), "wb");
  const std::string lines = checked(reply()).dump() + "\n" + checked(reply()).dump() + "\n";
  gzwrite(out, lines.data(), static_cast<unsigned>(lines.size()));
  gzclose(out);
  EXPECT_EQ(read_run(folder_).replies.size(), 2u);
}

TEST_F(Results, ABrokenLineInTheMiddleIsAnErrorWithItsNumber) {
  add("manifest.json", "{}");
  add("trials.jsonl", checked(trial()).dump() + "\n\n{\"id\":\n" + trial().dump() + "\n");
  const std::string problem = error_of([&] { read_run(folder_); });
  EXPECT_NE(problem.find("trials.jsonl:3"), std::string::npos) << problem;
}

TEST_F(Results, HostileFilesEndInAnError) {
  add("manifest.json", "{}");
  add("replies.jsonl", std::string(200'000, '[') + "\n");
  EXPECT_NE(error_of([&] { read_run(folder_); }).find("replies.jsonl:1"), std::string::npos);
  fs::remove(folder_ / "replies.jsonl");
  fs::create_directory(folder_ / "replies.jsonl");
  EXPECT_NE(error_of([&] { read_run(folder_); }), "no error");
  fs::remove(folder_ / "replies.jsonl");
  add("trials.jsonl", std::string(size_t{33} << 20, 'x'));
  EXPECT_NE(error_of([&] { read_run(folder_); }).find("32 MiB"), std::string::npos);
}

TEST_F(Results, AFolderWithoutManifestIsNoRun) {
  EXPECT_NE(error_of([&] { read_run(folder_); }).find("manifest.json"), std::string::npos);
  EXPECT_NE(error_of([&] { read_run(folder_ / "missing"); }), "no error");
  add("manifest.json", "[1]");
  EXPECT_NE(error_of([&] { read_run(folder_); }), "no error");
}

TEST_F(Results, TheWriterAppendsWholeLinesAndRepairsTheEnd) {
  const fs::path file = folder_ / "replies.jsonl";
  RowWriter(file).write(reply());
  const std::string line = checked(reply()).dump() + "\n";
  EXPECT_EQ(read_file(file), line);
  add("replies.jsonl", "{\"trial\": \"ha");
  RowWriter(file).write(reply());
  EXPECT_EQ(read_file(file), line + line);
  fs::resize_file(file, fs::file_size(file) - 1);  // a whole row without its line end
  RowWriter(file).write(reply());
  EXPECT_EQ(read_file(file), line + line + line);
  EXPECT_THROW(RowWriter(folder_ / "no" / "such.jsonl"), Error);
}

TEST_F(Results, RepliesOfAnyBytesAreWritten) {
  add("manifest.json", "{}");
  ReplyRow row;
  row.reply = "\xff\xfe broken \xe2\x82 utf-8 and a line\nfeed";
  RowWriter(folder_ / "replies.jsonl").write(to_json(row));
  const RunRecord run = read_run(folder_);
  ASSERT_EQ(run.replies.size(), 1u);
  EXPECT_NE(run.replies[0].reply.find("\xEF\xBF\xBD broken"), std::string::npos);
  EXPECT_NE(run.replies[0].reply.find("line\nfeed"), std::string::npos);
}

}  // namespace
}  // namespace hijack::results_test
