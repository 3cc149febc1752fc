#include "models/endpoint/call_budget.h"

#include <fcntl.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "src/base/file.h"

namespace hijack {
namespace {

constexpr int64_t kLargestLedger = int64_t{1} << 30;

/// Entries of the ledger that are `line`. Of a process that was killed while it wrote, half of one may stand
/// before the next.
int64_t calls_in(const std::filesystem::path& ledger, const std::string& line) {
  if (ledger.empty() || !std::filesystem::exists(ledger)) return 0;
  const std::string text = read_file(ledger, kLargestLedger);
  int64_t calls = 0;
  for (size_t at = text.find(line); at != std::string::npos; at = text.find(line, at + line.size())) ++calls;
  return calls;
}

std::string line_of(const std::string& whom) {
  return nlohmann::json({{"call", whom}}).dump();
}

/// One write for one line: appended whole, whoever else writes.
void append_line(const std::filesystem::path& file, const std::string& line) {
  const std::string text = line + "\n";
  const int stream = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  const bool written =
      stream >= 0 && ::write(stream, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (stream >= 0) ::close(stream);
  if (!written)
    throw Failure("The calls cannot be counted in '" + file.string() +
                  "': none was made that is not counted.");
}

}  // namespace

CallBudget::CallBudget(int64_t limit, std::filesystem::path ledger, std::string whom)
    : limit_(limit),
      ledger_(std::move(ledger)),
      whom_(std::move(whom)),
      made_(calls_in(ledger_, line_of(whom_))) {}

void CallBudget::take() {
  const std::scoped_lock lock(mutex_);
  if (limit_ > 0 && made_ >= limit_)
    throw BudgetSpent("The budget of " + std::to_string(limit_) + " calls to " + whom_ + " is spent (" +
                      std::to_string(made_) +
                      " were made, retries included); what was answered is kept, and the same command with a "
                      "larger --calls goes on.");
  if (!ledger_.empty()) append_line(ledger_, line_of(whom_));
  ++made_;
}

}  // namespace hijack
