#pragma once
#include <filesystem>
#include <vector>

#include "src/experiment/plan/test_sets.h"

// Inside of test_sets.cpp: one reader for each layout. `path` is a folder or a file; all throw Error as
// read_test_set does.

namespace hijack {

/// The file itself, or the first of `names` that lies in the folder; where there is none, the only file with
/// the ending of the first name. Throws Error naming the folder and what was looked for.
std::filesystem::path file_of_set(const std::filesystem::path& path, const std::vector<std::string>& names);

inline constexpr size_t kLongestTestText = 64 << 10;  // bytes

/// Throws Error for more than 200000 cases, and for an empty prompt.
void add_case(std::vector<TestCase>& cases, TestCase one);

/// Columns of a CSV file by what they are for; "" = the set has none. `prompt` must be there.
struct SetColumns {
  const char* prompt;
  const char* target = "";
  const char* subset = "";
  const char* image = "";
};
std::vector<TestCase> read_csv_set(const std::filesystem::path& file, const SetColumns& columns);

std::vector<TestCase> read_figstep(const std::filesystem::path& path);
std::vector<TestCase> read_harmbench(const std::filesystem::path& path);
std::vector<TestCase> read_mm_safetybench(const std::filesystem::path& path);
std::vector<TestCase> read_vlguard(const std::filesystem::path& path);
std::vector<TestCase> read_pope(const std::filesystem::path& path);
std::vector<TestCase> read_mmbench(const std::filesystem::path& path);
std::vector<TestCase> read_mm_vet(const std::filesystem::path& path);
std::vector<TestCase> read_omnisafebench(const std::filesystem::path& path);

}  // namespace hijack
