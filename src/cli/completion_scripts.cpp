// Both scripts walk the words before the cursor alike: which command it is (place), the last flag (last), and
// the word before (previous). `kind` and `names` then say what can stand at the cursor.
#include "src/cli/completion.h"

namespace hijack::cli {
namespace {

using Kind = Values::Kind;

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

/// "kind=names; names=(a b)", which bash and zsh read alike.
std::string assignment(const Values& values) {
  switch (values.kind) {
    case Kind::kNothing:
      return "kind=none";
    case Kind::kFolders:
      return "kind=folders";
    case Kind::kNames: {
      std::vector<std::string> quoted;
      for (const std::string& name : values.names) quoted.push_back(single_quoted(name));
      return "kind=names; names=(" + joined(quoted, " ") + ")";
    }
    default:
      return "kind=files";
  }
}

/// 'hijack attack --image'|'hijack attack -i'
std::string pattern(const CompletedCommand& command, const CompletedFlag& flag) {
  std::vector<std::string> patterns;
  for (const std::string& one : flag.spellings) patterns.push_back(single_quoted(command.path + " " + one));
  return joined(patterns, "|");
}

/// Branches of a case over "$place FLAG".
std::string flag_branches(const std::vector<CompletedCommand>& commands, bool only_several) {
  std::string text;
  for (const CompletedCommand& command : commands) {
    for (const CompletedFlag& flag : command.flags)
      if (only_several ? flag.several : flag.values.kind != Kind::kNothing)
        text += "      " + pattern(command, flag) + ") " + assignment(flag.values) + " ;;\n";
    if (only_several) continue;
    for (const CompletedFlag& word : command.words)
      text += "      " + pattern(command, word) + ") " + assignment(word.values) + " ;;\n";
  }
  return text;
}

/// Branches of a case over "$place": subcommands, else what the positional takes.
std::string place_branches(const std::vector<CompletedCommand>& commands) {
  std::string text;
  for (const CompletedCommand& command : commands) {
    const Values values =
        command.subcommands.empty() ? command.values : Values{Kind::kNames, command.subcommands};
    text += "          " + single_quoted(command.path) + ") " + assignment(values) + " ;;\n";
  }
  return text;
}

/// The names that go one command further down.
std::string steps(const std::vector<CompletedCommand>& commands) {
  std::vector<std::string> paths;
  for (size_t i = 1; i < commands.size(); ++i) paths.push_back(single_quoted(commands[i].path));
  return joined(paths, "|");
}

/// What both shells do once `place`, `last` and `previous` are known.
std::string choice(const std::vector<CompletedCommand>& commands) {
  return "    case \"$place $previous\" in\n" + flag_branches(commands, false) +
         "      *) case \"$place $last\" in\n" + flag_branches(commands, true) +
         "        *) case \"$place\" in\n" + place_branches(commands) +
         "        esac ;;\n      esac ;;\n    esac\n";
}

}  // namespace

std::string bash_completion(const std::vector<CompletedCommand>& commands) {
  std::string flags;
  for (const CompletedCommand& command : commands) {
    std::vector<std::string> spellings;
    for (const CompletedFlag& flag : command.flags)
      for (const std::string& one : flag.spellings) spellings.push_back(one);
    flags += "      " + single_quoted(command.path) + ") names=(" + joined(spellings, " ") + ") ;;\n";
  }
  return R"(# Completion of hijack for bash, written by: hijack completion bash
# To try it: source <(hijack completion bash)
_hijack() {
  local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} place=hijack last= word i
  local kind=none names=()
  [[ $cur == = ]] && cur=
  [[ $previous == = ]] && previous=${COMP_WORDS[COMP_CWORD-2]}
  for ((i = 1; i < COMP_CWORD; ++i)); do
    word=${COMP_WORDS[i]}
    [[ $word == -* ]] && last=$word
    case "$place $word" in
      )" +
         steps(commands) +
         R"() place="$place $word" ;;
    esac
  done
  if [[ $cur == -* ]]; then
    kind=names
    case "$place" in
)" + flags +
         R"(    esac
  else
)" + choice(commands) +
         R"(  fi
  COMPREPLY=()
  case $kind in
    names) mapfile -t COMPREPLY < <(compgen -W "${names[*]}" -- "$cur") ;;
    files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    folders) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
  esac
}
complete -F _hijack hijack
)";
}

std::string zsh_completion(const std::vector<CompletedCommand>& commands) {
  std::string flags;
  for (const CompletedCommand& command : commands) {
    flags += "      " + single_quoted(command.path) + ") names=(\n";
    for (const CompletedFlag& flag : command.flags)
      for (const std::string& one : flag.spellings)
        flags += "        " + single_quoted(one + ":" + flag.help) + "\n";
    flags += "      ) ;;\n";
  }
  return R"(#compdef hijack
# Completion of hijack for zsh, written by: hijack completion zsh
# To try it: source <(hijack completion zsh)
_hijack() {
  local place=hijack last= previous=$words[CURRENT-1] word kind=none
  local -a names
  for word in ${words[2,CURRENT-1]}; do
    [[ $word == -* ]] && last=$word
    case "$place $word" in
      )" +
         steps(commands) +
         R"() place="$place $word" ;;
    esac
  done
  if [[ $words[CURRENT] == -* ]]; then
    case "$place" in
)" + flags +
         R"(    esac
    _describe -o flag names
    return
  else
)" + choice(commands) +
         R"(  fi
  case $kind in
    names) compadd -- $names ;;
    files) _files ;;
    folders) _files -/ ;;
  esac
}
if [[ $funcstack[1] == _hijack ]]; then
  _hijack "$@"
else
  compdef _hijack hijack
fi
)";
}

}  // namespace hijack::cli
