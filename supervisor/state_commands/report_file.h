// Files that a command writes or reads because a flag names them.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace baokms::supervisor {

// Writes a new file of mode 0640, durably. kSystem with EEXIST: the file exists; a command never
// replaces a file that it does not manage.
[[nodiscard]] Status WriteNewFile(const std::string& path, std::string_view content);

// Returns the content of a regular file of at most `max_bytes`.
[[nodiscard]] Result<std::string> ReadWholeFile(const std::string& path, std::size_t max_bytes);

}  // namespace baokms::supervisor
