// The language of chat templates: what Python has otherwise than other languages, what is refused by name,
// and that hostile templates end.
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "models/chat_template/jinja/template.h"
#include "src/base/error.h"
#include "tests/support/expect_says.h"

namespace hijack::jinja_test {
namespace {

std::string rendered(const std::string& source) {
  return jinja::Template(source).render(
      {{"messages", {{{"role", "user"}, {"content", "Hi"}}, {{"role", "assistant"}, {"content", "Où?"}}}},
       {"n", 3},
       {"bos_token", "<s>"}});
}

std::string error_of(const std::string& source) {
  try {
    return "rendered: " + rendered(source);
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Jinja, ValuesArePythons) {
  EXPECT_EQ(
      rendered(
          "{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 6 / 2 }} {{ 2 ** 10 }} {{ 0.1 + 0.2 }} {{ 1e20 }}"),
      "3 -4 2 3.0 1024 0.30000000000000004 1e+20");
  EXPECT_EQ(
      rendered("{{ ['a', \"it's\", 1, none, true, 2.0] }}{{ ('a',) }}{{ {'k': undefined_one | string} }}"),
      "['a', \"it's\", 1, None, True, 2.0]('a',){'k': ''}");
  EXPECT_EQ(
      rendered(
          "{{ messages[1].content[::-1] }}{{ messages[1]['content'] | length }}{{ messages[-1:] | length }}"),
      "?ùO31");
  EXPECT_EQ(rendered("{{ 1 == true }}{{ '' or 'x' }}{{ 'a' ~ 1 ~ none }}{{ not [] }}{{ 'b' in 'abc' }}"),
            "Truexa1NoneTrueTrue");
}

TEST(Jinja, WhiteSpaceGoesAsTransformersSetsIt) {
  EXPECT_EQ(rendered("a\n  {% if true %}\n  b\n  {% endif %}\n  {{ n }}\n{# c #}\nd\n"), "a\n  b\n  3\nd");
  EXPECT_EQ(rendered("a  {%- if true -%}  \n b {%+ endif +%}\nc"), "ab \nc");
}

TEST(Jinja, ScopesAreJinjas) {
  EXPECT_EQ(rendered("{% set x = 1 %}{% for m in messages %}{% set x = 2 %}{% endfor %}{{ x }}"), "1");
  EXPECT_EQ(rendered("{% set ns = namespace(x=1) %}{% for m in messages %}{% set ns.x = ns.x + 1 %}{% endfor "
                     "%}{{ ns.x }}"),
            "3");
  EXPECT_EQ(
      rendered("{% macro f(a, b='y') %}{{ a }}{{ b }}{{ n }}{% endmacro %}{{ f('x') }}{{ f(b=1, a=2) }}"),
      "xy3213");
}

TEST(Jinja, TheDateIsAlwaysTheSame) {
  EXPECT_EQ(rendered("{{ strftime_now('%d %b %Y') }}"), "26 Jul 2024");
}

TEST(Jinja, WhatIsNotSupportedIsNamed) {
  EXPECT_SAYS(error_of("x\n{% include 'a' %}"), "cannot be used: line 2: {% include %} is not supported");
  EXPECT_SAYS(error_of("{{ n | groupby('x') }}"), "the filter 'groupby' is not supported");
  EXPECT_SAYS(error_of("{{ n is filter }}"), "the test 'filter' is not supported");
  EXPECT_SAYS(error_of("{{ messages.append(1) }}"), "the method 'append' of a list is not supported");
  EXPECT_SAYS(error_of("{% for m in messages recursive %}{% endfor %}"), "recursive %} is not supported");
  EXPECT_SAYS(error_of("{{ f(*messages) }}"), "'*' before an argument is not supported");
  EXPECT_SAYS(error_of("{{ cycler('a') }}"), "cycler");
  EXPECT_SAYS(error_of("{{ no.such }}"), "line 1: 'no' is undefined");
  EXPECT_SAYS(error_of("{{ raise_exception('No\nimages') }}"),
              "the chat template refuses this conversation: No");
}

TEST(Jinja, WhatIsNotJinjaIsSaid) {
  for (const char* source :
       {"{{", "{% if %}", "{% if n %}", "{{ 'a }}", "{{ a b }}", "{% endfor %}", "{{ (1 }}", "{# x",
        "{% break %}", "{{ 1 + }}", "{% set 1 = 2 %}", "{% raw %}", "{{ n[] }}", "{{ \\ }}"})
    EXPECT_SAYS(error_of(source), "the chat template cannot be used: ");
}

TEST(Jinja, HostileTemplatesEndInASentence) {
  const std::string many(3000, '(');
  std::string list = "{% set x = [1] %}";
  for (int i = 0; i < 200; ++i) list += "{% set x = [x, x] %}";
  for (const std::string& source :
       {std::string("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"), "{{ " + many, list + "{{ x }}",
        std::string("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}"),
        std::string("{% for a in range(10 ** 9) %}{% endfor %}"), std::string("{{ 'abcdefgh' * 10 ** 9 }}"),
        std::string("{% set ns = namespace(x='ab') %}{% for i in range(90) %}{% set ns.x = ns.x + ns.x %}{% "
                    "endfor %}"),
        std::string("{{ ('a' * 1000000) | replace('a', 'b' * 1000000) }}"),
        std::string(
            "{% set ns = namespace(x=[]) %}{% for i in range(50000) %}{% set ns.x = [ns.x] %}{% endfor %}"),
        std::string("{{ 9223372036854775807 + 1 }}"), std::string("{{ (-9223372036854775807 - 1) // -1 }}"),
        std::string("{% for a in range(100000) %}{{ 'a' * 1000 }}{% endfor %}"),
        std::string("{{ [1] * 10 ** 9 }}"), std::string("{{ 1 | tojson(indent=10 ** 15) }}")}) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_SAYS(error_of(source), "the chat template cannot be ");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5)) << source.substr(0, 100);
  }
}

}  // namespace
}  // namespace hijack::jinja_test
