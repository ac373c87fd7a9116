#include "supervisor/config/changeable_files.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <filesystem>
#include <initializer_list>
#include <string>
#include <system_error>

#include "supervisor/config/derived.h"

namespace baokms::supervisor {
namespace {

namespace fs = std::filesystem;

// Whoever owns a directory can replace what is in it. Links need no look of their own: only root's
// are followed, in directories of root (common/base/safe_path.h).
bool BelongsTo(const std::set<uid_t>& users, fs::path path) {
  for (;; path = path.parent_path()) {
    struct stat info {};

    if (::stat(path.c_str(), &info) == 0 && users.contains(info.st_uid)) {
      return true;
    }
    if (!path.has_relative_path()) {
      return false;
    }
  }
}

bool IsReadOnly(const fs::path& path) {
  struct statvfs info {};

  return ::statvfs(path.c_str(), &info) == 0 && (info.f_flag & ST_RDONLY) != 0;
}

}  // namespace

bool IsChangeable(const std::set<uid_t>& users, const std::string& path) {
  std::error_code error;
  const fs::path file = fs::canonical(path, error);
  return !error && BelongsTo(users, file) && !IsReadOnly(file);
}

std::vector<std::string_view> ChangeableFiles(const Config& config,
                                              const std::string& config_path,
                                              const std::set<uid_t>& users) {
  std::vector<std::string_view> keys;
  for (const auto& [key, path] : std::initializer_list<ConfiguredFile>{
           {"--config", config_path},
           {"openbao.caCertFile", config.openbao.ca_cert_file},
           {"auth.jwt.oauth2.caCertFile", config.auth.jwt.oauth2.ca_cert_file},
           ModuleOf(config)}) {
    if (!path.empty() && IsChangeable(users, path)) {
      keys.push_back(key);
    }
  }
  return keys;
}

}  // namespace baokms::supervisor
