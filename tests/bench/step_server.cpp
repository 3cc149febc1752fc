// hijack_step: one attack step at a time, as told on the standard input. What side_by_side.py and growth.py
// drive.
//
//   hijack_step MODEL_DIR contexts=8 prompt=32 target=16 system=0 views=0 images=1 dtype=float32 threads=0
//
// prompt: tokens after the image; target: target tokens; system: words of a system prompt before the image;
// views: keep only that many of the image's views (0 = all); height, width: of the picture (0 = the model's
// own, one tile where it takes several); images: photos of a universal attack, all with the same contexts.
// Also device=cpu, recompute=auto and pool=on (off: tensors from the heap). Commands, one a line, each
// answered by one line of JSON: "inputs FILE" (writes what a peer needs to do the same step: input_ids [B,L],
// target_ids [B,T], pixel_values), "step" (seconds, loss, peak and resident bytes), "gradient FILE"
// (pixel_gradient of the last step), "rate" (multiply-adds a second of a matrix product), "quit".
#include <ATen/Parallel.h>

#include <chrono>
#include <ctime>
#include <iostream>

#include "attacks/objectives/token_losses.h"
#include "models/checkpoint/safetensors.h"
#include "models/load_model.h"
#include "models/network/activation_checkpointing.h"
#include "src/base/error.h"
#include "src/base/memory_pool.h"
#include "src/base/process_memory.h"
#include "src/base/profile.h"

namespace hijack {
namespace {

using Clock = std::chrono::steady_clock;

/// Wall clock, and processor time of all threads: the latter is what counts on a machine that others use.
class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }
  double cpu_seconds() const { return static_cast<double>(std::clock() - cpu_begin_) / CLOCKS_PER_SEC; }

 private:
  Clock::time_point begin_ = Clock::now();
  std::clock_t cpu_begin_ = std::clock();
};

/// Pictures with edges and fine detail, on the lattice.
Tensor test_picture(const ImageSpec& size, int64_t number) {
  const Tensor y = at::linspace(0, 1, size.height).view({1, 1, -1, 1});
  const Tensor x = at::linspace(0, 1, size.width).view({1, 1, 1, -1});
  const Tensor phase = at::tensor({0.0, 2.1, 4.2}, at::kFloat).view({1, 3, 1, 1});
  const Tensor color = 0.5 + 0.4 * (9 * x + 5 * y + phase + number).sin() * (40 * y - 30 * x * x).cos();
  return (color * 255).round().clamp(0, 255) / 255;
}

/// Contexts that differ and have equally many tokens, so that a peer needs no padding.
class Contexts {
 public:
  Contexts(const VisionLanguageModel& model, const Pixels& pixels, int64_t count, int64_t prompt,
           int64_t target, int64_t system) {
    std::string before = system > 0 ? "Be" : "";
    for (int64_t word = 1; word < system; ++word) before += " 1";
    for (int64_t i = 0; i < count; ++i) {
      queries.push_back({numbered(i, 0), before});
      targets.push_back(target_of(model, target, i));
    }
    const auto length = [&] { return after_image(model, pixels, queries[0]); };
    for (int64_t words = 1; length() < prompt && words < 10000; ++words)
      for (int64_t i = 0; i < count; ++i) queries[static_cast<size_t>(i)].prompt = numbered(i, words);
    const size_t first = model.input_ids(pixels, queries[0]).size();
    for (const Query& query : queries)
      TORCH_CHECK(model.input_ids(pixels, query).size() == first, "contexts of different lengths");
  }

  std::vector<Query> queries;
  std::vector<TokenIds> targets;

 private:
  static std::string numbered(int64_t i, int64_t words) {
    std::string text = "Picture " + std::to_string(1000 + i).substr(1);
    for (int64_t w = 0; w < words; ++w) text += " 1";
    return text + "?";
  }
  static TokenIds target_of(const VisionLanguageModel& model, int64_t length, int64_t i) {
    const int64_t known = model.tokenizer().vocabulary_size();
    TokenIds ids = model.target_ids("Sure, here it is: the cat " + std::to_string(i));
    for (int64_t n = 0; static_cast<int64_t>(ids.size()) < length; ++n)
      ids.push_back(100 + (37 * n + i) % (known - 130));
    ids.resize(static_cast<size_t>(length));
    return ids;
  }
  static int64_t after_image(const VisionLanguageModel& model, const Pixels& pixels, const Query& query) {
    const TokenIds ids = model.input_ids(pixels, query);
    // the image is the longest run of one token
    size_t best = 0, end = 0;
    for (size_t i = 0, run = 0; i < ids.size(); ++i) {
      run = i > 0 && ids[i] == ids[i - 1] ? run + 1 : 1;
      if (run >= best) best = run, end = i + 1;
    }
    return static_cast<int64_t>(ids.size() - end);
  }
};

struct Settings {
  explicit Settings(std::span<char*> arguments) {
    folder = arguments.empty() ? "" : arguments[0];
    for (size_t i = 1; i < arguments.size(); ++i) {
      const std::string text = arguments[i], name = text.substr(0, text.find('='));
      TORCH_CHECK(text.find('=') != text.npos && values.contains(name), "unknown setting ", text);
      values[name] = text.substr(name.size() + 1);
    }
  }
  int64_t number(const std::string& name) const { return std::stoll(values.at(name)); }

