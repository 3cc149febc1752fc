#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <regex>

#include "src/base/file.h"
#include "src/experiment/report/aggregate.h"
#include "src/experiment/report/report.h"
#include "src/experiment/report/text.h"
#include "tests/support/sample_run.h"

// Opens reports in headless Chromium, as a reader would.

namespace hijack::report_slow_test {
namespace {

namespace fs = std::filesystem;

std::string chromium() {
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"})
    for (const char* folder : {"/usr/bin/", "/usr/local/bin/", "/snap/bin/"})
      if (access((std::string(folder) + name).c_str(), X_OK) == 0) return std::string(folder) + name;
  return "";
}

class BrowserReport : public ::testing::Test {
 protected:
  void SetUp() override {
    if (chromium().empty()) GTEST_SKIP() << "chromium is not installed (apt-get install chromium)";
    folder_ = fs::temp_directory_path() / ("hijack_browser_" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// The document after the browser built it; its log goes to log_.
  std::string dump(const std::string& page, const std::string& options = "") {
    write_file(folder_ / "report.html", page);
    const std::string command =
        "timeout 120 " + chromium() +
        " --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --enable-logging=stderr "
        "--user-data-dir=" +
        (folder_ / "profile").string() + " " + options + " --dump-dom file://" +
        (folder_ / "report.html").string() + " > " + (folder_ / "dom.html").string() + " 2> " +
        (folder_ / "log.txt").string();
    const int status = std::system(command.c_str());
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << read_file(folder_ / "log.txt");
    log_ = read_file(folder_ / "log.txt");
    return read_file(folder_ / "dom.html");
  }

  /// Script errors, refused loads and violated policies all become console lines.
  void expect_quiet_console() const { EXPECT_EQ(log_.find("CONSOLE"), std::string::npos) << log_; }

  static size_t count(const std::string& text, const std::string& part) {
    size_t found = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size()))
      ++found;
    return found;
  }

  fs::path folder_;
  std::string log_;
};

TEST_F(BrowserReport, NumbersOfThePageEqualTheRows) {
  const RunRecord run = support::small_run(folder_ / "run");
  const std::string dom = dump(html_report({run}));
  expect_quiet_console();
  for (const auto& tallies : {run.trials[0].success, run.trials[0].controls})
    for (const auto& [name, tally] : tallies)
      EXPECT_NE(dom.find("<small>" + std::to_string(tally.exact) + "/" + std::to_string(tally.n) + " · "),
                std::string::npos)
          << name;
  for (const report::DefenseSummary& one : report::defenses({run})) {
    EXPECT_NE(dom.find(">" + report::html(one.defense) + "</th><td data-label=\"Image attack, static\"><b>" +
                       report::percent(one.attack.value()) + "</b><small>" +
                       std::to_string(one.attack.successes) + "/" + std::to_string(one.attack.n)),
              std::string::npos)
        << one.defense;
  }
  size_t obeyed = 0;
  for (const ReplyRow& row : run.replies)
    obeyed += row.condition == "attack" && row.defense == "none" && row.exact;
  EXPECT_EQ(count(dom, "● obeyed"), obeyed);
}

/// Marks what the browser laid out; runs in a page of its own that frames the report's markup.
constexpr const char* kMeasure = R"js(<script>
window.onload=()=>{const bad=[];
for(const e of document.querySelectorAll('img,.chart svg')){if(e.closest('details:not([open])'))continue;
const r=e.getBoundingClientRect();
if(r.width<40||r.height<40||(e.tagName==='IMG'&&!e.naturalWidth))bad.push(e.tagName+' '+r.width+'x'+r.height)}
const wide=document.documentElement.scrollWidth>window.innerWidth?'too wide':'fits';
document.documentElement.setAttribute('data-figures',bad.join(';')||'all visible');
document.documentElement.setAttribute('data-width',wide)}</script>)js";

TEST_F(BrowserReport, EveryFigureIsVisibleAndNothingOverflows) {
  for (const bool sweep : {false, true}) {
    const RunRecord run = sweep ? support::sweep_run(folder_ / "sweep") : support::small_run(folder_ / "run");
    // The report itself forbids scripts; the copy under test lifts that to measure the layout.
    std::string page = std::regex_replace(html_report({run}), std::regex("<meta http-equiv=[^>]*>"), "");
    page.replace(page.find("</body>"), 0, kMeasure);
    for (const char* window : {"--window-size=1280,900", "--window-size=500,900"}) {
      const std::string dom = dump(page, window);
      expect_quiet_console();
      EXPECT_NE(dom.find("data-figures=\"all visible\""), std::string::npos) << dom.substr(0, 200);
      EXPECT_NE(dom.find("data-width=\"fits\""), std::string::npos) << window;
    }
  }
}

TEST_F(BrowserReport, HostileRowsRunNothing) {
  const std::string dom = dump(html_report({support::hostile_run(folder_ / "run")}));
  expect_quiet_console();
  EXPECT_EQ(count(dom, "<script"), 0u);
  EXPECT_EQ(count(dom, "<title>owned"), 0u);
  EXPECT_EQ(count(dom, "onerror=\""), 0u);
}

}  // namespace
}  // namespace hijack::report_slow_test
