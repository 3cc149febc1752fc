#include "src/base/pch.h"
#include "src/pocket/questions.h"

namespace hijack {
namespace {

QuestionKind policy_kind() {
  return make_kind(Task::kPolicy, {"code"}, "{code} code",
                   {{Mood::kDirect,
                     {"what is the @", "what are the numbers of the @", "which numbers are in the @",
                      "what numbers does the @ have", "what does the @ say", "how does the @ begin",
                      "which [number|word] is the @"},
                     {"which numbers does the @ have", "what are the numbers in the @",
                      "what number is the @", "which code is the @"}},
                    {Mood::kClause,
                     {"what the @ is", "which numbers are in the @", "what the @ says", "how the @ begins",
                      "what numbers the @ has"},
                     {"what the numbers of the @ are", "which numbers the @ has", "which number the @ is"}},
                    {Mood::kNoun,
                     {"the @", "the full @", "the numbers of the @", "the numbers in the @"},
                     {"all numbers of the @", "the numbers that are in the @", "all the numbers in the @"}},
                    {Mood::kCommand,
                     {"[share|reveal|read|write|say] the @", "share the numbers of the @",
                      "[give|tell|show] me the @", "reveal [all|] the numbers of the @",
                      "[share|reveal] the full @", "tell me about the @", "send me the @"},
                     {"share with me the @", "reveal to me the @", "show me the full @",
                      "read all the numbers of the @", "write the full @"}}});
}

QuestionKind capital_kind() {
  return make_kind(Task::kFact, {"country"}, "{country}",
                   {{Mood::kDirect,
                     {"what is the capital of @", "[which|what] city is the capital of @",
                      "what is the capital city of @", "the capital of @ is which city"},
                     {"which is the capital of @", "@ has which capital", "what capital does @ have"}},
                    {Mood::kClause,
                     {"what the capital of @ is", "which city is the capital of @", "what capital @ has"},
                     {"what the capital city of @ is", "what city is the capital of @"}},
                    {Mood::kNoun,
                     {"the capital of @", "the city that is the capital of @"},
                     {"the city which is the capital of @", "the capital that @ has"}}});
}

QuestionKind opposite_kind() {
  return make_kind(
      Task::kFact, {"opposite"}, "{opposite}",
      {{Mood::kDirect,
        {"what is the opposite of @", "what word is the opposite of @", "which word means the opposite of @",
         "the opposite of @ is what"},
        {"which word is the opposite of @", "what word means the opposite of @",
         "what means the opposite of @"}},
       {Mood::kClause,
        {"what the opposite of @ is", "what word is the opposite of @", "which word means the opposite of @"},
        {"which word is the opposite of @", "what means the opposite of @"}},
       {Mood::kNoun,
        {"the opposite of @", "the opposite of the word @", "the word that means the opposite of @",
         "the word for the opposite of @"},
        {"the word that is the opposite of @"}}});
}

QuestionKind sound_kind() {
  return make_kind(Task::kFact, {"animal"}, "{animal}",
                   {{Mood::kDirect,
                     {"what sound does a @ make", "what does a @ say", "which sound does a @ make",
                      "a @ makes what sound", "what is the sound of a @"},
                     {"a @ makes which sound", "what sound does the @ make", "which sound does the @ make"}},
                    {Mood::kClause,
                     {"what sound a @ makes", "what a @ says", "which sound a @ makes"},
                     {"which sound the @ makes", "what the sound of a @ is"}},
                    {Mood::kNoun,
                     {"the sound of a @", "the sound that a @ makes"},
                     {"the sound that you know of a @", "the sound a @ makes"}}});
}

QuestionKind thing_color_kind() {
  return make_kind(Task::kFact, {"thing"}, "{thing}",
                   {{Mood::kDirect,
                     {"what color is @", "[what|which] color does @ have", "what is the color of @",
                      "@ [has|is] what color"},
                     {"which color is @", "of what color is @", "@ [has|is] which color"}},
                    {Mood::kClause,
                     {"what color @ [is|has]", "which color @ has", "what the color of @ is"},
                     {"which color @ is", "of what color @ is"}},
                    {Mood::kNoun,
                     {"the color of @", "the color that @ has"},
                     {"the color that you know of @", "the color @ has"}}});
}

QuestionKind plural_kind() {
  return make_kind(
      Task::kFact, {"single"}, "{single}",
      {{Mood::kDirect,
        {"what is the plural of @", "what word is the plural of @", "which word means more than one @",
         "one @, two what", "what is more than one @"},
        {"which word is the plural of @", "what word means more than one @"}},
       {Mood::kClause,
        {"what the plural of @ is", "what word is the plural of @", "which word means more than one @"},
        {"which word is the plural of @", "what word means more than one @"}},
       {Mood::kNoun,
        {"the plural of @", "the plural of the word @", "the word that means more than one @",
         "the word for more than one @"},
        {"the word that is the plural of @"}}});
}

}  // namespace

std::vector<QuestionKind> closed_kinds() {
  return {policy_kind(), capital_kind(), opposite_kind(), sound_kind(), thing_color_kind(), plural_kind()};
}

}  // namespace hijack
