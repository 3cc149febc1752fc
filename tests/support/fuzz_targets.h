#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace hijack::support {

/// A reader of outside data, fed with any bytes. hijack::Error is its expected answer to bad ones; whatever
/// else it throws, and every crash, leak or hang, is a defect. tests/fuzz runs these under libFuzzer, a unit
/// test over the committed corpora.
struct FuzzTarget {
  const char* name;  ///< also the folder of its corpus, tests/fuzz/corpus/NAME
  void (*run)(std::string_view bytes);
};

/// safetensors (a whole file), tokenizer (tokenizer.json, then texts through it), sentence_piece (the same of
/// spiece.model), config (config.json and image processors through the reader of every family), image (PNG,
/// JPEG, WebP).
const std::vector<FuzzTarget>& fuzz_targets();

/// Throws std::out_of_range for an unknown name.
const FuzzTarget& fuzz_target(std::string_view name);

}  // namespace hijack::support
