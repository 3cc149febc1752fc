#pragma once

namespace hijack::report {

/// The page's only script: tables can be sorted and filtered, links open the trial they lead to. The page
/// reads without it.
extern const char* const kScript;

}  // namespace hijack::report
