#include <iostream>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/cli/commands.h"
#include "src/cli/model_options.h"

namespace hijack::cli {
namespace {

using nlohmann::json;

struct TokenizeArguments {
  ModelOptions model;
  std::string in;
  std::string out;
};

bool flag(const json& row, const char* key, bool otherwise, const std::string& where) {
  const json value = row.value(key, json(otherwise));
  if (!value.is_boolean()) throw Error(where + ": '" + key + "' must be true or false.");
  return value.get<bool>();
}

json tokenized(const Tokenizer& tokenizer, const std::string& line, const std::string& where) {
  const json row = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!row.is_object() || !row.contains("text") || !row["text"].is_string())
    throw Error(where + R"(: not a line such as {"text": "…", "add_special_tokens": true}.)");
  const TokenIds ids =
      tokenizer.encode(row["text"].get<std::string>(), flag(row, "add_special_tokens", true, where));
  return {{"ids", ids}, {"decoded", tokenizer.decode(ids, flag(row, "skip_special_tokens", false, where))}};
}

int tokenize(const TokenizeArguments& arguments) {
  const auto tokenizer = Tokenizer::from_file(arguments.model.folder() / "tokenizer.json");
  std::istringstream lines(read_file(arguments.in));
  std::string out;
  size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::string where = arguments.in + ":" + std::to_string(++number);
    if (line.empty()) continue;
    // Bytes of a token that is no character are shown as U+FFFD.
    out += tokenized(*tokenizer, line, where).dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  }
  if (arguments.out.empty())
    std::cout << out;
  else
    write_file(arguments.out, out);
  return 0;
}

}  // namespace

void add_tokenize(CLI::App& program, Action& chosen) {
  CLI::App* command = program.add_subcommand("tokenize", "token ids of texts, and what they decode to");
  auto arguments = std::make_shared<TokenizeArguments>();
  command
      ->add_option("--model", arguments->model.model,
                   "folder with tokenizer.json; default: the shipped model")
      ->type_name("DIR");
  command
      ->add_option(
          "--in", arguments->in,
          R"(lines {"text": "…", "add_special_tokens": true}; with "skip_special_tokens": true, which )"
          R"(transformers' decode leaves off, "decoded" has no special tokens)")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("--out", arguments->out, R"(lines {"ids": […], "decoded": "…"}; default: standard output)")
      ->type_name("FILE");
  command->callback([&chosen, arguments] { chosen = [arguments] { return tokenize(*arguments); }; });
}

}  // namespace hijack::cli
