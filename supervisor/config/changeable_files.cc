#include "supervisor/config/changeable_files.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <filesystem>
#include <initializer_list>
#include <string>
#include <system_error>
#include <utility>

namespace baokms::supervisor {
namespace {

namespace fs = std::filesystem;

// Whoever owns a directory can replace what is in it. Links need no look of their own: only root's
// are followed, in directories of root (common/base/safe_path.h).
bool BelongsTo(uid_t user, fs::path path) {
  for (;; path = path.parent_path()) {
    struct stat info {};

    if (::stat(path.c_str(), &info) == 0 && info.st_uid == user) {
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

bool IsChangeable(uid_t user, const std::string& name) {
  std::error_code error;
  const fs::path path = fs::canonical(name, error);
  return !error && BelongsTo(user, path) && !IsReadOnly(path);
}

}  // namespace

std::vector<std::string_view> ChangeableFiles(const Config& config,
                                              const std::string& config_path,
                                              uid_t user) {
  std::vector<std::string_view> keys;
  for (const auto& [key, path] : std::initializer_list<std::pair<std::string_view, std::string>>{
           {"--config", config_path},
           {"openbao.caCertFile", config.openbao.ca_cert_file},
           {"auth.jwt.oauth2.caCertFile", config.auth.jwt.oauth2.ca_cert_file},
           {"auth.cert.pkcs11.modulePath", config.auth.cert.pkcs11.module_path}}) {
    if (!path.empty() && IsChangeable(user, path)) {
      keys.push_back(key);
    }
  }
  return keys;
}

}  // namespace baokms::supervisor
