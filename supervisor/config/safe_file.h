// The safe opening of common/base/safe_path.h with reasons in an operator's words, and the reading
// of files that serve itself reads. It checks nothing of its own.

#pragma once

#include <cstddef>
#include <string>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/safe_path.h"

namespace baokms::supervisor {

// Why `path` was refused, as the rest of an operator's message: "is not a regular file". It begins
// with the part of the path that is meant when that is not the path itself.
std::string DescribeRefusal(const PathRefusal& refusal, const std::string& path);

// Reads a regular file from its start. Fails on anything else and when it is longer than `max`.
Result<std::string> ReadRegularFile(int fd, std::size_t max);

// "cannot be opened: No such file or directory": an Error as the rest of an operator's message.
std::string DescribeFileError(const Error& error);

}  // namespace baokms::supervisor
