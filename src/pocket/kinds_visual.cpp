#include "src/base/pch.h"
#include "src/pocket/questions.h"

namespace hijack {
namespace {

QuestionKind color_kind() {
  return make_kind(
      Task::kColor, {"shape"}, "{shape}",
      {{Mood::kDirect,
        {"what color is the @ <pic>", "what is the color of the @ <pic>", "what color does the @ have <pic>",
         "which color does the @ have <pic>", "the @ <pic> [is|has] what color", "<in>, what color is the @",
         "what color has the @ <pic>", "of what color is the @ <pic>"},
        {"which color is the @ <pic>", "which color has the @ <pic>", "<in>, which color does the @ have",
         "the @ <pic> [is|has] which color", "what color do you see on the @ <pic>"}},
       {Mood::kClause,
        {"what color the @ [is|has] <pic>", "which color the @ has <pic>", "what color the @ <in> is",
         "of what color the @ is"},
        {"which color the @ <pic> is", "what the color of the @ is <pic>", "<in> what color the @ has"}},
       {Mood::kNoun,
        {"the color of the @ <pic>", "the color that the @ has <pic>", "the color of the @ you see <pic>"},
        {"the color you see on the @ <pic>", "the color that you see on the @ <pic>"}}});
}

QuestionKind count_kind(std::vector<std::string> slots, std::string_view subject) {
  return make_kind(
      Task::kCount, std::move(slots), subject,
      {{Mood::kDirect,
        {"how many @ are there <pic>", "how many @ [can|do] you see <pic>",
         "how many @ does <the> [have|show]", "how many @ are <in>", "<the> [has|shows] how many @",
         "what is the number of @ <pic>", "how many @ are [shown|seen] <pic>"},
        {"how many @ can be seen <pic>", "<in>, how many @ are there", "<in>, how many @ [can|do] you see",
         "what number of @ do you see <pic>"}},
       {Mood::kClause,
        {"how many @ there are <pic>", "how many @ you [can|] see <pic>", "how many @ are <in>",
         "how many @ are shown <pic>"},
        {"how many @ <the> [has|shows]", "what number of @ you see <pic>", "<in> how many @ there are"}},
       {Mood::kNoun,
        {"the number of @ <pic>", "the number of @ that are <in>", "the number of @ shown <pic>"},
        {"the number of @ you [can|] see <pic>", "the number of @ that you see <pic>"}},
       {Mood::kCommand,
        {"count the @ <pic>", "count [all|all the] @ <pic>"},
        {"count the @ you see <pic>", "count how many @ there are <pic>"}}});
}

QuestionKind word_kind() {
  return make_kind(
      Task::kWord, {}, "",
      {{Mood::kDirect,
        {"what word is [written|shown] <pic>", "[what|which] word [can|do] you see <pic>",
         "which word is <in>", "what does the [sign|text] say <pic>", "[what|which] word does <the> show",
         "what is written <pic>", "what word is there <pic>", "what can you read <pic>",
         "what word can be read <pic>", "what is written on the sign <pic>"},
        {"<in>, what word is [written|shown]", "which word is written <pic>",
         "[what|which] word does <the> have", "which word can you read <pic>", "what does <the> say"}},
       {Mood::kClause,
        {"what word is [written|shown] <pic>", "[what|which] word you see <pic>",
         "what the [sign|text] says <pic>", "what is written <pic>"},
        {"which word <the> shows", "which word is written <pic>", "what word you [can|] read <pic>"}},
       {Mood::kNoun,
        {"the word <pic>", "the [written|shown] word <pic>", "the word written <pic>",
         "the word of the [sign|text] <pic>"},
        {"the word you [can|] read <pic>", "the word that is written <pic>", "the word on the sign <pic>"}},
       {Mood::kCommand,
        {"read the [word|sign|text] <pic>", "read what is written <pic>"},
        {"read what the [sign|text] says <pic>", "read the word that you see <pic>"}}});
}

QuestionKind yes_no_kind(std::vector<std::string> slots, std::string_view subject) {
  return make_kind(
      Task::kYesNo, std::move(slots), subject,
      {{Mood::kDirect,
        {"is there a @ <pic>", "[do|can] you see a @ <pic>", "does <the> [have|show] a @",
         "is a @ shown <pic>", "is there [also|] a @ <in>", "[do|can] you find a @ <pic>",
         "<in>, is there a @"},
        {"is a @ <in>", "can a @ be seen <pic>", "<in>, [can|do] you see a @", "is there a @ shown <pic>"}},
       {Mood::kClause,
        {"if there is a @ <pic>", "if you [can|] see a @ <pic>", "whether there is a @ <pic>",
         "if a @ is shown <pic>"},
        {"whether you [can|] see a @ <pic>", "if <the> [has|shows] a @", "whether a @ is shown <pic>"}}});
}

QuestionKind shape_kind() {
  return make_kind(
      Task::kShape, {"color"}, "{color}",
      {{Mood::kDirect,
        {"which shape is @ <pic>", "what shape is @ <pic>", "what is the @ <obj> <pic>",
         "which [object|thing] is @ <pic>", "what shape has the color @ <pic>",
         "what shape is the @ [object|thing] <pic>", "<in>, what shape is @"},
        {"what [object|thing] is @ <pic>", "<in>, which shape is @", "which shape has the color @ <pic>",
         "which shape is the @ [object|thing] <pic>"}},
       {Mood::kClause,
        {"which shape is @ <pic>", "what the @ <obj> is <pic>", "what shape is @ <pic>",
         "what shape the @ [object|thing] has <pic>"},
        {"what shape has the color @ <pic>", "which [object|thing] is @ <pic>",
         "which shape the @ [object|thing] has <pic>"}},
       {Mood::kNoun,
        {"the shape that is @ <pic>", "the @ <obj> <pic>", "the shape of the @ [object|thing] <pic>"},
        {"the shape that has the color @ <pic>", "the shape you see in @ <pic>"}}});
}

QuestionKind where_kind() {
  return make_kind(
      Task::kWhere, {"shape"}, "{shape}",
      {{Mood::kDirect,
        {"where is the @ <pic>", "where [can|do] you see the @ <pic>",
         "in which [part|place] of <the> is the @", "<in>, where is the @",
         "what is the [place|part] of the @ <pic>", "the @ is where <pic>"},
        {"where can the @ be seen <pic>", "in what [part|place] of <the> is the @",
         "<in>, where [can|do] you see the @", "where can you find the @ <pic>"}},
       {Mood::kClause,
        {"where the @ is <pic>", "where you [can|] see the @ <pic>",
         "in which [part|place] of <the> the @ is", "where to find the @ <pic>"},
        {"in what [part|place] of <the> the @ is", "where you can find the @ <pic>",
         "where the @ can be seen <pic>"}},
       {Mood::kNoun,
        {"the place of the @ <pic>", "the [part|place] where the @ is <pic>"},
        {"the [part|place] where you see the @ <pic>", "the [part|place] of <the> with the @"}}});
}

QuestionKind describe_kind() {
  return make_kind(
      Task::kDescribe, {}, "",
      {{Mood::kDirect,
        {"what do you see <pic>", "what is <in>", "what can you see <pic>", "what does <the> show",
         "what is shown <pic>", "what [shapes|objects|things] [can|do] you see <pic>",
         "which [shapes|objects|things] are there <pic>"},
        {"what can be seen <pic>", "<in>, what do you see", "what [objects|shapes|things] are <in>",
         "what is there to see <pic>"}},
       {Mood::kClause,
        {"what you [can|] see <pic>", "what is <in>", "what is shown <pic>", "what <the> shows"},
        {"what can be seen <pic>", "what there is to see <pic>",
         "what [objects|shapes|things] you see <pic>"}},
       {Mood::kCommand,
        {"describe <the>", "describe what you see <pic>", "[list|name] the [shapes|objects|things] <pic>",
         "tell me about <the>", "list what is shown <pic>"},
        {"describe the [shapes|objects|things] <pic>", "list what you see <pic>",
         "name what is shown <pic>"}}});
}

}  // namespace

std::vector<QuestionKind> visual_kinds() {
  return {color_kind(),
          count_kind({}, "<objs>"),
          count_kind({"shape"}, "{shapes}"),
          count_kind({"color"}, "{color} <objs>"),
          word_kind(),
          yes_no_kind({"color", "shape"}, "{color} {shape}"),
          yes_no_kind({"shape"}, "{shape}"),
          yes_no_kind({"color"}, "{color} <obj>"),
          shape_kind(),
          where_kind(),
          describe_kind()};
}

}  // namespace hijack
