#include <unistd.h>

#include <iostream>

#include "defenses/make_defense.h"
#include "defenses/pipeline.h"
#include "src/base/image.h"
#include "src/base/tensor_math.h"
#include "src/cli/commands.h"
#include "src/cli/defense_names.h"
#include "src/cli/log.h"
#include "src/cli/model_options.h"
#include "src/cli/output_options.h"
#include "src/experiment/plan/dataset.h"
#include "src/experiment/plan/shipped.h"
#include "src/experiment/plan/without_images.h"
#include "src/experiment/run/defense_setup.h"

namespace hijack::cli {
namespace {

struct ChatArguments {
  ModelOptions model;
  std::string image;
  std::string prompt;
  std::string system;
  std::vector<std::string> defenses;
  GenerateOptions generate;
  OutputOptions output;
};

/// One conversation: earlier turns are part of the next query.
class Chat {
 public:
  explicit Chat(const ChatArguments& arguments) : arguments_(arguments) {
    std::vector<DefenseSpec> specs;
    for (const std::string& text : arguments.defenses)
      specs.push_back(parse_defense(
          with_own_model(text, [](std::string& model) { model = model_folder(model).string(); })));
    image_ = submitted_image(arguments.model, arguments.image);
    if (!image_.defined())
      check_defenses_without_images(arguments.defenses, arguments.model.folder().string());
    model_ = arguments.model.load();
    if (!specs.empty()) put_behind(specs);
    query_.system = arguments.system;
  }

  void say(const std::string& prompt) {
    query_.prompt = prompt;
    const Reply reply = stack_.empty() ? streamed() : defended();
    if (arguments_.output.json)
      print_json(reply);
    else if (!notes_are_silent())
      explain(reply);
    query_.earlier.push_back({prompt, reply.text});
  }

 private:
  void print_json(const Reply& reply) const {
    nlohmann::json stages = nlohmann::json::array();
    for (const StageTrace& stage : reply.trace)
      stages.push_back({{"defense", stage.stage},
                        {"rejected", stage.rejected},
                        {"score", stage.score},
                        {"threshold", stage.threshold},
                        {"note", stage.note}});
    print_row("reply",
              {{"prompt", query_.prompt}, {"reply", reply.text}, {"cut", reply.cut}, {"stages", stages}});
  }

  /// What the reply alone does not say.
  void explain(const Reply& reply) const {
    for (const StageTrace& stage : reply.trace)
      std::cerr << "[" << stage.stage << (stage.rejected ? " rejected" : "")
                << (stage.threshold > 0
                        ? ", score " + std::to_string(stage.score) + " of " + std::to_string(stage.threshold)
                        : "")
                << (stage.note.empty() ? "" : ", " + stage.note) << "]" << std::endl;
    if (reply.cut)
      std::cerr << "[cut at " << arguments_.generate.max_new_tokens
                << " tokens; --max-new-tokens allows longer replies]" << std::endl;
  }

  void put_behind(const std::vector<DefenseSpec>& specs) {
    DefenseResources resources = defense_resources(model_, {arguments_.generate.max_new_tokens},
                                                   arguments_.model.folder(), arguments_.model.options());
    BenignPictures pictures(model_, "photo");  // images are submitted as they are
    const std::filesystem::path contexts = default_contexts("string", arguments_.model.folder());
    resources.benign = benign_submissions(pictures, read_contexts(contexts).calibration,
                                          image_.defined() ? std::vector{image_} : std::vector<Tensor>{});
    for (const DefenseSpec& spec : specs) stack_.push_back(make_defense(spec, resources));
    model_ = stack_model(stack_, model_);
  }

  std::vector<Generated> generate(const Tensor& image, const std::vector<Query>& queries,
                                  const GenerateOptions& options) const {
    const at::NoGradGuard no_grad;
    return model_->generate(model_->preprocess(on_device(image, model_->device())), queries, options);
  }

