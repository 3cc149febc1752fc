#include "src/base/pch.h"
#include "src/pocket/draw.h"
#include "src/pocket/questions.h"

namespace hijack {
namespace {

constexpr std::array<std::string_view, 5> kNumbers = {"zero", "one", "two", "three", "four"};

std::string shape_name(int shape) {
  return std::string(kShapes[static_cast<size_t>(shape)]);
}
std::string color_name(int color) {
  return std::string(kColors[static_cast<size_t>(color)]);
}

/// Objects whose member (shape or color) no other object shares.
std::vector<const SceneObject*> unique_objects(const Scene& scene, int SceneObject::*member) {
  std::vector<const SceneObject*> found;
  for (const SceneObject& object : scene.objects)
    if (std::count_if(scene.objects.begin(), scene.objects.end(),
                      [&](const SceneObject& other) { return other.*member == object.*member; }) == 1)
      found.push_back(&object);
  return found;
}

int64_t number_of(const Scene& scene, int SceneObject::*member, int value) {
  return std::count_if(scene.objects.begin(), scene.objects.end(),
                       [&](const SceneObject& object) { return object.*member == value; });
}

/// The answer is drawn first, among those this scene offers, so that "one" does not rule.
Exercise count_exercise(const Scene& scene, Random& random, Wording wording) {
  std::map<int64_t, std::vector<Slots>> questions;
  questions[static_cast<int64_t>(scene.objects.size())].push_back({});
  for (int shape = 0; shape < 6; ++shape)
    questions[number_of(scene, &SceneObject::shape, shape)].push_back({{"shape", shape_name(shape)}});
  for (int color = 0; color < 8; ++color)
    questions[number_of(scene, &SceneObject::color, color)].push_back({{"color", color_name(color)}});
  std::vector<int64_t> numbers;
  for (const auto& [number, slots] : questions) numbers.push_back(number);
  int64_t number = random.pick(numbers);
  if (number == 0 && random.chance(.5)) number = random.pick(numbers);
  return ask(Task::kCount, random.pick(questions[number]), std::string(kNumbers[static_cast<size_t>(number)]),
             random, wording);
}

Slots yes_no_slots(int64_t kind, int shape, int color) {
  if (kind == 0) return {{"color", color_name(color)}, {"shape", shape_name(shape)}};
  if (kind == 1) return {{"shape", shape_name(shape)}};
  return {{"color", color_name(color)}};
}

bool holds(const Scene& scene, int64_t kind, int shape, int color) {
  return std::any_of(scene.objects.begin(), scene.objects.end(), [&](const SceneObject& object) {
    return (kind == 2 || object.shape == shape) && (kind == 1 || object.color == color);
  });
}

Exercise yes_no_exercise(const Scene& scene, Random& random, Wording wording) {
  const int64_t kind = random.chance(.5) ? 0 : random.between(1, 2);
  const bool yes = !scene.objects.empty() && random.chance(.5);
  int shape = 0, color = 0;
  do {
    shape = static_cast<int>(random.below(6));
    color = static_cast<int>(random.below(8));
    // Near misses: a shape or a color that is there, with another color or shape.
    if (!yes && !scene.objects.empty() && random.chance(.7)) {
      const SceneObject& object = random.pick(scene.objects);
      const int64_t keep = random.below(3);
      if (keep != 1) shape = object.shape;
      if (keep != 0) color = random.pick(scene.objects).color;
    }
    if (yes) {
      const SceneObject& object = random.pick(scene.objects);
      shape = object.shape, color = object.color;
    }
  } while (holds(scene, kind, shape, color) != yes);
  return ask(Task::kYesNo, yes_no_slots(kind, shape, color), yes ? "yes" : "no", random, wording);
}

std::optional<Exercise> word_exercise(const Scene& scene, Random& random, Wording wording) {
  if (!scene.has_word && !random.chance(.12)) return std::nullopt;
  const std::string answer =
      scene.has_word ? std::string(kSceneWords[static_cast<size_t>(scene.word.word)]) : "no word";
  return ask(Task::kWord, {}, answer, random, wording);
}

}  // namespace

std::string describe_scene(const Scene& scene) {
  std::vector<std::string> items;
  for (const SceneObject& object : scene.objects) {
    const std::string color = color_name(object.color);
    items.push_back((color == "orange" ? "an " : "a ") + color + " " + shape_name(object.shape));
  }
  if (scene.has_word)
    items.push_back("the word " + std::string(kSceneWords[static_cast<size_t>(scene.word.word)]));
  if (items.empty()) return "no shapes";
  std::string text = items.front();
  for (size_t i = 1; i < items.size(); ++i) text += (i + 1 == items.size() ? " and " : ", ") + items[i];
  return text;
}

std::optional<Exercise> draw_visual(Task task, const Scene& scene, Random& random, Wording wording) {
  if (task == Task::kCount) return count_exercise(scene, random, wording);
  if (task == Task::kYesNo) return yes_no_exercise(scene, random, wording);
  if (task == Task::kWord) return word_exercise(scene, random, wording);
  if (task == Task::kDescribe) {
    if (scene.objects.size() + scene.has_word > 3) return std::nullopt;
    return ask(task, {}, describe_scene(scene), random, wording);
  }
  const bool by_color = task == Task::kShape;
  const auto objects = unique_objects(scene, by_color ? &SceneObject::color : &SceneObject::shape);
  if (objects.empty()) return std::nullopt;
  const SceneObject& object = *random.pick(objects);
  if (by_color)
    return ask(task, {{"color", color_name(object.color)}}, shape_name(object.shape), random, wording);
  const std::string answer =
      task == Task::kColor ? color_name(object.color) : std::string(kCells[static_cast<size_t>(object.cell)]);
  return ask(task, {{"shape", shape_name(object.shape)}}, answer, random, wording);
}

}  // namespace hijack
