// Where keys, passwords and the answers of endpoints may stand, and where not.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "defenses/make_defense.h"
#include "models/endpoint/address.h"
#include "src/base/file.h"
#include "src/experiment/evaluate/evaluate.h"
#include "src/experiment/report/report.h"
#include "tests/support/environment.h"
#include "tests/support/local_server.h"
#include "tests/support/toy_runs.h"

namespace hijack::endpoint_secrets_test {
namespace {

namespace fs = std::filesystem;
using support::error_of;
using support::Variable;

constexpr const char* kPassword = "s3cret";

/// Answers every chat, and keeps the header Authorization.
struct SecretServer {
  SecretServer() {
    server.answer("/v1/(.*)", [this](const httplib::Request& request, httplib::Response& response) {
      authorization = request.get_header_value("Authorization");
      response.set_content(R"({"choices": [{"message": {"content": "is it red"}}]})", "application/json");
    });
  }
  std::string address(const std::string& login) const {
    return "http://" + login + "127.0.0.1:" + std::to_string(server.port()) + "/v1";
  }

  std::string authorization;
  support::LocalServer server;
};

class SecretEndpoint : public ::testing::Test {
 protected:
  std::string address(const std::string& login) const { return server_.address(login); }
  std::string cache() const { return (folder_.path() / "cache").string(); }
  std::string spec(const std::string& login) const {
    return "paraphrase:endpoint=" + address(login) + ",retries=0,cache=" + cache();
  }
  static void answer(const Defense& defense, const std::string& prompt) {
    defense.answer({{{}, {.prompt = prompt}}}, [](const std::vector<Submission>& submissions) {
      return std::vector<Reply>(submissions.size());
    });
  }

  support::TemporaryFolder folder_;
  SecretServer server_;
  std::string& authorization_ = server_.authorization;
};

TEST_F(SecretEndpoint, ALoginReachesTheServerAndNoName) {
  const Variable key("HIJACK_API_KEY", "k-1");
  const auto defense = make_defense(parse_defense(spec("me:s3cret%40x@")), {});
  answer(*defense, "with a login");
  EXPECT_EQ(authorization_, httplib::make_basic_authentication_header("me", "s3cret@x").second)
      << "a login of the address goes before the key";
  EXPECT_EQ(defense->name().find(kPassword), std::string::npos) << defense->name();
  EXPECT_EQ(defense->name().find("me:"), std::string::npos) << defense->name();
  answer(*make_defense(parse_defense(defense->name()), {}), "made again from its name");
  EXPECT_TRUE(authorization_.starts_with("Basic ")) << authorization_;
  for (const auto& file : fs::recursive_directory_iterator(cache()))
    EXPECT_EQ((file.path().string() + read_file(file.path())).find(kPassword), std::string::npos);
}

TEST_F(SecretEndpoint, TheLoginIsNoPartOfWhatWasAsked) {
  answer(*make_defense(parse_defense(spec("me:s3cret@")), {}), "the same prompt");
  authorization_ = "not asked";
  answer(*make_defense(parse_defense(spec("you:other@")), {}), "the same prompt");
  EXPECT_EQ(authorization_, "not asked");
}

TEST_F(SecretEndpoint, PlansHoldNoLogin) {
  AttackConfig config;
  config.images = {"a.png"};
  config.seeds = {0};
  config.defense.defenses = {spec("me:s3cret@"), "jpeg:quality=75"};
  const auto plans = plan_trials(config);
  AttackConfig planned = plans.at(0).config;
  const std::string written = fields_to_json(fields_of(planned)).dump();
  EXPECT_EQ(written.find(kPassword), std::string::npos) << written;
  EXPECT_EQ(plans[0].config.defense.defenses[1], "jpeg:quality=75");
  answer(*make_defense(parse_defense(plans[0].config.defense.defenses[0]), {}), "from the plan");
  EXPECT_TRUE(authorization_.starts_with("Basic ")) << "the process still knows it";
}

/// A whole run, attacked behind an endpoint with a login, and one evaluated behind it.
class RunWithLogin : public ToyRuns {
 protected:
  RunWithLogin() {
    config_.optimizer.steps = 2;
    spec_ = "paraphrase:endpoint=" + server_.address("me:s3cret@") +
            ",retries=0,cache=" + (root() / "cache").string();
  }
  void expect_no_login_in(const std::string& name) {
    write_file(root() / name / "report.html", html_report({read_run(root() / name)}));
    size_t files = 0;
    for (const auto& file : fs::recursive_directory_iterator(root() / name)) {
      if (!file.is_regular_file()) continue;
      const std::string text = file.path().string() + read_file(file.path());
      for (const char* secret : {kPassword, "me:s", "bWU6"})  // the last: how base64 of "me:" begins
        EXPECT_EQ(text.find(secret), std::string::npos) << file.path();
      ++files;
    }
    EXPECT_GT(files, 3u);
    EXPECT_TRUE(server_.authorization.starts_with("Basic ")) << "the server was asked with it";
    server_.authorization.clear();
  }

