#include "src/experiment/plan/utility_set.h"

#include "attacks/behaviors/text.h"
#include "src/base/error.h"
#include "src/base/text.h"
#include "src/experiment/plan/identity.h"
#include "src/experiment/plan/json_lines.h"
#include "src/experiment/plan/shipped.h"

namespace hijack {
namespace {

constexpr int64_t kMaxQuestionBytes = int64_t{16} << 20;
constexpr size_t kMaxQuestions = 10'000;

CheckedQuestion question_of(const nlohmann::json& object, const std::string& where) {
  CheckedQuestion question{text_of(object, "prompt", where), {}};
  std::istringstream answers(text_of(object, "answer", where));
  for (std::string answer; std::getline(answers, answer, '/');) {
    if (simplified(answer).empty()) throw Error(where + ": an answer is empty.");
    question.answers.push_back(strip(answer));
  }
  if (strip(question.prompt).empty() || question.answers.empty())
    throw Error(where + ": a question needs 'prompt' and 'answer'.");
  return question;
}

}  // namespace

bool CheckedQuestion::answered_by(const std::string& reply) const {
  const std::string said = simplified(reply);
  if (answers.size() == 1 && (answers[0] == "yes" || answers[0] == "no"))
    return contains_words(said.substr(0, said.find(' ')), answers[0]);
  return std::any_of(answers.begin(), answers.end(),
                     [&](const std::string& answer) { return contains_words(said, simplified(answer)); });
}

nlohmann::json UtilitySet::record() const {
  if (file.empty()) return {{"name", name}};
  return {{"name", name}, {"sha256", file_hash(file)}};
}

UtilitySet utility_set_for(const std::string& wanted, const std::filesystem::path& model) {
  const std::string name = !wanted.empty() ? wanted : knows_language(model) ? "everyday" : "scenes";
  if (name == "scenes") return {name, {}};
  if (name == "everyday") return {name, shipped_data() / "contexts" / "everyday_checked.jsonl"};
  if (!std::filesystem::is_regular_file(name))
    throw Error("--utility-set is '" + name.substr(0, 200) +
                "', but must be scenes, everyday, or a JSONL file of questions with answers.");
  return {name, name};
}

std::vector<CheckedQuestion> read_checked_questions(const std::filesystem::path& file) {
  std::vector<CheckedQuestion> questions;
  std::set<std::string> seen;
  const JsonLinesForm form{
      kMaxQuestionBytes, {"prompt", "answer"}, R"({"prompt": "What is 2 + 2?", "answer": "4/four"})"};
  read_json_lines(file, form, [&](const nlohmann::json& object, size_t, const std::string& where) {
    questions.push_back(question_of(object, where));
    if (!seen.insert(questions.back().prompt).second)
      throw Error(where + ": the same question stands here again; each counts once.");
    if (questions.size() > kMaxQuestions)
      throw Error(where + ": more than 10000 questions; shorten the file.");
  });
  if (questions.empty())
    throw Error(file.string() + R"( holds no questions: write one {"prompt": "…", "answer": "…"} per line.)");
  return questions;
}

}  // namespace hijack
