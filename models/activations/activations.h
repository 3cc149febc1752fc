#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "models/state_hooks.h"
#include "src/base/tensor.h"

// Files of activations: safetensors of at most some hundred megabytes each (shards), every one of which can
// be read by itself:
//   states    float32 [n,D]   states of n tokens
//   label     int64 [n]       what was done to the image, an index into `labels` of the metadata
//   image     int64 [n]       index into `images`
//   context   int64 [n]       index into `contexts`
//   position  int64 [n]       of the token in prompt and reply
//   token     int64 [n]       its id
// Metadata: format ("hijack activations 1"), model, model_sha256, hook, layer, tokens; and as JSON lists
// labels, images and contexts.

namespace hijack {

/// Where the states come from. Two sets belong together when all but the lists agree.
struct ActivationSource {
  std::string model = {};         ///< its name, for people
  std::string model_sha256 = {};  ///< of all files that decide what it computes
  Hook hook = {};
  TokenChoice tokens = TokenChoice::kLast;
  int64_t width = 0;
  std::vector<std::string> labels = {}, images = {}, contexts = {};
};

struct ActivationRows {
  Tensor states = {};                                                      ///< float32 [n,D]
  Tensor label = {}, image = {}, context = {}, position = {}, token = {};  ///< int64 [n]
  std::vector<TokenKind> kinds = {};  ///< of the tokens, while they are read; files do not have them
  int64_t size() const { return states.defined() ? states.size(0) : 0; }
};

/// Writes a set row by row, in memory for one shard at a time.
class ActivationWriter {
 public:
  /// file: "F.safetensors"; with several shards F-00001-of-00003.safetensors and so on.
  ActivationWriter(std::filesystem::path file, ActivationSource source, int64_t bytes_per_shard);
  /// What was not finished leaves no trace.
  ~ActivationWriter();
  ActivationWriter(const ActivationWriter&) = delete;
  ActivationWriter& operator=(const ActivationWriter&) = delete;

  void add(ActivationRows rows);
  /// Renames the shards to what they are called for good, in place of those of an earlier set of this name;
  /// returns their names. Throws Error when there are no rows.
  std::vector<std::filesystem::path> finish();
  int64_t rows() const { return rows_; }

 private:
  void write_shard();

  std::filesystem::path file_;
  ActivationSource source_;
  int64_t bytes_per_shard_;
  std::vector<ActivationRows> open_;
  int64_t open_bytes_ = 0, rows_ = 0;
  std::vector<std::filesystem::path> temporary_;
};

/// One or several files that belong together, read a shard at a time.
class ActivationSet {
 public:
  /// files: shards, or the name that was given when they were written. Throws Error for files that are none,
  /// that lack a shard, and for two that are of different models, hooks, layers or tokens, naming both.
  explicit ActivationSet(const std::vector<std::filesystem::path>& files);

  /// Labels, images and contexts of all files together, each name once.
  const ActivationSource& source() const { return source_; }
  size_t shards() const { return files_.size(); }
  /// Rows of a shard, their indices into the lists of source(). Throws Error for tensors that do not fit
  /// together.
  ActivationRows rows(size_t shard) const;
  /// All rows. Throws Error when they would take more than `most_bytes`.
  ActivationRows all_rows(int64_t most_bytes) const;

 private:
  struct Shard {
    std::filesystem::path file;
    std::vector<int64_t> labels, images, contexts;  ///< index in the shard -> index in source()
  };
  void add(const std::filesystem::path& file);

  ActivationSource source_;
  std::vector<Shard> files_;
};

}  // namespace hijack
