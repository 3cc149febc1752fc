#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

// Test sets as their authors lay them out on disk. They are read where the user has them, and never shipped.

namespace hijack {

/// A picture in base64 inside of a set's file (MMBench): its bytes there. `problem`: what is wrong with it,
/// for whoever wants it.
struct EmbeddedPicture {
  std::filesystem::path file = {};
  uint64_t offset = 0, size = 0;
  std::string problem = {};
};

/// One prompt of a test set.
struct TestCase {
  std::string prompt;
  std::string target = {};  ///< what the set wants the reply to begin with, or the right answer; "" = nothing
  std::string subset = {};  ///< category, scenario or split, as the set calls it
  std::string image = {};   ///< as the set names it; "" = none (test_set_pictures.h reads them)
  std::string where = {};   ///< "FILE:LINE" or "FILE: entry NAME", for messages
  std::string with_image = {};  ///< what is asked where the case's own picture is shown; "" = the prompt
  std::optional<EmbeddedPicture> embedded = {};
};

/// advbench, harmbench, jailbreakbench, strongreject, mm-safetybench, jailbreakv-28k, figstep, vlguard,
/// xstest, pope, mmbench, mm-vet and omnisafebench-mm.
std::vector<std::string> test_set_names();

/// "mm-safetybench:DIR,subset=01,limit=50".
struct TestSetChoice {
  std::string name;
  std::filesystem::path path;  ///< the set's folder, or one of its files
  std::string subset = {};     ///< a part of the case's subset, whatever its case; "" = all
  int64_t limit = 0;           ///< cases, from all parts of the set in its order; 0 = all
};
/// Whether a text names a test set rather than a file of contexts: it begins with a known name and a colon.
bool names_test_set(const std::string& text);
/// Throws Error for unknown names and settings.
TestSetChoice parse_test_set(const std::string& text);

/// The cases that were chosen, each prompt once. Throws Error, with the file and the line or entry, for files
/// that are missing, damaged, hostile (over 64 MiB, nested deep, not UTF-8) or of another layout, for unknown
/// columns that are missing, and for a choice without cases.
std::vector<TestCase> read_test_set(const TestSetChoice& choice);

/// All cases of the set that were chosen, in which prompts may come again with other pictures. Throws Error
/// as read_test_set.
std::vector<TestCase> read_test_set_with_pictures(const TestSetChoice& choice);
/// Whether the set's own answers decide what is right (POPE's yes and no, MMBench's letters); else a case
/// counts as obeyed where the reply is no refusal.
bool has_right_answers(const std::string& set);

/// A test set as a corpus of contexts (dataset.h): JSONL lines with splits dealt as for a CSV file without
/// them. Targets go along where all chosen cases have one.
std::string test_set_contexts(const std::vector<TestCase>& cases);

/// The file that --contexts stands for: itself, or for a test set a file in the system's temporary folder
/// that is named by its content. Throws Error as read_test_set.
std::filesystem::path contexts_file(const std::string& text);

}  // namespace hijack
