#include "tests/support/fuzz_targets.h"

#include <ATen/ATen.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "models/chat_template/jinja/template.h"
#include "models/checkpoint/safetensors.h"
#include "models/checkpoint/torch_archive.h"
#include "models/checkpoint/torch_pickle.h"
#include "models/families/gemma3.h"
#include "models/families/idefics3.h"
#include "models/families/instructblip.h"
#include "models/families/internvl.h"
#include "models/families/llava_next.h"
#include "models/families/llava_onevision.h"
#include "models/families/mistral3.h"
#include "models/families/paligemma.h"
#include "models/families/qwen_vl.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/base/json.h"

namespace hijack::support {
namespace {

/// The bytes as a file, without a disk.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes) : descriptor_(memfd_create("fuzz", MFD_CLOEXEC)) {
    size_t done = 0;
    while (descriptor_ >= 0 && done < bytes.size()) {
      const ssize_t now = ::write(descriptor_, bytes.data() + done, bytes.size() - done);
      if (now <= 0) throw std::runtime_error("memfd cannot be written");
      done += static_cast<size_t>(now);
    }
    if (descriptor_ < 0) throw std::runtime_error("memfd cannot be made");
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

/// Runs one reader; its Error ends only itself.
template <class Reader>
void attempt(const Reader& reader) {
  try {
    reader();
  } catch (const Error&) {
  }
}

void run_safetensors(std::string_view bytes) {
  attempt([&] {
    const MemoryFile file(bytes);
    for (const auto& [name, tensor] : load_safetensors(file.path())) {
      if (tensor.numel() == 0 || !tensor.is_contiguous()) continue;
      // touch the ends: both must lie in the mapping
      const auto* first = static_cast<const volatile char*>(tensor.data_ptr());
      (void)first[0], (void)first[tensor.nbytes() - 1];
    }
  });
}

void run_torch_archive(std::string_view bytes) {
  attempt([&] {
    const MemoryFile file(bytes);
    for (const auto& [name, tensor] : load_torch_archive(file.path())) {
      if (tensor.numel() == 0) continue;
      // reads every element: all must lie in the mapping
      (void)tensor.clone();
    }
  });
}

void run_torch_pickle(std::string_view bytes) {
  attempt([&] { parse_torch_pickle(bytes, "fuzz"); });
}

void run_tokenizer(std::string_view bytes) {
  attempt([&] {
    const auto tokenizer = Tokenizer::from_json(bytes, "fuzz");
    for (const std::string_view text :
         {"", "Hello  world 12 <image> don't", "e\xcc\x81 \xf0\x9f\x98\x80\r\n\t\xff<s>"})
      for (const bool special : {false, true})
        attempt([&] {
          const auto encoding = tokenizer->encode_with_offsets(text, special);
          for (const auto& [begin, end] : encoding.offsets)
            if (begin > end || end > text.size()) throw std::logic_error("offsets outside the text");
          tokenizer->decode(encoding.ids, special);
        });
    attempt([&] { tokenizer->encode_with_dropout("Hello world", 0.5, 1); });
    const TokenIds odd = {0, 3, 1, 2, 0};
    attempt([&] { tokenizer->decode(odd, true); });
  });
}

void run_sentence_piece(std::string_view bytes) {
  attempt([&] {
    const MemoryFile file(bytes);
    const auto tokenizer = Tokenizer::from_sentence_piece(file.path());
    for (const std::string_view text :
         {"", "a photo of ab ", "\xe2\x96\x81 \xef\xac\x81 e\xcc\x81 \xf0\x9f\x98\x80\xff"})
      attempt([&] { tokenizer->decode(tokenizer->encode(text, true), false); });
  });
}

// Sizes of photos for which configs and processors are asked what they would make of them.
constexpr std::pair<int64_t, int64_t> kSizes[] = {{1, 1}, {480, 640}, {7, 1300}, {16384, 3}, {336, 336}};

template <class Use>
void at_all_sizes(Use use) {
  for (const auto& size : kSizes) attempt([&] { use(size.first, size.second); });
}

void read_configs(const nlohmann::json& json) {
  attempt([&] { LlavaConfig::from_json(json).image_tokens(); });
  attempt([&] {
    const auto config = llava_onevision_config(json);
    llava_next_config(json);
    at_all_sizes([&](int64_t height, int64_t width) { config.layout({height, width}); });
  });
  attempt([&] { Idefics3Config::from_json(json).tokens_per_view(512); });
  for (const auto vision :
       {QwenVlVisionConfig::of_qwen2, QwenVlVisionConfig::of_qwen2_5, QwenVlVisionConfig::of_qwen3})
    attempt([&] { QwenVlConfig::from_json(json, {"qwen2_vl", "qwen2_vl_text", vision, kQwen2VlTemplate}); });
  attempt([&] { InstructBlipConfig::from_json(json); });
  attempt([&] { InternVlConfig::from_json(json).tokens_per_view(); });
  attempt([&] { PaliGemmaConfig::from_json(json); });
  attempt([&] { Gemma3Config::from_json(json).image_tokens(); });
  attempt([&] { Mistral3Config::from_json(json); });
  attempt([&] {
    const auto config = DecoderConfig::from_json(json, std::nullopt);
    if (config.head_dim <= 4096) rotary_frequencies(config.head_dim, config.rope_theta, config.rope_scaling);
  });
}

void read_processors(const nlohmann::json& json) {
  attempt([&] { ImageProcessor::from_json(json, "fuzz").output_height(); });
  attempt([&] {
    const auto processor = TileProcessor::from_json(json, "fuzz");
    at_all_sizes([&](int64_t height, int64_t width) { processor.grid(height, width); });
  });
  attempt([&] {
    for (const auto* defaults : {&kLlavaOnevisionProcessor, &kLlavaNextProcessor}) {
      const auto processor = AnyresProcessor::from_json(json, "fuzz", *defaults);
      at_all_sizes([&](int64_t height, int64_t width) { processor.fitted({height, width}); });
    }
  });
  attempt([&] {
    const auto processor = PixtralProcessor::from_json(json, "fuzz", 28);
    at_all_sizes([&](int64_t height, int64_t width) { processor.resized_size(height, width); });
  });
  attempt([&] {
    const auto processor = GotOcr2Processor::from_json(json, "fuzz");
    at_all_sizes([&](int64_t height, int64_t width) { processor.grid(height, width); });
  });
  attempt([&] {
    const auto processor = PatchProcessor::from_json(json, "fuzz");
    at_all_sizes([&](int64_t height, int64_t width) { processor.resized_size(height, width); });
  });
}

void run_chat_template(std::string_view bytes) {
  attempt([&] {
    jinja::Template(bytes).render({{"messages", {{{"role", "user"}, {"content", "Où?"}}}},
                                   {"add_generation_prompt", true},
                                   {"bos_token", "<s>"}});
  });
}

void run_config(std::string_view bytes) {
  attempt([&] {
    const nlohmann::json json = parse_json(bytes, "fuzz");
    read_configs(json);
    read_processors(json);
    if (json.is_object() && json.contains("chat_template") && json["chat_template"].is_string())
      run_chat_template(json["chat_template"].get<std::string>());
  });
}

void run_image(std::string_view bytes) {
  // small limits: a decoder's work is bounded by the pixels that a header promises
  constexpr ImageLimits kLimits{1 << 20, 2048, 1 << 20};
  attempt([&] {
    const MemoryFile file(bytes);
    const Tensor image = load_image(file.path(), kLimits);
    if (image.dim() != 4 || !on_lattice(image)) throw std::logic_error("not an image on the lattice");
  });
}

}  // namespace

const std::vector<FuzzTarget>& fuzz_targets() {
  static const std::vector<FuzzTarget> kTargets = {
      {"safetensors", run_safetensors},       {"torch_archive", run_torch_archive},
      {"torch_pickle", run_torch_pickle},     {"tokenizer", run_tokenizer},
      {"sentence_piece", run_sentence_piece}, {"config", run_config},
      {"chat_template", run_chat_template},   {"image", run_image}};
  return kTargets;
}

const FuzzTarget& fuzz_target(std::string_view name) {
  for (const FuzzTarget& target : fuzz_targets())
    if (target.name == name) return target;
  throw std::out_of_range("no fuzz target " + std::string(name));
}

}  // namespace hijack::support