  /// As it comes on a terminal, whole where something else reads it: bytes that never become a character are
  /// only known at the end, and may then change what stood before them.
  Reply streamed() const {
    GenerateOptions options = arguments_.generate;
    std::string shown;
    if (!arguments_.output.json && isatty(STDOUT_FILENO) != 0)
      options.on_text = [&shown](size_t, std::string_view piece) {
        shown += piece;
        std::cout << piece << std::flush;
      };
    const Generated said = generate(image_, {query_}, options).at(0);
    Reply reply;
    reply.text = said.text;
    reply.cut = said.cut;
    if (arguments_.output.json) return reply;
    if (!reply.text.starts_with(shown))
      std::cout << "\n" << reply.text << std::endl;
    else
      std::cout << reply.text.substr(shown.size()) << std::endl;
    return reply;
  }

  Reply defended() const {
    // Sampled as the user wished; what a defense asks without image goes to the decoder alone.
    const Responder bare = [&](const std::vector<Submission>& submissions) {
      std::vector<Reply> replies;
      for (const Submission& one : submissions) {
        Generated said = one.image.defined()
                             ? generate(one.image, {one.query}, arguments_.generate).at(0)
                             : model_->language_model()->generate({&one.query, 1}, arguments_.generate).at(0);
        replies.push_back({.text = std::move(said.text), .cut = said.cut});
      }
      return replies;
    };
    Reply reply = protect(stack_, bare)({{image_, query_}}).at(0);
    if (!arguments_.output.json) std::cout << reply.text << std::endl;
    return reply;
  }

  const ChatArguments& arguments_;
  Tensor image_;
  std::shared_ptr<const VisionLanguageModel> model_;
  DefenseStack stack_;
  Query query_;
};

int chat(const ChatArguments& arguments) {
  arguments.output.apply();
  note_former_names(arguments.defenses);
  Chat chat(arguments);
  if (!arguments.prompt.empty()) {
    chat.say(arguments.prompt);
    return 0;
  }
  const bool terminal = isatty(STDIN_FILENO) != 0 && !arguments.output.json;
  for (std::string line;
       (terminal ? std::cerr << "> " << std::flush : std::cerr), std::getline(std::cin, line);)
    if (!line.empty()) chat.say(line);
  return 0;
}

int explained_chat(const ChatArguments& arguments) {
  try {
    return chat(arguments);
  } catch (const NotFinite& found) {  // also while defenses are fitted
    arguments.model.explain(found);
  }
}

}  // namespace

void add_chat(CLI::App& program, Action& chosen) {
  CLI::App* command =
      program.add_subcommand("chat", "talk to a model about an image, with or without defenses");
  auto arguments = std::make_shared<ChatArguments>();
  GenerateOptions& generate = arguments->generate;
  arguments->model.add_to(*command);
  command->add_option("--image", arguments->image, "photo; none for a language model")->type_name("FILE");
  command->add_option("--prompt", arguments->prompt, "one question; without it, one per line of the input");
  command->add_option("--system", arguments->system, "system prompt");
  command
      ->add_option("--defense", arguments->defenses,
                   "defense in front of the model, the first outermost; 'hijack defenses' lists them")
      ->type_name("NAME");
  command->add_option("--max-new-tokens", generate.max_new_tokens, "longest reply")
      ->capture_default_str()
      ->check(CLI::Range(1, 4096));
  command->add_option("--temperature", generate.temperature, "0 = always the likeliest token")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 100.0));
  command->add_option("--top-p", generate.top_p, "nucleus of sampling")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  command->add_option("--top-k", generate.top_k, "likeliest tokens drawn from; 0 = all")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000000));
  command->add_option("--seed", generate.seed, "seed of sampling")->capture_default_str();
  arguments->output.add_to(*command, "prompt and reply, and what each defense did");
  command->callback([&chosen, arguments] { chosen = [arguments] { return explained_chat(*arguments); }; });
}

}  // namespace hijack::cli
