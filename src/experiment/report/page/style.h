#pragma once

namespace hijack::report {
/// The style sheet of the page.
extern const char* const kStyle;
}  // namespace hijack::report
