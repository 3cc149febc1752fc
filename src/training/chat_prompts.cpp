#include "src/training/chat_prompts.h"

#include <array>
#include <string_view>

#include "src/base/random.h"

namespace hijack {
namespace {

using Lines = std::vector<std::string_view>;

// `@` stands for a topic.
const Lines kForms = {"Give me three tips about @.",
                      "Tell me something about @.",
                      "Write a short poem about @.",
                      "What should a beginner know about @?",
                      "Explain @ to a child.",
                      "Why do people like @?",
                      "Write two sentences about @.",
                      "List four words that go with @.",
                      "What is the hardest part of @?",
                      "How did @ begin?",
                      "Is @ expensive?",
                      "Tell me a joke about @.",
                      "Write a short story that begins with @.",
                      "What do I need to get started with @?",
                      "I am bored of @. What else could I try?",
                      "Write a friendly message to a neighbor about @.",
                      "Name a famous book about @.",
                      "What are the benefits of @?",
                      "What are common mistakes in @?",
                      "Give me a title for an article about @.",
                      "How much time does @ take?",
                      "Compare @ and reading.",
                      "Could you describe @ in one sentence?",
                      "Ask me a question about @.",
                      "What is a good gift for somebody who loves @?",
                      "Can children learn @?",
                      "Write a slogan for a club about @.",
                      "Summarize what @ is.",
                      "What is the history of @ in short?",
                      "Make a plan for a weekend with @."};
const Lines kTopics = {"baking bread", "chess",           "gardening",   "the sea",     "trains",
                       "old castles",  "swimming",        "coffee",      "mountains",   "knitting",
                       "bicycles",     "the stars",       "cats",        "dogs",        "rain",
                       "painting",     "the violin",      "hiking",      "soup",        "libraries",
                       "photography",  "the desert",      "running",     "origami",     "cheese",
                       "maps",         "volcanoes",       "tea",         "dancing",     "bees",
                       "winter",       "clocks",          "board games", "rivers",      "apples",
                       "the moon",     "camping",         "pottery",     "horses",      "snow",
                       "bridges",      "football",        "singing",     "butterflies", "fishing",
                       "museums",      "summer evenings", "woodwork",    "spiders",     "lighthouses"};
const Lines kPlain = {"Hello, how are you?",
                      "Who are you?",
                      "Good morning!",
                      "Thank you for your help.",
                      "What can you do?",
                      "What is the capital of Italy?",
                      "What is two plus three?",
                      "What is the opposite of cold?",
                      "How many days are in a week?",
                      "Which animal says meow?",
                      "What is the largest ocean?",
                      "Who wrote Romeo and Juliet?",
                      "Translate good night into French.",
                      "What is a synonym of happy?",
                      "How do I boil an egg?",
                      "How do I fall asleep faster?",
                      "What should I cook tonight?",
                      "Write a polite e-mail to my teacher. I will be late tomorrow.",
                      "Fix this sentence: she go to school.",
                      "Write a haiku.",
                      "Tell me a fun fact.",
                      "Recommend a hobby.",
                      "How can I save money?",
                      "What is photosynthesis?",
                      "What is gravity?",
                      "How does a magnet work?",
                      "Why is the sky blue?",
                      "Give me a riddle.",
                      "How do I learn a language?",
                      "What makes a good friend?",
                      "Plan a birthday party.",
                      "How do I clean a window?",
                      "Explain what a computer is.",
                      "What is the boiling point of water?",
                      "Name three colors.",
                      "Name a country in Africa.",
                      "Spell the word banana.",
                      "What is a verb?",
                      "Count from one to five.",
                      "What do cows eat?"};

const Lines kHeldOutForms = {"How would you explain @ to your grandmother?",
                             "Suggest a song about @.",
                             "What surprised you about @?",
                             "Begin a diary entry about @.",
                             "Which tools does one use for @?",
                             "Does @ make people happy?"};
const Lines kHeldOutTopics = {"sailing", "the forest", "honey",   "kites", "ice cream",
                              "thunder", "owls",       "carpets", "jazz",  "ferries"};
const Lines kHeldOutPlain = {"Nice to meet you!",
                             "What is the capital of France?",
                             "Who wrote Hamlet?",
                             "What is seven minus four?",
                             "What is the opposite of tall?",
                             "How do I sharpen a pencil?",
                             "Why do leaves fall in autumn?",
                             "Write a thank-you note for a present."};

std::string filled(std::string_view form, std::string_view topic) {
  std::string text(form);
  return text.replace(text.find('@'), 1, topic);
}

}  // namespace

std::vector<std::string> chat_prompts(ChatSplit split, int64_t n, uint64_t seed) {
  const bool train = split == ChatSplit::kTrain;
  const Lines& plain = train ? kPlain : kHeldOutPlain;
  std::vector<std::string> prompts(plain.begin(), plain.end());
  for (const auto form : train ? kForms : kHeldOutForms)
    for (const auto topic : train ? kTopics : kHeldOutTopics) prompts.push_back(filled(form, topic));
  Random random = Random(seed).fork("chat prompts", static_cast<uint64_t>(split));
  random.shuffle(prompts);
  if (static_cast<int64_t>(prompts.size()) > n) prompts.resize(static_cast<size_t>(n));
  return prompts;
}

}  // namespace hijack
