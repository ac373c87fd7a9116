// Files that commands are told to write or read by a flag.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace baokms::supervisor {

// Writes a new file of mode 0640, durably. kSystem with EEXIST when there is something already: a
// command never replaces a file it was not asked to manage.
[[nodiscard]] Status WriteNewFile(const std::string& path, std::string_view content);

// The whole of a regular file of at most `max_bytes`.
[[nodiscard]] Result<std::string> ReadWholeFile(const std::string& path, std::size_t max_bytes);

}  // namespace baokms::supervisor
