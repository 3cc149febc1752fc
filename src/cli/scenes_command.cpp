#include <iostream>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "src/cli/commands.h"
#include "src/experiment/plan/pocket_contexts.h"
#include "src/pocket/grammar.h"
#include "src/pocket/scene.h"

namespace hijack::cli {
namespace {

using nlohmann::ordered_json;

struct ScenesArguments {
  std::string out;
  std::string contexts;
  int64_t count = 20;
  uint64_t seed = 0;
};

ordered_json objects_of(const Scene& scene) {
  ordered_json list = ordered_json::array();
  for (const SceneObject& object : scene.objects)
    list.push_back({{"shape", kShapes[static_cast<size_t>(object.shape)]},
                    {"color", kColors[static_cast<size_t>(object.color)]},
                    {"cell", kCells[static_cast<size_t>(object.cell)]}});
  return list;
}

/// One question of each visual task that the scene can answer, with the right answer.
ordered_json questions_of(const Scene& scene, Random& random) {
  ordered_json list = ordered_json::array();
  for (const TaskInfo& task : pocket_tasks()) {
    if (!task.visual) continue;
    if (const auto exercise = draw_task(task.task, &scene, random, Wording::kHeldOut))
      list.push_back({{"task", task.name}, {"prompt", exercise->prompt}, {"answer", exercise->answer}});
  }
  return list;
}

void write_scenes(const ScenesArguments& arguments) {
  const std::filesystem::path folder = arguments.out;
  std::filesystem::create_directories(folder);
  std::string rows;
  for (int64_t i = 0; i < arguments.count; ++i) {
    Random random = Random(arguments.seed).fork("scene", static_cast<uint64_t>(i));
    const Scene scene = random_scene(random);
    const std::string name = "scene-" + std::to_string(i) + ".png";
    save_png(from_bytes(render(scene, random)).unsqueeze(0), folder / name);
    ordered_json row = {{"file", name}, {"objects", objects_of(scene)}};
    if (scene.has_word) row["word"] = kSceneWords[static_cast<size_t>(scene.word.word)];
    row["questions"] = questions_of(scene, random);
    rows += row.dump() + "\n";
  }
  write_file(folder / "scenes.jsonl", rows);
  std::cout << (folder / "scenes.jsonl").string() << std::endl;
}

void write_contexts(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const std::vector<std::pair<const char*, std::string>> files = {
      {"pocket.jsonl", pocket_contexts()},
      {"pocket_policy.jsonl", pocket_policy_contexts()},
      {"pocket_reading.jsonl", pocket_reading_contexts()}};
  for (const auto& [name, lines] : files) {
    write_file(folder / name, lines);
    std::cout << (folder / name).string() << std::endl;
  }
}

int scenes(const ScenesArguments& arguments) {
  if (arguments.out.empty() && arguments.contexts.empty())
    throw Error(
        "Nothing to write; give --out DIR for scenes or --contexts DIR for the shipped context files.");
  if (!arguments.contexts.empty()) write_contexts(arguments.contexts);
  if (!arguments.out.empty()) write_scenes(arguments);
  return 0;
}

}  // namespace

void add_scenes(CLI::App& program, Action& chosen) {
  CLI::App* command = program.add_subcommand(
      "scenes", "write generated scenes with their ground truth, or the context files");
  auto arguments = std::make_shared<ScenesArguments>();
  command->add_option("--out", arguments->out, "folder for scene-N.png and scenes.jsonl")->type_name("DIR");
  command->add_option("--count", arguments->count, "scenes to write")
      ->capture_default_str()
      ->check(CLI::Range(1, 100'000));
  command->add_option("--seed", arguments->seed, "seed of the scenes")->capture_default_str();
  command->add_option("--contexts", arguments->contexts, "folder for the shipped files of contexts")
      ->type_name("DIR");
  command->callback([&chosen, arguments] { chosen = [arguments] { return scenes(*arguments); }; });
}

}  // namespace hijack::cli
