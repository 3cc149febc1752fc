#include "src/serve/server.h"

#include "src/base/error.h"
#include "src/serve/chat_answer.h"
#include "src/serve/request_error.h"

#ifdef HIJACK_HTTP
#include <httplib.h>
#endif

namespace hijack {

#ifdef HIJACK_HTTP
namespace {

constexpr size_t kConnections = 32;
constexpr time_t kSlowClient = 30;  // seconds
constexpr const char* kJson = "application/json";

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// cpp-httplib's own would share the port with a second server (SO_REUSEPORT).
void sole_owner(socket_t socket) {
  const int yes = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

void refuse(httplib::Response& response, const RequestError& error) {
  response.status = error.status;
  response.set_content(error.body(), kJson);
}

}  // namespace

struct ChatServer::Inside {
  std::shared_ptr<const ServedModel> model;
  std::function<void(const ServedRequest&)> log;
  httplib::Server server;
  int port = 0;
  std::stop_source ending;
  std::atomic<uint64_t> answers = 0;

  void route();
  void chat(const httplib::Request& request, httplib::Response& response);
  void stream(const ChatRequest& request, httplib::Response& response);
  void say(const char* what, int status, double seconds) const {
    if (log) log({what, status, seconds});
  }
  AnswerHead new_head() {
    return {"chatcmpl-" + std::to_string(++answers), model->name(), static_cast<int64_t>(time(nullptr))};
  }
};

namespace {

constexpr const char* kChat = "POST /v1/chat/completions";

/// Writes the events of one reply.
int send_events(httplib::DataSink& sink, const ServedModel& model, const ChatRequest& request,
                const AnswerHead& head, const std::stop_token& ended) {
  bool here = true;
  const auto send = [&](const std::string& events) {
    here = here && sink.is_writable() && sink.write(events.data(), events.size());
    return here;
  };
  int status = 200;
  std::string last;
  try {
    send(head.first_event());
    const Completion done =
        model.answer(request, ended, [&](std::string_view piece) { return send(head.text_event(piece)); });
    last = head.last_events(request, done);
  } catch (const RequestError& error) {
    status = error.status;
    last = error_event(error.body());
  } catch (const std::exception&) {
    status = 500;
    last = error_event(RequestError::body_of("the model failed.", 500));
  }
  send(last);
  sink.done();
  return here ? status : 0;
}

}  // namespace

void ChatServer::Inside::stream(const ChatRequest& request, httplib::Response& response) {
  response.set_chunked_content_provider(
      "text/event-stream", [this, request, head = new_head()](size_t, httplib::DataSink& sink) {
        const auto start = std::chrono::steady_clock::now();
        const int status = send_events(sink, *model, request, head, ending.get_token());
        say(kChat, status, seconds_since(start));
        return status != 0;
      });
}

void ChatServer::Inside::chat(const httplib::Request& request, httplib::Response& response) {
  const auto start = std::chrono::steady_clock::now();
  bool streamed = false;
  try {
    if (!request.get_header_value("Content-Type").starts_with(kJson))
      throw RequestError("Content-Type must be application/json.");
    const ChatRequest chat = parse_chat_request(request.body, model->limits());
    model->check(chat);
    streamed = chat.stream;
    if (streamed)
      stream(chat, response);
    else
      response.set_content(new_head().completion(chat, model->answer(chat, ending.get_token())), kJson);
  } catch (const RequestError& error) {
    refuse(response, error);
  } catch (const std::exception&) {
    refuse(response, RequestError("the model failed.", "", 500));
  }
  if (!streamed) say(kChat, response.status > 0 ? response.status : 200, seconds_since(start));
}

void ChatServer::Inside::route() {
  server.Get("/v1/models", [this](const httplib::Request&, httplib::Response& response) {
    response.set_content(models_answer(model->name()), kJson);
  });
  server.Get("/health", [](const httplib::Request&, httplib::Response& response) {
    response.set_content(R"({"status":"ok"})", kJson);
  });
  server.Post("/v1/chat/completions", [this](const httplib::Request& request, httplib::Response& response) {
    chat(request, response);
  });
  server.set_error_handler([](const httplib::Request&, httplib::Response& response) {
    if (!response.body.empty()) return;
    const std::string sentence = response.status == 404   ? "there is nothing at this address."
                                 : response.status == 413 ? "the request is too large."
                                                          : "the request cannot be read.";
    response.set_content(RequestError::body_of(sentence, response.status), kJson);
  });
  server.set_payload_max_length(static_cast<size_t>(model->limits().max_request_bytes));
  server.set_read_timeout(kSlowClient);
  server.set_write_timeout(kSlowClient);
  server.set_socket_options(sole_owner);
  server.new_task_queue = [] { return new httplib::ThreadPool(kConnections); };
}

ChatServer::ChatServer(std::shared_ptr<const ServedModel> model, const ServerAddress& address,
                       std::function<void(const ServedRequest&)> log)
    : inside_(std::make_unique<Inside>()) {
  inside_->model = std::move(model);
  inside_->log = std::move(log);
  inside_->route();
  if (address.port == 0)
    inside_->port = inside_->server.bind_to_any_port(address.host);
  else
    inside_->port = inside_->server.bind_to_port(address.host, address.port) ? address.port : -1;
  if (inside_->port <= 0)
    throw Error("The address " + address.host + ":" + std::to_string(address.port) +
                " cannot be served: it is taken, or no address of this machine; choose another --port or "
                "--host.");
}

ChatServer::~ChatServer() = default;

int ChatServer::port() const {
  return inside_->port;
}

void ChatServer::run(std::stop_token stop) {
  const std::stop_callback end(std::move(stop), [this] {
    inside_->ending.request_stop();
    inside_->server.stop();
  });
  inside_->server.listen_after_bind();
}
#else
struct ChatServer::Inside {};

ChatServer::ChatServer(std::shared_ptr<const ServedModel>, const ServerAddress&,
                       std::function<void(const ServedRequest&)>) {
  throw Error("This build of hijack has no HTTP: install libcpp-httplib-dev and build again.");
}
ChatServer::~ChatServer() = default;
int ChatServer::port() const {
  return 0;
}
void ChatServer::run(std::stop_token) {}
#endif

}  // namespace hijack
