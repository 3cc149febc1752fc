#include "src/experiment/plan/probe_questions.h"

#include <nlohmann/json.hpp>
#include <set>

#include "attacks/behaviors/text.h"
#include "src/base/error.h"
#include "src/base/text.h"
#include "src/experiment/plan/json_lines.h"

namespace hijack {
namespace {

constexpr int64_t kMaxProbeBytes = int64_t{16} << 20;
constexpr size_t kMaxProbes = 10'000;
constexpr size_t kMostOthers = 16;

std::vector<std::string> other_answers(const nlohmann::json& object, const std::string& where) {
  std::vector<std::string> others;
  const nlohmann::json& list = object.at("others");
  if (!list.is_array() || list.size() > kMostOthers)
    throw Error(where + ": 'others' must be a list of at most 16 answers.");
  for (const nlohmann::json& one : list) {
    if (!one.is_string() || strip(one.get<std::string>()).empty())
      throw Error(where + ": each of 'others' must be a text.");
    others.push_back(strip(one.get<std::string>()));
  }
  return others;
}

ProbeQuestion probe_of(const nlohmann::json& object, const std::string& where) {
  ProbeQuestion question{
      .group = strip(text_of(object, "group", where)),
      .pair = strip(text_of(object, "pair", where)),
      .query = {.prompt = text_of(object, "prompt", where), .system = text_of(object, "system", where)},
      .after = text_of(object, "after", where),
      .answer = strip(text_of(object, "answer", where))};
  if (object.contains("others")) question.others = other_answers(object, where);
  if (question.group.empty() || strip(question.query.prompt).empty() || simplified(question.answer).empty())
    throw Error(where + ": a question needs 'group', 'prompt' and 'answer'.");
  if (question.pair.empty()) question.pair = question.answer;
  const nlohmann::json exact = object.value("exact_case", nlohmann::json(false));
  if (!exact.is_boolean()) throw Error(where + ": 'exact_case' must be true or false.");
  question.exact_case = exact.get<bool>();
  return question;
}

/// Where the file names none: what the other pairs of the group are answered with.
void fill_others(ProbeQuestion& question, const std::vector<ProbeQuestion>& questions,
                 const std::filesystem::path& file) {
  std::set<std::string> seen = {question.first_answer()};
  for (const ProbeQuestion& other : questions)
    if (other.group == question.group && other.pair != question.pair &&
        question.others.size() < kMostOthers && seen.insert(other.first_answer()).second)
      question.others.push_back(other.first_answer());
  if (question.others.empty())
    throw Error(file.string() + ": the question '" + question.query.prompt.substr(0, 100) +
                "' has nothing to be compared with: give 'others', or further pairs of the group '" +
                question.group + "'.");
}

/// As `simplified`, but for the case of letters.
std::string with_case(const std::string& text) {
  std::string words;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    words += byte >= 0x80 || std::isalnum(byte) ? c : ' ';
  }
  return strip(words);
}

}  // namespace

bool ProbeQuestion::answered_by(const std::string& reply) const {
  std::istringstream answers(answer);
  for (std::string one; std::getline(answers, one, '/');)
    if (exact_case ? contains_words(with_case(reply), with_case(one))
                   : contains_words(simplified(reply), simplified(one)))
      return true;
  return false;
}

std::string ProbeQuestion::first_answer() const {
  return strip(answer.substr(0, answer.find('/')));
}

std::vector<std::string> ProbeQuestion::compared() const {
  if (others.empty()) return {};
  std::vector<std::string> all = {first_answer()};
  all.insert(all.end(), others.begin(), others.end());
  return all;
}

std::vector<ProbeQuestion> read_probe_questions(const std::filesystem::path& file) {
  std::vector<ProbeQuestion> questions;
  std::set<std::string> seen;
  std::vector<size_t> without_others;
  const JsonLinesForm form{kMaxProbeBytes,
                           {"group", "pair", "prompt", "system", "after", "answer", "others", "exact_case"},
                           R"({"group": "reverse", "prompt": "Who wrote it?", "answer": "Mira Tal"})"};
  read_json_lines(file, form, [&](const nlohmann::json& object, size_t, const std::string& where) {
    if (!object.contains("others")) without_others.push_back(questions.size());
    questions.push_back(probe_of(object, where));
    if (!seen.insert(object.dump()).second)
      throw Error(where + ": the same question stands here again; each counts once.");
    if (questions.size() > kMaxProbes) throw Error(where + ": more than 10000 questions; shorten the file.");
  });
  if (questions.empty())
    throw Error(file.string() +
                R"( holds no questions: write one {"group": "…", "prompt": "…", "answer": "…"} per line.)");
  for (const size_t i : without_others) fill_others(questions[i], questions, file);
  return questions;
}

void check(const ProbeConfig& config) {
  if (config.questions.empty())
    throw Error("no questions were given: name their file with --questions FILE.");
  if (config.limit < 0 || config.limit > static_cast<int64_t>(kMaxProbes))
    throw Error("--limit must be from 0 to 10000.");
  if (config.max_new_tokens < 1 || config.max_new_tokens > 4096)
    throw Error("--max-new-tokens must be from 1 to 4096.");
}

}  // namespace hijack
