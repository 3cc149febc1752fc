#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "src/base/error.h"

namespace hijack {

/// The folder with the shipped pocket/, contexts/ and images/: $HIJACK_DATA, else samples/ or share/hijack/
/// found from the program's place upward, else samples/ of the source folder. Throws Error that says where it
/// looked.
std::filesystem::path shipped_data();

/// $HIJACK_MODEL, else shipped_data()/pocket.
std::filesystem::path shipped_model();

/// A model with a short name, which stands for its folder wherever a model is named.
struct NamedModel {
  std::string name;
  std::string what;  ///< in a few words
  std::filesystem::path folder;
  std::string made_by;  ///< the command that makes the folder; "" = it ships
  bool is_there() const;
};
/// The one table of short names: pocket, smollm2, smollm2-text.
std::vector<NamedModel> named_models();
/// A model with a short name that has not been made.
struct MissingModel : Error {
  using Error::Error;
};
bool is_named_model(const std::string& name);
/// The short name of a folder that had to be made; "" for others.
std::string name_of_made_model(const std::filesystem::path& folder);
/// The folder of a model: of a short name, the one it stands for; of "", shipped_model(); of anything else,
/// itself. Throws MissingModel for a short name whose folder has not been made, with the command that makes
/// it.
std::filesystem::path model_folder(const std::string& model);

/// A bold font without serifs where Debian keeps it (fonts-dejavu-core), for drawn text. Throws Error that
/// says what to install.
std::filesystem::path system_font();

/// Whether a model is asked what people ask, not in the grammar of the pocket model: its config.json names a
/// vocabulary of at least 8192 tokens, or none. False for TorchScript archives and where there is no
/// config.json.
bool knows_language(const std::filesystem::path& model);

/// The shipped contexts file for a behavior: what the model refuses for refusal, ordinary prompts for the
/// others; for a model that knows language those of ordinary life.
std::filesystem::path default_contexts(const std::string& behavior, const std::filesystem::path& model);

/// The shipped chats for --templates.
std::filesystem::path shipped_templates();

/// The harmless target that a behavior gets when the user names none; "" for behaviors without target.
std::string default_target(const std::string& behavior, const std::filesystem::path& model);

}  // namespace hijack
