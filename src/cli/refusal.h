#pragma once
#include <CLI/CLI.hpp>
#include <string>

namespace hijack::cli {

/// One sentence for arguments that could not be parsed: which flag or argument, what is wrong, what to do; an
/// unknown word with the nearest one that is known.
std::string refusal(const CLI::App& program, const CLI::ParseError& error);

}  // namespace hijack::cli