  SecretServer server_;
  std::string spec_;
};

TEST_F(RunWithLogin, NothingOfItIsWritten) {
  finished("plain");
  EvaluateConfig evaluate;
  evaluate.defense.defenses = {spec_, "jpeg"};
  evaluate.defense.adaptive = true;
  evaluate.stack = true;
  evaluate.utility = 1;
  evaluate.suffix.steps = 0;
  ASSERT_TRUE(evaluate_run(root() / "plain", evaluate, {}, models()));
  expect_no_login_in("plain");
  fs::remove_all(root() / "cache");  // so that the server is asked again
  config_.defense.defenses = {spec_};
  finished("defended");
  expect_no_login_in("defended");
}

TEST_F(SecretEndpoint, AnotherProcessTakesTheLoginFromTheEnvironment) {
  const Variable login("HIJACK_API_LOGIN", "you:pw");
  // another path is another address, for which this process was given none
  const std::string other = "paraphrase:endpoint=" + address("") + "/,retries=0,cache=" + cache();
  answer(*make_defense(parse_defense(other), {}), "from the environment");
  EXPECT_EQ(authorization_, httplib::make_basic_authentication_header("you", "pw").second);
  const Variable key("HIJACK_API_KEY", "k-1");
  answer(*make_defense(parse_defense(other), {}), "with a key");
  EXPECT_EQ(authorization_, "Bearer k-1");
}

TEST(Address, MessagesNeverRepeatALogin) {
  for (const std::string& spec :
       {std::string("paraphrase:endpoint=http://me:s3cret@127.0.0.1:1/v1,retries=0,cache=/nowhere"),
        std::string("paraphrase:endpoint=http://me:s3cret@h/v1,nonsense"),
        std::string("paraphrase:endpoint=http://me:s3,cret@h/v1"),
        std::string("paraphrase:endpoint=http://me:s3cret@h/v1,endpoint=x"),
        std::string("paraphrase:endpoint=http://me:s3 cret@h/v1"),
        std::string("paraphrase:endpoint=ftp://me:s3cret@h/v1"),
        std::string("paraphrase:endpoint=me:s3cret@h"),
        std::string("paraphrase:endpoint=http://me:s3cret/cret@h/v1"),
        std::string("paraphrase:endpoint=http://me:s3cret@"),
        std::string("paraphrase:endpoint=http://h/v1?api_key=s3cret"),
        std::string("paraphrase:endpoint=http://h/v1#s3cret"),
        std::string("paraphrase:timeout=http://me:s3cret@h"),
        std::string("perplexity:preset=http://me:s3cret@h,threshold=1")}) {
    const std::string message = error_of([&] {
      const auto defense = make_defense(parse_defense(spec), {});
      defense->answer({{{}, {.prompt = "p"}}},
                      [](const auto& all) { return std::vector<Reply>(all.size()); });
    });
    EXPECT_NE(message, "") << spec;
    for (const char* secret : {"s3", "cret", "me:s"})
      EXPECT_EQ(message.find(secret), std::string::npos) << spec << ": " << message;
  }
}

TEST(Address, HasItsParts) {
  const EndpointAddress one = parse_address("https://u:p%3Aq@host:8000/v1/");
  EXPECT_EQ(one.shown, "https://host:8000/v1/");
  EXPECT_EQ(one.server, "https://host:8000");
  EXPECT_EQ(one.base, "/v1");
  EXPECT_EQ(one.host, "host");
  EXPECT_EQ(one.login, "u:p:q");
  EXPECT_EQ(parse_address("http://[::1]:80").host, "::1");
  EXPECT_EQ(parse_address("http://a@b@host/").shown, "http://host/") << "the last @ ends the login";
}

TEST(Address, OnlyThisMachineIsLoopback) {
  for (const char* host : {"localhost", "LocalHost", "127.0.0.1", "127.9.9.9", "::1"})
    EXPECT_TRUE(is_loopback(host)) << host;
  for (const char* host : {"localhost.example.org", "127.0.0.1.example.org", "10.0.0.1", "0.0.0.0", "::2",
                           "example.org", "::ffff:8.8.8.8"})
    EXPECT_FALSE(is_loopback(host)) << host;
}

TEST(EndpointKey, TravelsOverPlainHttpOnlyWhenForced) {
  const support::TemporaryFolder folder;
  const auto sentence = [&](const std::string& address, const std::string& more = "") {
    return error_of([&] {
      make_defense(
          parse_defense("paraphrase:endpoint=" + address + ",cache=" + folder.path().string() + more), {});
    });
  };
  EXPECT_EQ(sentence("http://gpu.example.org/v1"), "") << "nothing secret to send";
  EXPECT_NE(sentence("http://me:pw@gpu.example.org/v2"), "");
  const Variable key("HIJACK_API_KEY", "k-1");
  const std::string message = sentence("http://gpu.example.org/v1");
  EXPECT_NE(message.find("$HIJACK_API_KEY"), std::string::npos) << message;
  EXPECT_NE(message.find("insecure=true"), std::string::npos) << message;
  EXPECT_EQ(message.find("k-1"), std::string::npos);
  EXPECT_EQ(sentence("https://gpu.example.org/v1"), "");
  EXPECT_EQ(sentence("http://localhost:8080/v1"), "");
  EXPECT_EQ(sentence("http://[::1]:8080/v1"), "");
  EXPECT_EQ(sentence("http://gpu.example.org/v1", ",insecure=true"), "");
}

class CacheWithoutHome : public SecretEndpoint {
 protected:
  fs::path expected() const { return folder_.path() / ("hijack-" + std::to_string(geteuid())); }
  std::string sentence(const std::string& prompt) const {
    return error_of([&] {
      answer(*make_defense(parse_defense("paraphrase:retries=0,endpoint=" + address("")), {}), prompt);
    });
  }
  Variable home_{"HOME", nullptr}, cache_{"HIJACK_CACHE", nullptr}, tmp_{"TMPDIR", folder_.path().c_str()};
};

TEST_F(CacheWithoutHome, IsPrivate) {
  EXPECT_EQ(sentence("hello"), "");
  struct stat found {};
  ASSERT_EQ(::stat(expected().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0700u);
  EXPECT_FALSE(fs::is_empty(expected()));
  EXPECT_EQ(sentence("hello again"), "") << "its own folder is used again";
}

TEST_F(CacheWithoutHome, IsNotOneThatOthersCouldHaveMade) {
  fs::create_directory(expected());
  fs::permissions(expected(), fs::perms::all);
  const std::string open = sentence("hello");
  EXPECT_NE(open.find("not this user's alone"), std::string::npos) << open;
  EXPECT_NE(open.find("cache=DIR"), std::string::npos) << open;
  EXPECT_TRUE(fs::is_empty(expected()));

  fs::remove(expected());
  fs::create_directory(folder_.path() / "elsewhere");
  fs::permissions(folder_.path() / "elsewhere", fs::perms::owner_all);
  fs::create_directory_symlink(folder_.path() / "elsewhere", expected());
  EXPECT_NE(sentence("hello").find("not this user's alone"), std::string::npos) << "a link";

  if (geteuid() != 0) return;  // only root can give a folder to another user
  fs::remove(expected());
  fs::create_directory(expected());
  fs::permissions(expected(), fs::perms::owner_all);
  ASSERT_EQ(::chown(expected().c_str(), 12345, 12345), 0);
  EXPECT_NE(sentence("hello").find("not this user's alone"), std::string::npos) << "another user's";
}

}  // namespace
}  // namespace hijack::endpoint_secrets_test
