#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <regex>

#include "src/base/file.h"
#include "src/experiment/report/aggregate/aggregate.h"
#include "src/experiment/report/report.h"
#include "src/experiment/report/values/text.h"
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

/// The part of a page between two marks.
std::string between(const std::string& text, const std::string& from, const std::string& to) {
  const size_t start = text.find(from);
  return start == std::string::npos ? "" : text.substr(start, text.find(to, start) - start);
}

/// Runs in the report's own document, in a frame of the width under test: what a reader's screen shows.
constexpr const char* kMeasure = R"js(<script>
window.onload = () => {
  const W = innerWidth, H = innerHeight, open = e => !e.closest('details:not([open])');
  const list = (css, test) => [...document.querySelectorAll(css)].filter(e => open(e) && test(e))
    .map(e => e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 40));
  const box = e => e.getBoundingClientRect();
  const small = e => box(e).width < 40 || box(e).height < 40 || (e.tagName === 'IMG' && !e.naturalWidth);
  const wide = e => e.scrollWidth > e.clientWidth + 1;
  const result = {
    figures: list('img,.chart svg', small),
    beyond: list('main *', e => !e.closest('.scroll') && box(e).right > W + 0.5),
    overflow: document.documentElement.scrollWidth > W ? ['page'] : [],
    scrolling: list('.scroll', wide),
    unhinted: list('figure.scrolls', e => !box(e.querySelector('.hint')).height)
      .concat(list('.scroll', e => wide(e) && !e.parentElement.matches('figure.scrolls'))),
    first: list('.look .rate', e => box(e).bottom > H || box(e).right > W || box(e).left < 0),
    rates: list('td.main .rate', e => box(e).right > W || box(e).left < 0),
    bars: list('.bar svg', e => box(e).right > box(e.closest('td')).right + 0.5),
    broken: list('tbody th', e => e.firstChild.nodeName === '#text' && /^jpeg:quality=\d+$/.test(e.firstChild.data)
      && (r => (r.selectNode(e.firstChild), r.getClientRects().length > 1))(document.createRange())),
    cut: list('.rates th,.rates td', wide),
    trials: [...document.querySelectorAll('details.trial')].filter(e => box(e).height > 0).length,
    lit: document.querySelectorAll('.look .rate').length,
  };
  for (const e of document.querySelectorAll('.scroll')) e.scrollLeft = 9999;
  result.lost = list('.rates tbody tr', row => {
    const key = box(row.cells[0]), main = box(row.querySelector('td.main'));
    return main.width && (key.left < 0 || main.left < key.right - 1 || main.right > W);
  });
  /*more*/
  parent.postMessage(JSON.stringify(result), '*');
};</script>)js";

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
    return dump_file("report.html", options);
  }

  std::string dump_file(const std::string& name, const std::string& options) {
    const std::string command =
        "timeout 120 " + chromium() +
        " --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --enable-logging=stderr "
        "--user-data-dir=" +
        (folder_ / "profile").string() + " " + options + " --dump-dom file://" + (folder_ / name).string() +
        " > " + (folder_ / "dom.html").string() + " 2> " + (folder_ / "log.txt").string();
    const int status = std::system(command.c_str());
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << read_file(folder_ / "log.txt");
    log_ = read_file(folder_ / "log.txt");
    return read_file(folder_ / "dom.html");
  }

  /// What kMeasure says of the page in a frame of this width, as high as a phone. A frame, since windows of
  /// Chromium are not as narrow as a phone. `more` is script of the test, which may add to `result`.
  nlohmann::json measured(std::string page, int width, const std::string& more = "") {
    // the report allows its own script only; the copy under test lifts that to measure the layout
    page = std::regex_replace(page, std::regex("<meta http-equiv=[^>]*>"), "");
    std::string script = kMeasure;
    script.replace(script.find("/*more*/"), 8, more);
    page.insert(page.find("</body>"), script);
    write_file(folder_ / "report.html", page);
    write_file(folder_ / "frame.html",
               "<!doctype html><body><iframe src=\"report.html\" width=\"" + std::to_string(width) +
                   "\" height=\"844\" style=\"border:0\"></iframe>"
                   "<script>onmessage = e => document.body.setAttribute('data-measured', e.data)</script>");
    const std::string dom = dump_file("frame.html", "--window-size=1400,1000 --virtual-time-budget=10000");
    expect_quiet_console();
    const std::string mark = "data-measured=\"";
    std::string text = between(dom, mark, "\">");
    if (text.empty()) return {};
    text = std::regex_replace(text.substr(mark.size()), std::regex("&quot;"), "\"");
    return nlohmann::json::parse(std::regex_replace(text, std::regex("&amp;"), "&"), nullptr, false);
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
      EXPECT_NE(dom.find("<small><span>" + std::to_string(tally.exact) + "/" + std::to_string(tally.n) +
                         "</span> · "),
                std::string::npos)
          << name;
  for (const report::DefenseSummary& one : report::defenses({run})) {
    const std::string cell = between(dom, ">" + report::html(one.defense) + "</th>", "</td>");
    EXPECT_NE(cell.find("data-label=\"Image attack, static\""), std::string::npos) << one.defense;
    EXPECT_NE(cell.find(">" + report::percent(one.attack.value()) + "</b>"), std::string::npos) << cell;
    EXPECT_NE(cell.find(std::to_string(one.attack.successes) + "/" + std::to_string(one.attack.n)),
              std::string::npos)
        << cell;
  }
  size_t obeyed = 0;
  for (const ReplyRow& row : run.replies)
    obeyed += row.condition == "attack" && row.defense == "none" && row.exact;
  EXPECT_EQ(count(between(dom, "<table class=\"replies\">", "<details class=\"by-defense\">"), "● obeyed"),
            obeyed);
}

