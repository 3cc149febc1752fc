#include "src/training/eye_data.h"

#include "src/base/image.h"
#include "src/pocket/grammar.h"

namespace hijack {
namespace {

constexpr double kVisualWeight = 4;  // of answers about the image: one word each, where replies have forty
constexpr int64_t kQuestions = 6;    // a scene
constexpr double kScenes = .75;      // of the sequences, the rest is chat
constexpr double kChatBesides = .5;  // of the scenes

const std::vector<TaskInfo>& visual_tasks() {
  static const std::vector<TaskInfo> tasks = [] {
    std::vector<TaskInfo> found;
    for (const TaskInfo& info : pocket_tasks())
      if (info.visual) found.push_back(info);
    return found;
  }();
  return tasks;
}

Task draw_visual_task(Random& random) {
  double total = 0;
  for (const TaskInfo& info : visual_tasks()) total += info.share;
  double left = random.uniform() * total;
  for (const TaskInfo& info : visual_tasks())
    if ((left -= info.share) < 0) return info.task;
  return visual_tasks().back().task;
}

/// Half of the prompts as people type them: capital first, a mark at the end.
std::string typed(std::string prompt, Random& random) {
  if (prompt.empty() || random.chance(.5)) return prompt;
  if (prompt.front() >= 'a' && prompt.front() <= 'z')
    prompt.front() = static_cast<char>(prompt.front() - 'a' + 'A');
  if (std::isalpha(static_cast<unsigned char>(prompt.back())) != 0) prompt += '?';
  return prompt;
}

}  // namespace

double EyeSequence::weight() const {
  double total = 0;
  for (size_t i = 0; i < targets.size(); ++i) total += weights[i] * static_cast<double>(targets[i].size());
  return total;
}

EyeData::EyeData(std::vector<Tensor> photos, std::vector<OwnReply> chat, TokenIds end,
                 const Tokenizer& tokenizer)
    : photos_(std::move(photos)), chat_(std::move(chat)), end_(std::move(end)), tokenizer_(tokenizer) {}

void EyeData::add_questions(EyeSequence& sequence, const Scene& scene, Random& random) const {
  for (int64_t n = 0; n < kQuestions; ++n) {
    const auto exercise = random_question(scene, random);
    if (!exercise) continue;
    TokenIds target = tokenizer_.encode(exercise->answer, false);
    target.insert(target.end(), end_.begin(), end_.end());
    sequence.weights.push_back(kVisualWeight);
    sequence.queries.push_back({.prompt = typed(exercise->prompt, random)});
    sequence.targets.push_back(std::move(target));
  }
}

void EyeData::add_chat(EyeSequence& sequence, int64_t n, Random& random) const {
  for (; n > 0; --n) {
    const OwnReply& own = random.pick(chat_);
    sequence.queries.push_back({.prompt = own.prompt});
    sequence.targets.push_back(own.reply);
    sequence.weights.push_back(1);
  }
}

Tensor random_square(const Tensor& whole, int64_t size, Random& random) {
  const int64_t height = whole.size(2), width = whole.size(3), shorter = std::min(height, width);
  const int64_t side = random.between(shorter / 2, shorter);
  Tensor square = whole.narrow(2, random.between(0, height - side), side)
                      .narrow(3, random.between(0, width - side), side);
  if (random.chance(.5)) square = square.flip(3);
  return at::upsample_bilinear2d(square.contiguous(), {size, size}, false).clamp(0, 1);
}

std::optional<Exercise> random_question(const Scene& scene, Random& random) {
  return draw_task(draw_visual_task(random), &scene, random, Wording::kTrain);
}

Tensor EyeData::photo(Random& random) const {
  return to_bytes(random_square(random.pick(photos_), kSceneSide, random)).squeeze(0);
}

EyeSequence EyeData::draw(uint64_t seed, uint64_t index) const {
  Random random = Random(seed).fork("eye sequence", index);
  EyeSequence sequence;
  std::array<int64_t, kScenePatches> labels{};
  const double kind = random.uniform();
  if (kind < kScenes + (1 - kScenes) / 3) {
    const Scene scene = random_scene(random);
    sequence.image = render(scene, random);
    labels = patch_labels(scene);
    if (kind < kScenes) add_questions(sequence, scene, random);
    const bool chat = kind >= kScenes || random.chance(kChatBesides);
    add_chat(sequence, kind < kScenes ? int64_t{chat} : 2, random);
  } else {
    const bool texture = photos_.empty() || random.chance(.4);
    sequence.image = texture ? random_texture(random) : photo(random);
    add_chat(sequence, 2, random);
  }
  sequence.patch_labels = at::tensor(std::vector<int64_t>(labels.begin(), labels.end()));
  return sequence;
}

}  // namespace hijack