  std::string folder;
  std::map<std::string, std::string> values = {
      {"contexts", "8"}, {"prompt", "32"},  {"target", "16"},      {"views", "0"}, {"dtype", "float32"},
      {"threads", "0"},  {"device", "cpu"}, {"recompute", "auto"}, {"pool", "on"}, {"system", "0"},
      {"images", "1"},   {"height", "0"},   {"width", "0"}};
};

class Server {
 public:
  explicit Server(const Settings& settings)
      : model_(load_model(settings.folder,
                          {.device = settings.values.at("device"), .dtype = settings.values.at("dtype")})) {
    const int64_t views = settings.number("views");
    ImageSpec size = model_->image_spec();
    if (settings.number("height") > 0) size.height = settings.number("height");
    if (settings.number("width") > 0) size.width = settings.number("width");
    for (int64_t i = 0; i < settings.number("images"); ++i) {
      Pixels pixels = model_->preprocess(test_picture(size, i).to(model_->device()));
      if (views > 0) pixels.values = pixels.values.narrow(0, 0, views);
      pixels.values = pixels.values.detach().contiguous().requires_grad_(true);
      pixels_.push_back(pixels);
    }
    contexts_.emplace(*model_, pixels_[0], settings.number("contexts"), settings.number("prompt"),
                      settings.number("target"), settings.number("system"));
  }

  nlohmann::json step() {
    const Stopwatch watch;
    std::vector<Tensor> losses, leaves;
    for (const Pixels& pixels : pixels_) {
      const auto logits = model_->target_logits(pixels, contexts_->queries, contexts_->targets);
      losses.push_back(mean_cross_entropy(logits, contexts_->targets));
      leaves.push_back(pixels.values);
    }
    const Tensor loss = at::stack(losses).mean();
    gradient_ = torch::autograd::grad({loss}, leaves)[0].cpu();
    return {
        {"seconds", watch.seconds()}, {"cpu_seconds", watch.cpu_seconds()}, {"loss", loss.item<double>()}};
  }

  nlohmann::json inputs(const std::string& file) const {
    std::vector<Tensor> ids, targets;
    for (size_t i = 0; i < contexts_->queries.size(); ++i) {
      ids.push_back(at::tensor(model_->input_ids(pixels_[0], contexts_->queries[i]), at::kLong));
      targets.push_back(at::tensor(contexts_->targets[i], at::kLong));
    }
    save_safetensors({{"input_ids", at::stack(ids)},
                      {"target_ids", at::stack(targets)},
                      {"pixel_values", pixels_[0].values.detach().cpu()}},
                     file);
    return {{"tokens", ids[0].size(0)}};
  }

  nlohmann::json profile(const std::string& file) {
    Profile trace(file);
    trace.start();
    step();
    trace.stop();
    return {{"operators", trace.summary()}};
  }

  nlohmann::json gradient(const std::string& file) const {
    save_safetensors({{"pixel_gradient", gradient_}}, file);
    return {{"written", file}};
  }

 private:
  std::shared_ptr<const VisionLanguageModel> model_;
  std::vector<Pixels> pixels_;
  std::optional<Contexts> contexts_;
  Tensor gradient_;
};

nlohmann::json matmul_rate() {
  const at::NoGradGuard no_gradients;
  const Tensor a = at::randn({2048, 2048}), b = at::randn({2048, 2048});
  at::mm(a, b);
  const Stopwatch watch;
  at::mm(a, b);
  const double work = std::pow(2048.0, 3);
  return {{"multiply_adds_per_second", work / watch.seconds()},
          {"multiply_adds_per_cpu_second", work / watch.cpu_seconds()}};
}

void count_memory_from_here() {
  forget_tensor_memory();
  reset_peak_memory();
}

int serve(std::span<char*> arguments) {
  const Settings settings(arguments);
  if (settings.number("threads") > 0) at::set_num_threads(static_cast<int>(settings.number("threads")));
  set_activation_checkpointing(checkpointing_from_name(settings.values.at("recompute")));
  Server server(settings);
  count_memory_from_here();
  for (std::string line; std::getline(std::cin, line) && line != "quit";) {
    const std::string command = line.substr(0, line.find(' '));
    const std::string file = line.size() > command.size() ? line.substr(command.size() + 1) : "";
    nlohmann::json answer = command == "step"       ? server.step()
                            : command == "inputs"   ? server.inputs(file)
                            : command == "gradient" ? server.gradient(file)
                            : command == "profile"  ? server.profile(file)
                                                    : matmul_rate();
    const ProcessMemory memory = process_memory();
    answer["peak_bytes"] = memory.peak;
    answer["resident_bytes"] = memory.resident;
    answer["mapped_file_bytes"] = memory.mapped_files;
    std::cout << answer.dump() << std::endl;
    if (command == "rate") count_memory_from_here();  // the product's own matrices
  }
  return 0;
}

}  // namespace
}  // namespace hijack

int main(int argc, char** argv) {
  const std::span<char*> given(argv, static_cast<size_t>(argc));
  if (std::none_of(given.begin(), given.end(),
                   [](const char* one) { return std::string(one) == "pool=off"; }))
    hijack::pool_tensor_memory();  // before any tensor exists
  try {
    return hijack::serve(std::span(argv + 1, static_cast<size_t>(argc - 1)));
  } catch (const std::exception& error) {
    std::cerr << "hijack_step: " << error.what() << std::endl;
    return 2;
  }
}
