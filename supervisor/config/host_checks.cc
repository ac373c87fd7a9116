#include "supervisor/config/host_checks.h"

#include <sys/stat.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include <fcntl.h>

#include <fstream>
#include <memory>
#include <string_view>
#include <utility>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

namespace baokms::supervisor {
namespace {

// Nobody but the owner may put anything beside the socket or the state file.
constexpr mode_t kDirectoryForbidden = 0022;

struct X509Free {
  void operator()(X509* certificate) const { X509_free(certificate); }
};

struct BioFree {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
};

std::string ParentOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

std::string NameOf(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

class HostChecker {
 public:
  HostChecker(const ConfigDocument& document, std::span<const Problem> earlier)
      : document_(document), earlier_(earlier) {}

  HostFindings Run() {
    const Config& config = document_.config;
    findings_.openbao_ca_pem = ReadCa("openbao.caCertFile", config.openbao.ca_cert_file);
    const std::string& oauth2_ca = config.auth.jwt.oauth2.ca_cert_file;
    if (config.auth.method == "jwt" && config.auth.jwt.source == "oauth2" && !oauth2_ca.empty()) {
      findings_.oauth2_ca_pem = ReadCa("auth.jwt.oauth2.caCertFile", oauth2_ca);
    }
    CheckSocket(config.server.socket_path);
    CheckStateDirectory(config.state.path);
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
    SafeOpened opened = OpenSafeFile(path, kCaFileRules, TrustedOwners::Mine());
    if (opened.refusal.has_value()) {
      Fail(key, *std::move(opened.refusal));
      return "";
    }
    auto pem = ReadRegularFile(opened.fd.get(), kMaxCaBundleBytes);
    if (!pem.has_value()) {
      Fail(key, DescribeFileError(pem.error()));
      return "";
    }
    if (auto finding = CheckCaBundle(*pem)) {
      Fail(key, *std::move(finding));
      return "";
    }
    return *std::move(pem);
  }

  void CheckSocket(const std::string& path) {
    if (!Sound("server.socketPath")) {
      return;
    }
    SafeOpened directory = OpenSafeDirectory(
        ParentOf(path),
        {.forbidden_bits = kDirectoryForbidden, .final_symlink = FinalSymlink::kRefused},
        TrustedOwners::Mine());
    if (directory.refusal.has_value()) {
      Fail("server.socketPath", std::string("its directory ").append(*directory.refusal));
      return;
    }

    struct stat info {};

    if (::fstatat(directory.fd.get(), NameOf(path).c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno != ENOENT) {
        Fail("server.socketPath", std::string("cannot be looked at: ") + std::strerror(errno));
      }
    } else if (!S_ISSOCK(info.st_mode)) {
      Fail("server.socketPath", "is there and is not a socket");
    }
  }

  void CheckStateDirectory(const std::string& path) {
    if (!Sound("state.path")) {
      return;
    }
    SafeOpened directory = OpenSafeDirectory(
        ParentOf(path),
        {.forbidden_bits = kDirectoryForbidden, .final_symlink = FinalSymlink::kByRule},
        TrustedOwners::Mine());
    if (directory.refusal.has_value()) {
      Fail("state.path", std::string("its directory ").append(*directory.refusal));
    }
  }

  // Elsewhere every foreign user shows as 65534, so a list of users would match the wrong ones.
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
      Fail("server.allowedPeers", "cannot be checked outside the initial user namespace");
    }
  }

  const ConfigDocument& document_;
  std::span<const Problem> earlier_;
  HostFindings findings_;
};

}  // namespace

HostFindings CheckHost(const ConfigDocument& document, std::span<const Problem> earlier) {
  return HostChecker(document, earlier).Run();
}

std::optional<std::string> CheckCaBundle(const std::string& pem) {
  const std::unique_ptr<BIO, BioFree> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::size_t count = 0;
  while (bio != nullptr) {
    const std::unique_ptr<X509, X509Free> certificate(
        PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (certificate == nullptr) {
      break;
    }
    ++count;
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!at_end) {
    return "holds a certificate that cannot be read";
  }
  return count == 0 ? std::optional<std::string>("holds no PEM certificate") : std::nullopt;
}

}  // namespace baokms::supervisor
