#include <c10/util/Exception.h>

#include <iostream>
#include <new>
#include <string>

#include "models/endpoint/address.h"
#include "src/base/error.h"
#include "src/base/memory_pool.h"
#include "src/cli/commands.h"
#include "src/cli/help.h"
#include "src/cli/log.h"
#include "src/cli/refusal.h"
#include "src/cli/standard_output.h"
#include "src/cli/text.h"
#include "src/experiment/record/manifest.h"

namespace hijack::cli {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongInput = 2;

int complain(const std::string& sentence, int code) {
  std::cerr << "hijack: " << without_login(sentence) << std::endl;
  return code;
}

std::string first_line(const std::string& text) {
  return printable(text.substr(0, text.find('\n')), 300);
}

int show_help(const CLI::App& command, const std::string& part) {
  std::cout << help_text(command, part, help_width());
  return 0;
}

int run(int argc, char** argv) {
  CLI::App program("Adversarial images against vision-language models: attack, defend, report.", "hijack");
  program.set_version_flag("--version", "hijack " + hijack_version());
  program.require_subcommand(0, 1);
  program.footer("'hijack help COMMAND' explains a command; 'hijack help attack budget' one heading of it.");
  Action chosen;
  for (const auto add :
       {add_attack,   add_evaluate,  add_run,    add_judge,    add_inside,     add_features, add_probe,
        add_report,   add_reproduce, add_chat,   add_serve,    add_train,      add_trace,    add_activations,
        add_tokenize, add_scenes,    add_models, add_defenses, add_completion, add_help})
    add(program, chosen);
  try {
    program.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return show_help(innermost(program), "");
  } catch (const CLI::CallForAllHelp&) {
    return show_help(innermost(program), "all");
  } catch (const CLI::Success& version) {
    return program.exit(version);
  } catch (const CLI::ParseError& error) {
    return complain(refusal(program, error), kWrongInput);
  }
  return chosen ? chosen() : show_help(program, "");
}

int guarded(int argc, char** argv) {
  try {
    start_log();
    const int code = run(argc, argv);
    finish_standard_output();
    return code;
  } catch (const Error& error) {
    return complain(error.what(), kWrongInput);
  } catch (const c10::OutOfMemoryError&) {
    return complain(
        "out of memory on the device; take --dtype bfloat16, a smaller --batch, or another --device.",
        kFailed);
  } catch (const c10::Error& error) {
    return complain("this should not have happened; please report it with the command line: " +
                        first_line(error.what_without_backtrace()),
                    kFailed);
  } catch (const std::bad_alloc&) {
    return complain("out of memory.", kFailed);
  } catch (const std::filesystem::filesystem_error& error) {
    return complain("cannot use '" + error.path1().string() + "': " + error.code().message() + ".",
                    kWrongInput);
  } catch (const Failure& error) {
    return complain(error.what(), kFailed);
  } catch (const std::exception& error) {
    return complain(
        "this should not have happened; please report it with the command line: " + first_line(error.what()),
        kFailed);
  }
}

}  // namespace
}  // namespace hijack::cli

int main(int argc, char** argv) {
  hijack::cli::keep_standard_streams();
  hijack::pool_tensor_memory();
  return hijack::cli::guarded(argc, argv);
}
