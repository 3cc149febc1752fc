#pragma once
#include <filesystem>
#include <memory>
#include <string>

namespace hijack {

/// The right to write into a run folder. Belongs to the process: asking again in the same process shares it.
/// It ends with the last copy, or with the process, however that dies.
using FolderLock = std::shared_ptr<void>;

/// Sole use of `folder`, or, for process `worker` of a group, use beside its fellows but not beside a second
/// process with the same number. Throws Error when another process has it. Locks are advisory (flock on
/// FOLDER/.lock): some network file systems do not know them.
FolderLock lock_folder(const std::filesystem::path& folder, const std::string& worker = "");

}  // namespace hijack
