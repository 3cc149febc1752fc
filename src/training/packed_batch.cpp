#include "src/training/packed_batch.h"

#include "models/chat_template/chat_template.h"
#include "src/pocket/bpe_trainer.h"

namespace hijack {
namespace {

struct Row {
  std::vector<int64_t> ids, positions, segments;
  std::vector<float> weights;
  void put(int64_t id, int64_t position, int64_t segment, float weight) {
    ids.push_back(id);
    positions.push_back(position);
    segments.push_back(segment);
    weights.push_back(weight);
  }
};

/// Prompt ids with the image expanded, and how many of them every prompt of this kind shares.
struct Encoded {
  TokenIds ids;
  size_t prefix = 0;
};

Encoded encode_prompt(const Tokenizer& tokenizer, const std::string& prompt, bool with_image) {
  static const ChatTemplate chat(kLlavaTemplate.text, Contents::parts, kLlavaTemplate.whose);
  Encoded result;
  for (const TokenId id : tokenizer.encode(chat.render({.prompt = prompt}, with_image).text, true)) {
    if (id != kImageToken) {
      result.ids.push_back(id);
      continue;
    }
    result.ids.insert(result.ids.end(), kScenePatches, kImageToken);
    result.prefix = result.ids.size();
  }
  return result;
}

// without an image the shared part is what "USER:" becomes
size_t text_prefix(const Tokenizer& tokenizer) {
  return tokenizer.encode("USER:", true).size();
}

void add_exercise(Row& row, const Tokenizer& tokenizer, const Exercise& exercise, bool with_image,
                  int64_t segment, const BatchShape& shape) {
  Encoded prompt = encode_prompt(tokenizer, exercise.prompt, with_image);
  if (!with_image) prompt.prefix = text_prefix(tokenizer);
  TokenIds answer = tokenizer.encode(exercise.answer, false);
  answer.push_back(kEosToken);
  const size_t own = prompt.ids.size() - prompt.prefix + answer.size();
  const size_t shared = row.ids.empty() ? prompt.prefix : 0;
  if (row.ids.size() + shared + own > static_cast<size_t>(shape.tokens)) return;
  if (row.ids.empty())
    for (size_t i = 0; i < prompt.prefix; ++i) row.put(prompt.ids[i], static_cast<int64_t>(i), 0, 0);
  auto position = static_cast<int64_t>(prompt.prefix);
  for (size_t i = prompt.prefix; i < prompt.ids.size(); ++i)
    row.put(prompt.ids[i], position++, segment, static_cast<float>(shape.prompt_weight));
  const bool seen = exercise.visual && exercise.rule == Rule::kNone;
  const auto weight = static_cast<float>(seen ? shape.visual_weight : 1);
  for (const TokenId id : answer) row.put(id, position++, segment, weight);
}

Row make_row(const Tokenizer& tokenizer, const PocketSample& sample, const BatchShape& shape) {
  Row row;
  int64_t segment = 1;
  for (const auto& exercise : sample.exercises)
    add_exercise(row, tokenizer, exercise, sample.has_image, segment++, shape);
  while (static_cast<int64_t>(row.ids.size()) < shape.tokens) row.put(kPadToken, 0, -1, 0);
  return row;
}

Tensor stack_rows(const std::vector<Row>& rows, std::vector<int64_t> Row::*part) {
  std::vector<Tensor> tensors;
  for (const auto& row : rows) tensors.push_back(at::tensor(row.*part, at::kLong));
  return at::stack(tensors);
}

// The first token of an exercise is predicted by the last one of the prefix, not by its neighbor.
void add_loss_places(PackedBatch& batch, const std::vector<Row>& rows, int64_t tokens) {
  std::vector<int64_t> from, ids;
  std::vector<float> weights;
  for (size_t n = 0; n < rows.size(); ++n) {
    const Row& row = rows[n];
    size_t prefix_end = 0;
    for (size_t i = 0; i < row.ids.size(); ++i) {
      if (row.segments[i] == 0) prefix_end = i;
      if (row.weights[i] == 0) continue;
      const size_t previous = row.segments[i - 1] == row.segments[i] ? i - 1 : prefix_end;
      from.push_back(static_cast<int64_t>(n) * tokens + static_cast<int64_t>(previous));
      ids.push_back(row.ids[i]);
      weights.push_back(row.weights[i]);
    }
  }
  batch.loss_from = at::tensor(from, at::kLong);
  batch.loss_ids = at::tensor(ids, at::kLong);
  batch.loss_weights = at::tensor(weights, at::kFloat);
}

}  // namespace

PackedBatch PackedBatch::to(at::Device device) const {
  const auto move = [&](const Tensor& x) { return x.defined() ? x.to(device, /*non_blocking=*/true) : x; };
  return {move(images),    move(patch_labels), move(ids),          move(positions), move(segments),
          move(loss_from), move(loss_ids),     move(loss_weights), image_begin};
}

PackedBatch make_vision_batch(int64_t images, uint64_t seed, uint64_t index) {
  std::vector<Tensor> pictures, labels;
  for (int64_t i = 0; i < images; ++i) {
    Random random =
        Random(seed).fork("vision", index * static_cast<uint64_t>(images) + static_cast<uint64_t>(i));
    std::array<int64_t, kScenePatches> classes{};
    if (i % 2 == 0) {
      const Scene scene = random_scene(random);
      pictures.push_back(render(scene, random));
      classes = patch_labels(scene);
    } else {
      pictures.push_back(random_texture(random));
    }
    labels.push_back(at::tensor(std::vector<int64_t>(classes.begin(), classes.end())));
  }
  PackedBatch batch;
  batch.images = at::stack(pictures);
  batch.patch_labels = at::stack(labels);
  return batch;
}

PackedBatch make_batch(const Tokenizer& tokenizer, const BatchShape& shape, uint64_t seed, uint64_t index) {
  std::vector<PocketSample> samples;
  for (int64_t i = 0; i < shape.sequences; ++i)
    samples.push_back(draw_sample(
        seed, index * static_cast<uint64_t>(shape.sequences) + static_cast<uint64_t>(i), Wording::kTrain));
  std::stable_partition(samples.begin(), samples.end(), [](const PocketSample& s) { return s.has_image; });
  PackedBatch batch;
  std::vector<Row> rows;
  std::vector<Tensor> images, labels;
  for (const auto& sample : samples) {
    rows.push_back(make_row(tokenizer, sample, shape));
    if (!sample.has_image) continue;
    images.push_back(sample.image);
    labels.push_back(
        at::tensor(std::vector<int64_t>(sample.patch_labels.begin(), sample.patch_labels.end())));
  }
  batch.images = at::stack(images);
  batch.patch_labels = at::stack(labels);
  batch.ids = stack_rows(rows, &Row::ids);
  batch.positions = stack_rows(rows, &Row::positions);
  batch.segments = stack_rows(rows, &Row::segments);
  add_loss_places(batch, rows, shape.tokens);
  const auto& first = rows.front().ids;
  batch.image_begin = std::find(first.begin(), first.end(), kImageToken) - first.begin();
  return batch;
}

BatchStream::BatchStream(std::function<PackedBatch(uint64_t)> make, uint64_t first, int workers)
    : make_(std::move(make)), next_index_(first) {
  for (int i = 0; i < workers; ++i) schedule();
}

void BatchStream::schedule() {
  ahead_.push_back(std::async(std::launch::async, make_, next_index_++));
}

PackedBatch BatchStream::next() {
  PackedBatch batch = ahead_.front().get();
  ahead_.pop_front();
  schedule();
  return batch;
}

}  // namespace hijack
