#include "models/chat_template/jinja/parser.h"

#include <algorithm>
#include <array>

#include "models/chat_template/jinja/expression_parser.h"
#include "src/base/error.h"
#include "src/base/unicode.h"

namespace hijack::jinja {
namespace {

class Parser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  void run() {
    syntax().body = block({});
    if (now().type != TokenType::end) unexpected();
  }

 private:
  using Ends = std::vector<std::string_view>;

  Statement& statement(StatementKind kind) {
    syntax().statements.push_back({.kind = kind});
    syntax().statements.back().line = now().line;
    return syntax().statements.back();
  }

  void end_tag() {
    if (now().type != TokenType::end_block) unexpected();
    next();
  }

  /// Up to a tag that begins with one of `ends`, whose name is then the next token.
  Block block(const Ends& ends) {
    const Nested nested(*this);
    Block made;
    while (now().type != TokenType::end) {
      if (now().type == TokenType::data) {
        Statement& text = statement(StatementKind::text);
        text.text = next().text;
        made.push_back(&text);
      } else if (now().type == TokenType::begin_print) {
        made.push_back(print());
      } else if (now().type == TokenType::begin_block) {
        next();
        if (now().type == TokenType::name && std::find(ends.begin(), ends.end(), now().text) != ends.end())
          return made;
        made.push_back(tag());
      } else {
        unexpected();
      }
    }
    if (!ends.empty()) fail("{% " + std::string(ends.back()) + " %} is missing");
    return made;
  }

  /// A block and its end tag.
  Block whole_block(std::string_view end) {
    end_tag();
    Block made = block({end});
    next();
    end_tag();
    return made;
  }

  const Statement* print() {
    next();
    Statement& made = statement(StatementKind::print);
    made.value = expressions();
    if (now().type != TokenType::end_print) unexpected();
    next();
    return &made;
  }

  const Statement* tag() {
    const std::string name = expect_name("what a tag begins with");
    static const std::pair<std::string_view, const Statement* (Parser::*)()> kTags[] = {
        {"for", &Parser::loop},    {"if", &Parser::branch},        {"set", &Parser::assign},
        {"macro", &Parser::macro}, {"generation", &Parser::group}, {"filter", &Parser::filtered},
        {"with", &Parser::with},   {"break", &Parser::leave},      {"continue", &Parser::skip}};
    for (const auto& [known, parse_tag] : kTags)
      if (known == name) return (this->*parse_tag)();
    if (name.starts_with("end") || name == "else" || name == "elif")
      fail("{% " + unicode::excerpt(name) + " %} is not expected here");
    fail("{% " + unicode::excerpt(name) + " %} is not supported");
  }

  std::string assigned_name() {
    const std::string name = expect_name("what is assigned to");
    static constexpr std::array<std::string_view, 6> kConstants = {"true",  "True", "false",
                                                                   "False", "none", "None"};
    if (std::find(kConstants.begin(), kConstants.end(), name) != kConstants.end())
      fail(name + " cannot be assigned to");
    return name;
  }

  Target single_target(bool attributes) {
    if (take("(")) {
      Target inside = targets(attributes);
      expect(")");
      return inside;
    }
    Target made{.name = assigned_name()};
    if (attributes && take(".")) made.attribute = expect_name("an attribute");
    return made;
  }

  Target targets(bool attributes) {
    const Nested nested(*this);
    Target made = single_target(attributes);
    if (!now().is(",")) return made;
    made = {.several = {made}};
    while (take(",") && (now().type == TokenType::name || now().is("(")) && !now().is_name("in"))
      made.several.push_back(single_target(attributes));
    return made;
  }

  const Statement* loop() {
    Statement& made = statement(StatementKind::loop);
    made.target = targets(false);
    if (!take_name("in")) unexpected();
    made.value = expressions(/*with_condition=*/false);
    if (take_name("if")) made.condition = expression();
    if (now().is_name("recursive")) fail("{% for ... recursive %} is not supported");
    end_tag();
    ++loops_;
    made.body = block({"else", "endfor"});
    --loops_;
    if (next().text == "else") {
      end_tag();
      made.otherwise = block({"endfor"});
      next();
    }
    end_tag();
    return &made;
  }

  const Statement* branch() {
    const Nested nested(*this);
    Statement& made = statement(StatementKind::branch);
    made.value = expressions(/*with_condition=*/false);
    end_tag();
    made.body = block({"elif", "else", "endif"});
    const std::string end = next().text;
    if (end == "elif") {
      made.otherwise = {branch()};
      return &made;
    }
    end_tag();
    if (end == "endif") return &made;
    made.otherwise = block({"endif"});
    next();
    end_tag();
    return &made;
  }

  const Statement* assign() {
    Statement& made = statement(StatementKind::assign);
    made.target = targets(true);
    if (take("=")) {
      made.value = expressions();
      end_tag();
      return &made;
    }
    if (!made.target.several.empty()) unexpected();
    made.kind = StatementKind::assign_block;
    if (now().is("|")) made.value = filters(block_text());
    made.body = whole_block("endset");
    return &made;
  }

  const Expression* block_text() { return &make(ExpressionKind::name, {}, kBlockText); }

  const Statement* filtered() {
    Statement& made = statement(StatementKind::filtered);
    made.value = filters(block_text(), /*first_pipe_read=*/true);
    made.body = whole_block("endfilter");
    return &made;
  }

  const Statement* with() {
    Statement& made = statement(StatementKind::with);
    while (now().type == TokenType::name) {
      const std::string name = assigned_name();
      expect("=");
      made.parameters.emplace_back(name, expression());
      if (!take(",")) break;
    }
    made.body = whole_block("endwith");
    return &made;
  }

  const Statement* macro() {
    Statement& made = statement(StatementKind::macro);
    made.text = expect_name("a macro");
    expect("(");
    while (!now().is(")")) {
      if (!made.parameters.empty()) expect(",");
      const std::string name = assigned_name();
      const Expression* value = take("=") ? expression() : nullptr;
      if (!value && !made.parameters.empty() && made.parameters.back().second)
        fail("a parameter without default after one with a default");
      made.parameters.emplace_back(name, value);
    }
    next();
    const int around = std::exchange(loops_, 0);
    made.body = whole_block("endmacro");
    loops_ = around;
    return &made;
  }

  const Statement* group() {
    Statement& made = statement(StatementKind::group);
    const int around = std::exchange(loops_, 0);
    made.body = whole_block("endgeneration");
    loops_ = around;
    return &made;
  }

  const Statement* jump(StatementKind kind) {
    if (loops_ == 0) fail("{% break %} and {% continue %} need a loop around them");
    Statement& made = statement(kind);
    end_tag();
    return &made;
  }
  const Statement* leave() { return jump(StatementKind::leave); }
  const Statement* skip() { return jump(StatementKind::skip); }

  int loops_ = 0;
};

}  // namespace

std::unique_ptr<const Syntax> parse(std::string_view source) {
  constexpr size_t kLargest = size_t{1} << 20;
  if (source.size() > kLargest) throw Error("it is larger than 1 MiB");
  if (!unicode::is_well_formed(source)) throw Error("it is not UTF-8");
  auto syntax = std::make_unique<Syntax>();
  Parser(tokens_of(source), *syntax).run();
  return syntax;
}

}  // namespace hijack::jinja
