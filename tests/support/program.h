#pragma once
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <string>

#include "src/base/file.h"
#include "tests/support/temporary_folder.h"

namespace hijack::support {

inline const std::string kRoot = HIJACK_SOURCE_DIR;
inline const std::string kPhoto = kRoot + "/samples/images/chelsea.png";
inline const std::string kModel = kRoot + "/tests/golden/llava/clip_gqa";

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

class Program : public ::testing::Test {
 protected:
  Program() {
    std::string lines;
    const char* const splits[] = {"train", "train", "validation", "test", "test"};
    for (int i = 0; i < 5; ++i)
      lines += R"({"prompt": "question )" + std::to_string(i) + R"(", "split": ")" + splits[i] + "\"}\n";
    write_file(at("contexts.jsonl"), lines);
  }

  std::string at(const std::string& name) const { return (folder_.path() / name).string(); }

  /// The program with its output in files; `arguments` are words for the shell.
  Outcome run(const std::string& arguments) {
    const int code = shell(arguments + " >" + at("out") + " 2>" + at("err"));
    return {code, read_file(at("out")), read_file(at("err"))};
  }

  /// The exit code alone; the arguments say where the output goes.
  static int shell(const std::string& arguments) {
    const std::string command =
        "HIJACK_MODEL='" + kModel + "' OMP_NUM_THREADS=1 " HIJACK_PROGRAM " " + arguments;
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  /// The exit code of what gets Ctrl-C once it has shown a loss; its output is in files.
  int interrupted(const std::string& arguments) {
    // The shell knows its child's number, so that exactly that process gets the signal.
    write_file(at("stop.sh"), "HIJACK_MODEL='" + kModel + "' " HIJACK_PROGRAM " " + arguments + " >" +
                                  at("out") + " 2>" + at("err") +
                                  " &\npid=$!\nfor i in $(seq 600); do grep -q loss " + at("err") +
                                  " && break; sleep 0.1; done\nkill -INT $pid\nwait $pid\n");
    const int status = std::system(("bash " + at("stop.sh")).c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  /// A checkpoint of tests/golden, copied to be damaged.
  std::string copy_of(const std::string& golden, const std::string& name) const {
    std::filesystem::copy(kRoot + "/tests/golden/" + golden, at(name),
                          std::filesystem::copy_options::recursive);
    return at(name);
  }

  /// Exit code 2, one line on stderr that holds `words`, nothing on stdout.
  void expect_refused(const std::string& arguments, const std::string& words) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 2) << arguments << "\n" << outcome.err;
    EXPECT_EQ(outcome.out, "") << arguments;
    EXPECT_NE(outcome.err.find(words), std::string::npos) << arguments << "\n" << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }

  std::string attack(const std::string& more) const {
    return "attack --image " + kPhoto + " --contexts " + at("contexts.jsonl") +
           " --threads 1 --target abc --max-new-tokens 6 " + more;
  }

  TemporaryFolder folder_;
};

}  // namespace hijack::support
