#include "supervisor/config/host_checks.h"

#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <fstream>
#include <memory>
#include <utility>

#include "common/base/unique_fd.h"
#include "common/setup/ca_bundle.h"
#include "common/setup/limits.h"
#include "common/setup/module_file.h"
#include "supervisor/config/conditions.h"

namespace baokms::supervisor {
namespace {

// Only the owner may create files beside the socket or the state file.
constexpr mode_t kDirectoryForbidden = 0022;

std::string ParentOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

std::string NameOf(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

class HostChecker {
 public:
  HostChecker(const ConfigDocument& document, std::span<const Problem> earlier, uid_t own_user)
      : document_(document), earlier_(earlier), own_user_(own_user) {}

  HostFindings Run() {
    const Config& config = document_.config;
    findings_.openbao_ca_pem = ReadCa("openbao.caCertFile", config.openbao.ca_cert_file);
    if (kWithOAuth2.holds(config)) {
      findings_.oauth2_ca_pem = ReadOAuth2Ca(config.auth.jwt.oauth2.ca_cert_file);
    }
    CheckSocket(config.server.socket_path);
    CheckStateDirectory(config.state.path);
    if (kWithPkcs11.holds(config)) {
      CheckModule(config.auth.cert.pkcs11.module_path);
      CheckModuleDirectory(config.auth.cert.pkcs11.state_directory);
    }
    CheckUserNamespace(config.server.allowed_peers);
    return std::move(findings_);
  }

 private:
  bool Sound(std::string_view key) const { return !IsFaulty(earlier_, key); }

  void Fail(std::string_view key, std::string message) {
    findings_.problems.push_back(document_.ProblemAt(key, std::move(message)));
  }

  std::string ReadCa(std::string_view key, const std::string& path) {
    if (!Sound(key)) {
      return "";
    }
    FileRules rules = CaFileRules();
    rules.own_user = own_user_;
    const Opened opened = OpenFileByRules(path, rules);
    if (opened.refusal) {
      Fail(key, DescribeRefusal(*opened.refusal, path));
      return "";
    }
    auto pem = ReadRegularFile(opened.fd.get(), setup::kMaxCaBundleBytes);
    if (!pem) {
      Fail(key, pem.error().Describe());
      return "";
    }
    if (const Status checked = setup::CheckCaBundle(*pem); !checked) {
      Fail(key, std::string(checked.error().what()));
      return "";
    }
    return *std::move(pem);
  }

  std::string ReadOAuth2Ca(const std::string& path) {
    constexpr std::string_view kKey = "auth.jwt.oauth2.caCertFile";
    if (!path.empty()) {
      return ReadCa(kKey, path);
    }
    for (const std::string_view bundle : kSystemBundles) {
      struct stat info {};

      // stat() and not access(): a reload runs under the supervisor's filter.
      if (const std::string name(bundle); ::stat(name.c_str(), &info) == 0) {
        return ReadCa(kKey, name);
      }
    }
    Fail(kKey, "must be set, because this host has no bundle of public certificate authorities");
    return "";
  }

  void CheckSocket(const std::string& path) {
    if (!Sound("server.socketPath")) {
      return;
    }
    const Opened directory =
        OpenParent("server.socketPath", ParentOf(path), FinalSymlink::kRefused);
    if (directory.refusal) {
      return;
    }

    struct stat info {};

    if (::fstatat(directory.fd.get(), NameOf(path).c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno != ENOENT) {
        Fail("server.socketPath", std::string("cannot be inspected: ") + std::strerror(errno));
      }
    } else if (!S_ISSOCK(info.st_mode)) {
      Fail("server.socketPath", "exists but is not a socket; not removing it");
    }
  }

  void CheckStateDirectory(const std::string& path) {
    if (!Sound("state.path")) {
      return;
    }
    (void)OpenParent("state.path", ParentOf(path), FinalSymlink::kByRule);
  }

  // As the agent does before it loads the module, also for one that a URI names. The agent also
  // says if it cannot be opened, which may be for a time.
  void CheckModule(const std::string& path) {
    constexpr std::string_view kKey = "auth.cert.pkcs11.modulePath";
    if (path.empty() || !Sound(kKey)) {
      return;
    }
    const Opened module = setup::OpenModuleFile(path, own_user_);
    if (module.refusal && module.refusal->rule != PathRule::kOpens) {
      Fail(kKey, DescribeRefusal(*module.refusal, path));
    }
  }

  // Opens it as the agent will, which otherwise refuses its set-up.
  void CheckModuleDirectory(const std::string& path) {
    constexpr std::string_view kKey = "auth.cert.pkcs11.stateDirectory";
    if (!path.empty() && Sound(kKey) &&
        !UniqueFd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)).valid()) {
      Fail(kKey, std::string("cannot be opened as a directory: ") + std::strerror(errno));
    }
  }

  Opened OpenParent(std::string_view key, const std::string& path, FinalSymlink final_symlink) {
    Opened directory = OpenDirectoryByRules(path, {.forbidden_bits = kDirectoryForbidden,
                                                   .own_user = own_user_,
                                                   .final_symlink = final_symlink});
    if (directory.refusal) {
      const bool is_mode = directory.refusal->rule == PathRule::kMode;
      Fail(key, std::string(is_mode ? "its directory: " : "its directory ")
                    .append(DescribeRefusal(*directory.refusal, path)));
    }
    return directory;
  }

  // In another namespace every unmapped user appears as 65534, so a list of users would match the
  // wrong ones.
  void CheckUserNamespace(const AllowedPeers& peers) {
    if (peers.uids.empty() && peers.gids.empty()) {
      return;
    }
    std::ifstream map("/proc/self/uid_map");
    unsigned long inside = 1;
    unsigned long outside = 1;
    unsigned long count = 0;
    map >> inside >> outside >> count;
    if (!map || inside != 0 || outside != 0 || count != UINT_MAX) {
      Fail("server.allowedPeers",
           "can only be used in the initial user namespace: in any other one the ids of peers are "
           "not known");
    }
  }

  const ConfigDocument& document_;
  std::span<const Problem> earlier_;
  const uid_t own_user_;
  HostFindings findings_;
};

}  // namespace

FileRules ConfigFileRules() {
  return {.forbidden_bits = kForbiddenSecretBits,
          .max_size = kMaxYamlBytes,
          .own_user = ::geteuid(),
          .directories = DirectoryOwners::kRootOrOwn};
}

FileRules CaFileRules() {
  return {.forbidden_bits = 0022,
          .max_size = setup::kMaxCaBundleBytes,
          .own_user = ::geteuid(),
          .directories = DirectoryOwners::kRootOrOwn};
}

HostFindings CheckHost(const ConfigDocument& document,
                       std::span<const Problem> earlier,
                       uid_t own_user) {
  return HostChecker(document, earlier, own_user).Run();
}

}  // namespace baokms::supervisor