TEST_F(BrowserReport, EveryFigureIsVisibleAndNothingOverflows) {
  for (const bool sweep : {false, true}) {
    const RunRecord run = sweep ? support::sweep_run(folder_ / "sweep") : support::small_run(folder_ / "run");
    const std::string page = html_report({run});
    for (const int width : {1280, 820, 390}) {
      const nlohmann::json seen = measured(page, width);
      ASSERT_TRUE(seen.is_object()) << log_;
      for (const char* nothing :
           {"figures", "beyond", "overflow", "unhinted", "first", "rates", "bars", "broken", "cut", "lost"})
        EXPECT_EQ(seen[nothing], nlohmann::json::array()) << nothing << " at " << width;
      if (width == 1280) {
        EXPECT_EQ(seen["scrolling"], nlohmann::json::array());
      }
      if (width == 390) {
        EXPECT_FALSE(seen["scrolling"].empty()) << "what keeps sight of the success rate is put to the test";
      }
      EXPECT_EQ(seen["lit"], 2);
      EXPECT_EQ(seen["trials"], sweep ? 1 : 0) << "with the script an index, and one open";
    }
    const std::string without = std::regex_replace(page, std::regex("<script>[^<]*</script>"), "");
    EXPECT_EQ(measured(without, 390)["trials"], sweep ? 72 : 0);
  }
}

TEST_F(BrowserReport, TrialsAreSortedFilteredAndOpened) {
  const std::string page = html_report({support::sweep_run(folder_ / "sweep")});
  const nlohmann::json seen = measured(page, 1280, R"js(
    const table = document.querySelector('table.index'), names = () => [...table.tBodies[0].rows]
      .filter(row => !row.hidden).map(row => row.cells[0].querySelector('a').textContent);
    const success = () => [...table.tBodies[0].rows].map(row => Number(row.cells[3].dataset.sort));
    const head = table.querySelectorAll('thead button')[3];
    head.click(); result.down = success();
    head.click(); result.up = success();
    const field = document.querySelector('.filter input');
    field.value = 'leak  linf-8-'; field.oninput(); result.found = names();
    result.count = document.querySelector('.filter output').value;
    field.value = ''; field.oninput(); result.all = names().length;
    location.hash = document.querySelectorAll('table.index a')[5].hash;
    dispatchEvent(new Event('hashchange'));
    result.open = [...document.querySelectorAll('details.trial[open]')].map(e => '#' + e.querySelector('.body').id);
    result.asked = location.hash;)js");
  ASSERT_TRUE(seen.is_object()) << log_;
  auto rates = seen["up"].get<std::vector<double>>();
  EXPECT_EQ(rates.size(), 72u);
  EXPECT_TRUE(std::is_sorted(rates.begin(), rates.end()));
  rates = seen["down"].get<std::vector<double>>();
  EXPECT_TRUE(std::is_sorted(rates.rbegin(), rates.rend()));
  EXPECT_EQ(seen["found"].size(), 3u) << seen["found"];
  EXPECT_EQ(seen["count"], "3 of 72");
  EXPECT_EQ(seen["all"], 72);
  EXPECT_EQ(seen["open"], nlohmann::json::array({seen["asked"]}));
}

TEST_F(BrowserReport, HostileRowsRunNothing) {
  const std::string dom = dump(html_report({support::hostile_run(folder_ / "run")}));
  expect_quiet_console();
  EXPECT_NE(dom.find("<html lang=\"en\" class=\"js\">"), std::string::npos) << "our own script ran";
  EXPECT_EQ(count(dom, "<script"), 1u);
  EXPECT_EQ(count(dom, "<title>owned"), 0u);
  EXPECT_EQ(count(dom, "onerror=\""), 0u);
}

TEST_F(BrowserReport, MarkupThatWasNotEscapedRunsNothingEither) {
  std::string page = html_report({support::small_run(folder_ / "run")});
  page.replace(page.find("<header>"), 0,
               "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
               "<p style=\"position:fixed\" id=\"mark\">x</p>");
  const std::string dom = dump(page);
  EXPECT_EQ(count(dom, "<title>owned"), 0u);
  EXPECT_NE(log_.find("Content Security Policy"), std::string::npos) << log_;
  EXPECT_NE(dom.find("class=\"js\""), std::string::npos);
}

}  // namespace
}  // namespace hijack::report_slow_test
