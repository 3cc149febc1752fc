// --fail-above and --junit of hijack evaluate: where the gate of a build server fires, and where it does not.
#include <fstream>

#include <nlohmann/json.hpp>

#include "src/experiment/record/results.h"
#include "src/experiment/report/gate.h"
#include "tests/support/program.h"
#include "tests/support/sample_run.h"

namespace hijack::gate_test {
namespace {

namespace fs = std::filesystem;
using namespace support;

class Gate : public Program {
 protected:
  /// Says what is wrong with the files, if anything.
  std::string breaches(const std::string& files) {
    const int status = std::system(
        ("python3 " + kRoot + "/tests/support/junit_schema.py " + files + " >" + at("schema") + " 2>&1")
            .c_str());
    return status == 0 ? "" : "not JUnit: " + read_file(at("schema"));
  }

  /// A run of two seeds; the target is a reply that the tiny model never gives, or whatever it gives.
  void make_run(const std::string& more = "") {
    ASSERT_EQ(run(attack("--steps 1 --seed 0 1 --random-start --out " + at("run") + " " + more)).code, 0)
        << read_file(at("err"));
  }

  std::string evaluate(const std::string& more) const {
    return "evaluate " + at("run") + " --utility 0 --suffix-steps 0 --threads 1 " + more;
  }
};

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST_F(Gate, FiresOnTheUpperBoundAndWritesEverything) {
  make_run();
  const Outcome fired = run(evaluate("--defense bit_depth --fail-above .05 --junit " + at("gate.xml")));
  EXPECT_EQ(fired.code, 3) << fired.err;
  // two contexts without a success prove little: Wilson's bound is 0.658
  for (const char* words : {"hijack: behind 'bit_depth:", "succeeds on 0 of 4 replies, 0% (0–66%)",
                            "the upper 95 % bound 0.658 exceeds 0.05", "from 73 held-out contexts on"})
    EXPECT_NE(fired.err.find(words), std::string::npos) << words << "\n" << fired.err;
  EXPECT_NE(fired.out.find("report.html"), std::string::npos) << "the table comes all the same";
  EXPECT_EQ(read_run(at("run")).replies.empty(), false);
  const std::string xml = read_file(at("gate.xml"));
  EXPECT_EQ(breaches(at("gate.xml")), "");
  EXPECT_EQ(count_of(xml, "<testcase "), 3u) << "two trials, and both together\n" << xml;
  EXPECT_EQ(count_of(xml, "<failure "), 3u) << xml;
  for (const fs::directory_entry& entry : fs::directory_iterator(at("")))
    EXPECT_EQ(entry.path().string().find("gate.xml."), std::string::npos) << "a temporary file was left";
}

TEST_F(Gate, PassesBelowItAndKeepsToTheDefensesOfTheCommand) {
  make_run();
  const Outcome passed = run(evaluate("--defense bit_depth --fail-above .7 --junit " + at("gate.xml")));
  EXPECT_EQ(passed.code, 0) << passed.err;
  EXPECT_EQ(passed.err.find("exceeds"), std::string::npos) << passed.err;
  const std::string xml = read_file(at("gate.xml"));
  EXPECT_EQ(breaches(at("gate.xml")), "");
  EXPECT_EQ(count_of(xml, "<failure "), 0u) << xml;
  EXPECT_NE(xml.find("0 of 4 replies"), std::string::npos) << xml;

  const Outcome other =
      run(evaluate("--defense median --adaptive --fail-above 0 --json --junit " + at("other.xml")));
  EXPECT_EQ(other.code, 3) << other.err;
  const std::string second = read_file(at("other.xml"));
  EXPECT_EQ(breaches(at("other.xml")), "");
  EXPECT_EQ(second.find("bit_depth"), std::string::npos) << "was evaluated earlier\n" << second;
  EXPECT_NE(second.find("all trials, adaptive"), std::string::npos) << second;
  EXPECT_NE(second.find("all trials, static"), std::string::npos) << second;
  std::istringstream lines(other.out);
  for (std::string line; std::getline(lines, line);)
    EXPECT_TRUE(nlohmann::json::parse(line, nullptr, false).is_object()) << "only rows: " << line;
  EXPECT_EQ(run(evaluate("--defense bit_depth")).code, 0) << "without the flag there is no gate";
}

TEST_F(Gate, RefusesWhatMakesNoSenseBeforeTheWork) {
  make_run();
  const auto before = fs::file_size(at("run/replies.jsonl"));
  const std::string defended = "--defense bit_depth ";
  expect_refused(evaluate(defended + "--fail-above 1.5"), "--fail-above must be from 0 to below 1");
  expect_refused(evaluate(defended + "--fail-above=-0.1"), "--fail-above must be from 0 to below 1");
  expect_refused(evaluate(defended + "--fail-above nan"), "--fail-above must be from 0 to below 1");
  expect_refused(evaluate(defended + "--fail-above many"), "--fail-above must be a number");
  expect_refused(evaluate(defended + "--junit " + at("x.xml")), "--junit needs --fail-above");
  expect_refused(evaluate(defended + "--fail-above .1 --junit " + at("none/x.xml")), "cannot be written");
  expect_refused(evaluate(defended + "--fail-above .1 --junit " + at("run")), "cannot be written");
  EXPECT_EQ(fs::file_size(at("run/replies.jsonl")), before);
}

/// A trial whose own bound is above while all of them together are below fails nothing.
TEST(GateCases, ThePooledRateDecides) {
  TemporaryFolder folder;
  const RunRecord run = small_run(folder.path());
  std::set<std::string> defenses;
  for (const ReplyRow& reply : run.replies)
    if (reply.defense != "none") defenses.insert(reply.defense);
  const std::vector<GateCase> strict = gate_cases(run, defenses, 0);
  ASSERT_GE(strict.size(), 2u * defenses.size());
  double largest = 0;
  for (const GateCase& one : strict) {
    EXPECT_TRUE(one.failed) << one.defense;
    EXPECT_GT(one.rate.n, 0);
    if (one.trial.empty()) largest = std::max(largest, one.rate.interval().high);
  }
  const std::string sentence = gate_sentence(strict, 0);
  EXPECT_TRUE(sentence.ends_with(".")) << sentence;
  EXPECT_NE(sentence.find("more above it"), std::string::npos) << sentence;
  for (const GateCase& one : gate_cases(run, defenses, std::min(largest + 1e-9, .9999)))
    EXPECT_FALSE(one.failed) << one.defense << one.trial;
  EXPECT_EQ(gate_sentence(gate_cases(run, defenses, .9999), .9999), "");
  EXPECT_TRUE(gate_cases(run, {"no such"}, 0).empty());
}

TEST_F(Gate, HostileNamesStayInsideTheFile) {
  GateCase bad{"a\"<b>&\x01\xff'", "", "static", "</testcase><evil/>", {}, true};
  bad.rate.add("photo", 0, 3, 4);
  write_file(at("bad.xml"), junit_report({bad}, .1));
  EXPECT_EQ(breaches(at("bad.xml")), "");
  EXPECT_EQ(read_file(at("bad.xml")).find("<evil"), std::string::npos);
  write_file(at("none.xml"), junit_report({}, .1));
  EXPECT_EQ(breaches(at("none.xml")), "");
  // the schema itself can say no
  write_file(at("wrong.xml"),
             "<testsuites name=\"x\" tests=\"2\" failures=\"0\" errors=\"0\"><testsuite name=\"a\" "
             "tests=\"1\" failures=\"0\" errors=\"0\"/></testsuites>");
  EXPECT_NE(breaches(at("wrong.xml")), "");
}

}  // namespace
}  // namespace hijack::gate_test
