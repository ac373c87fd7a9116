// Describes for operators why common/base/safe_path.h refused to open a file, and reads the files
// that serve itself needs. It makes no checks of its own.

#pragma once

#include <cstddef>
#include <string>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/safe_path.h"

namespace baokms::supervisor {

// Returns why `path` was refused, as the rest of an operator's message: "is not a regular file".
// Begins with the affected part of the path if that is not the path itself.
std::string DescribeRefusal(const PathRefusal& refusal, const std::string& path);

// Reads a regular file from its start. Fails on any other kind of file, and if it is longer than
// `max`.
Result<std::string> ReadRegularFile(int fd, std::size_t max);

// Formats an Error as the rest of an operator's message: "cannot be opened: No such file or
// directory".
std::string DescribeFileError(const Error& error);

}  // namespace baokms::supervisor
