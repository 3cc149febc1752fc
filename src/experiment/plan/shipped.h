#pragma once
#include <filesystem>
#include <string>

namespace hijack {

/// The folder with the shipped pocket/, contexts/ and images/: $HIJACK_DATA, else samples/ or share/hijack/
/// found from the program's place upward, else samples/ of the source folder. Throws Error that says where it
/// looked.
std::filesystem::path shipped_data();

/// $HIJACK_MODEL, else shipped_data()/pocket.
std::filesystem::path shipped_model();

/// A bold font without serifs where Debian keeps it (fonts-dejavu-core), for drawn text. Throws Error that
/// says what to install.
std::filesystem::path system_font();

/// The shipped contexts file for a behavior: the policy questions for refusal, ordinary prompts for the
/// others.
std::filesystem::path default_contexts(const std::string& behavior);

/// The shipped chats for --templates.
std::filesystem::path shipped_templates();

/// The harmless target that a behavior gets when the user names none; "" for behaviors without target.
std::string default_target(const std::string& behavior);

}  // namespace hijack
