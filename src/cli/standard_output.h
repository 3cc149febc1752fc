#pragma once

namespace hijack::cli {

/// A closed standard stream would give its number to the next file that is opened, and messages would go into
/// it: opens what is closed on /dev/null, so that writing there fails instead. Call it first.
void keep_standard_streams();

/// Brings out what was written to standard output. Throws Failure when it could not be written (a full disk).
void finish_standard_output();

}  // namespace hijack::cli
