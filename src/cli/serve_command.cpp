#include <iostream>

#include "models/endpoint/address.h"
#include "src/base/error.h"
#include "src/cli/commands.h"
#include "src/cli/interrupt.h"
#include "src/cli/log.h"
#include "src/cli/model_options.h"
#include "src/cli/text.h"
#include "src/experiment/plan/config.h"
#include "src/serve/server.h"

namespace hijack::cli {
namespace {

struct ServeCommand {
  explicit ServeCommand(CLI::App& command) {
    model.add_to(command);
    command
        .add_option("--host", address.host,
                    "address of this machine to listen at; another one than the loopback lets others in, who "
                    "are not asked who they are")
        ->capture_default_str()
        ->type_name("ADDRESS");
    command
        .add_option("--port", address.port, "0 = any that is free; the first line of the output says which")
        ->capture_default_str()
        ->check(CLI::Range(0, 65535))
        ->type_name("N");
    command.add_option("--name", name, "what requests call the model; default: the last part of its folder")
        ->type_name("TEXT");
    command.add_option("--max-new-tokens", limits.max_new_tokens, "longest reply that a request may ask for")
        ->capture_default_str()
        ->check(CLI::Range(1, 65536))
        ->type_name("N");
    command
        .add_option("--max-request", megabytes, "largest request in MiB; pictures are a third larger in it")
        ->capture_default_str()
        ->check(CLI::Range(1, 1024))
        ->type_name("N");
    command
        .add_option("--timeout", limits.seconds,
                    "seconds that a request waits for the model, and again for its reply")
        ->capture_default_str()
        ->check(CLI::Range(0.1, 86400.0))
        ->type_name("X");
    command.add_flag("--quiet", quiet, "no line for each request");
  }

  int act() {
    if (quiet) silence_notes();
    const Interrupt interrupt("stopping; once more stops at once");
    limits.max_request_bytes = megabytes << 20;
    const std::string called = name.empty() ? model_name(model.folder().string()) : name;
    const auto served = std::make_shared<const ServedModel>(model.load(), called, limits);
    ChatServer server(served, address, [](const ServedRequest& request) {
      log_line(request.what + " " + std::to_string(request.status) + " " +
               std::to_string(std::llround(request.seconds * 1000)) + " ms");
    });
    if (!is_loopback(address.host))
      log_warning(printable(address.host) +
                  " is no loopback address: whoever reaches it can use the model; nobody is asked for a key");
    const bool six = address.host.find(':') != std::string::npos;
    std::cout << "serving " << printable(called) << " at http://" << (six ? "[" : "")
              << printable(address.host) << (six ? "]" : "") << ":" << server.port() << "/v1" << std::endl;
    server.run(interrupt.token());
    return 0;
  }

  ModelOptions model;
  ServerAddress address;
  ServeLimits limits;
  std::string name;
  int64_t megabytes = 32;
  bool quiet = false;
};

}  // namespace

void add_serve(CLI::App& program, Action& chosen) {
  CLI::App* command =
      program.add_subcommand("serve", "answer an OpenAI-compatible API with a model, on this machine");
  auto serve = std::make_shared<ServeCommand>(*command);
  command->footer(
      "GET /v1/models, POST /v1/chat/completions (pictures as data: URLs, stream, logprobs, stop, seed). "
      "Ctrl-C ends it.");
  command->callback([&chosen, serve] { chosen = [serve] { return serve->act(); }; });
}

}  // namespace hijack::cli
