#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/setup/ca_bundle.h"
#include "common/setup/limits.h"
#include "supervisor/config/host_checks.h"
#include "supervisor/config/safe_file.h"
#include "tests/supervisor/config/config_texts.h"

namespace baokms::supervisor {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

FileRules Rules(uid_t own_user = ::geteuid()) {
  FileRules rules = ConfigFileRules();
  rules.own_user = own_user;
  return rules;
}

// A certificate that anyone may know: self-signed, P-256, no key kept.
constexpr std::string_view kCertificate = R"(-----BEGIN CERTIFICATE-----
MIIBdjCCARugAwIBAgIURnGYzk7UK9EHAKin1vW4GPKCfO8wCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjIxNjA2MDRaGA8yMTI2MTAyOTE2MDYw
NFowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAVL
2XNK6S17wf6MXSxVefwPJxnbhAd23eVrHPy61bjdXaAddkdhxTxfY6qpMBnXrp/w
ufFfpFfZmJ3wyx4F6t2jUzBRMB0GA1UdDgQWBBTSAwr3E+13B6f/BPQJ0m2uSK/W
vDAfBgNVHSMEGDAWgBTSAwr3E+13B6f/BPQJ0m2uSK/WvDAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0kAMEYCIQDXfrlq3RnudfPPbmmoXdmvvsC7pUo0LewR
J2MKcQZP3gIhAOjdxNeGdM7S5erJDS0ENxbU3i4TjFwODlYy+ZPIxezC
-----END CERTIFICATE-----
)";

class FilesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::array<char, 32> name{"/tmp/baokms-files-XXXXXX"};
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name.data();
  }

  void TearDown() override { fs::remove_all(root_); }

  std::string Write(const std::string& name, std::string_view text, mode_t mode = 0600) const {
    const std::string path = root_ + "/" + name;
    std::ofstream(path) << text;
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }

  std::string MakeDirectory(const std::string& name, mode_t mode = 0755) const {
    const std::string path = root_ + "/" + name;
    EXPECT_TRUE(fs::create_directories(path));
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }

  std::string Link(const std::string& name, const std::string& target) const {
    const std::string path = root_ + "/" + name;
    fs::create_symlink(target, path);
    return path;
  }

  static std::string RefusalOf(const std::string& path, const FileRules& rules = Rules()) {
    const Opened opened = OpenFileByRules(path, rules);
    EXPECT_NE(opened.fd.valid(), opened.refusal.has_value());
    return opened.refusal ? DescribeRefusal(*opened.refusal, path) : "";
  }

  std::string root_;
};

TEST(UserTest, IsNamedWithItsNumber) {
  EXPECT_EQ(DescribeUser(0), "root");
  EXPECT_EQ(DescribeUser(1), "daemon (1)");
  EXPECT_EQ(UserName(1), "daemon");
  EXPECT_EQ(DescribeUser(4321), "4321");
}

TEST_F(FilesTest, OpensAFileThatOnlyTheOwnerCanChange) {
  const std::string path = Write("f", "content");
  const Opened opened = OpenFileByRules(path, Rules());
  ASSERT_TRUE(opened.fd.valid());
  EXPECT_EQ(*ReadRegularFile(opened.fd.get(), 7), "content");
  EXPECT_FALSE(ReadRegularFile(opened.fd.get(), 6).has_value());
}

TEST_F(FilesTest, RefusesEveryForbiddenBit) {
  for (const mode_t bit : {001U, 002U, 004U, 010U, 020U, 0100U, 0040U, 0200U}) {
    const std::string path = Write("f", "x", 0400 | bit);
    const bool forbidden = (bit & 0037U) != 0;
    EXPECT_EQ(!RefusalOf(path).empty(), forbidden) << std::oct << bit;
    fs::remove(path);
  }
}

TEST_F(FilesTest, RefusesWhatIsNotAFile) {
  EXPECT_THAT(RefusalOf(root_), HasSubstr("not a regular file"));
  EXPECT_THAT(RefusalOf(root_ + "/absent"), HasSubstr("No such file"));
  EXPECT_THAT(RefusalOf("relative"), HasSubstr("absolute path"));
  EXPECT_THAT(RefusalOf(""), HasSubstr("absolute path"));
  EXPECT_THAT(RefusalOf("/dev/null"), HasSubstr("not a regular file"));
  const std::string fifo = root_ + "/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(RefusalOf(fifo), HasSubstr("not a regular file"));
  EXPECT_THAT(RefusalOf(Write("f", "x") + "/below"), HasSubstr("not a directory"));
}

TEST_F(FilesTest, RefusesADirectoryOnTheWayThatOthersCanWrite) {
  for (const mode_t mode : {0777U, 0775U, 0757U}) {
    const std::string directory = MakeDirectory("d", mode);
    const std::string path = Write("d/f", "x");
    EXPECT_THAT(RefusalOf(path), HasSubstr(directory + " is writable by others"));
    fs::remove_all(directory);
  }
  MakeDirectory("sticky", 01777);
  EXPECT_EQ(RefusalOf(Write("sticky/f", "x")), "");
}

TEST_F(FilesTest, RefusesForeignOwners) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "only root can give files away";
  }
  const std::string path = Write("f", "x");
  ASSERT_EQ(::chown(path.c_str(), 4321, 0), 0);
  EXPECT_EQ(RefusalOf(path), "belongs to 4321 but this process is root: run it as 4321");
  EXPECT_EQ(RefusalOf(path, Rules(1)), "belongs to 4321 but the provider runs as " +
                                           DescribeUser(1) + ": run chown " + UserName(1) + " " +
                                           path);
  EXPECT_EQ(RefusalOf(path, Rules(4321)), "");

  const std::string directory = MakeDirectory("d");
  const std::string inner = Write("d/f", "x");
  ASSERT_EQ(::chown(directory.c_str(), 4321, 0), 0);
  EXPECT_THAT(RefusalOf(inner), HasSubstr(directory + " belongs to 4321"));
}

// The layout that the kubelet gives projected volumes, and the one of certificate tools.
TEST_F(FilesTest, FollowsSymlinksOnlyThroughRootsDirectories) {
  MakeDirectory("volume", 01777);
  MakeDirectory("volume/..2024");
  Write("volume/..2024/token", "x");
  Link("volume/..data", "..2024");
  const std::string token = Link("volume/token", "..data/token");
  MakeDirectory("live");
  MakeDirectory("archive");
  Write("archive/cert1.pem", "x");
  const std::string cert = Link("live/cert.pem", "../archive/cert1.pem");
  const std::string absolute = Link("absolute", root_ + "/archive/cert1.pem");
  if (::geteuid() != 0) {
    EXPECT_THAT(RefusalOf(token), HasSubstr("symbolic link"));
    EXPECT_THAT(RefusalOf(cert), HasSubstr("symbolic link"));
    return;
  }
  EXPECT_EQ(RefusalOf(token), "");
  EXPECT_EQ(RefusalOf(cert), "");
  EXPECT_EQ(RefusalOf(absolute), "");

  // Somebody else's link in a sticky directory.
  const std::string planted = Link("volume/planted", "..data/token");
  ASSERT_EQ(::lchown(planted.c_str(), 4321, 0), 0);
  EXPECT_THAT(RefusalOf(planted), HasSubstr("symbolic link"));
  // A link below a directory of the running user, who is not root.
  ASSERT_EQ(::chown((root_ + "/live").c_str(), 4321, 0), 0);
  EXPECT_THAT(RefusalOf(cert, Rules(4321)), HasSubstr("not owned by root"));
  // Behind a link of root's, the directories are judged as they are without one.
  ASSERT_EQ(::chown((root_ + "/archive").c_str(), 4321, 0), 0);
  EXPECT_EQ(RefusalOf(absolute, Rules(4321)), "");
  EXPECT_THAT(RefusalOf(absolute), HasSubstr("belongs to 4321"));
}

TEST_F(FilesTest, EndsASymlinkLoop) {
  const std::string loop = Link("loop", "loop");
  EXPECT_THAT(RefusalOf(loop),
              testing::AnyOf(HasSubstr("too many symbolic links"), HasSubstr("not owned by root")));
}

TEST_F(FilesTest, RefusesADirectoryLinkWhereNoneMayBe) {
  MakeDirectory("real");
  const std::string link = Link("link", "real");
  const DirectoryRules rules{
      .forbidden_bits = 0022, .own_user = ::geteuid(), .final_symlink = FinalSymlink::kRefused};
  const Opened opened = OpenDirectoryByRules(link, rules);
  ASSERT_TRUE(opened.refusal.has_value());
  EXPECT_EQ(DescribeRefusal(*opened.refusal, link),
            "must not be a symbolic link; configure the path without it");
  EXPECT_TRUE(OpenDirectoryByRules(root_ + "/real", rules).fd.valid());
}

TEST_F(FilesTest, ChecksTheConfigurationFile) {
  LoadOptions options;
  options.safety = ConfigFileSafety::kChecked;
  options.path = Write("config.yaml", YamlOf(JwtKeys()), 0640);
  EXPECT_THAT(LoadConfig(options).problems, IsEmpty());
  ASSERT_EQ(::chmod(options.path.c_str(), 0644), 0);
  const LoadResult loaded = LoadConfig(options);
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_EQ(ToLine(loaded.problems[0]),
            options.path + ": --config: mode 0644, at most 0640 is allowed; run chmod 0640 " +
                options.path);
  // What is in it is told all the same.
  EXPECT_EQ(loaded.document.config.transit.key_name, "etcd");
  options.safety = ConfigFileSafety::kAny;
  EXPECT_THAT(LoadConfig(options).problems, IsEmpty());
}

TEST_F(FilesTest, SaysWhyTheConfigurationFileCannotBeRead) {
  LoadOptions options;
  options.path = root_ + "/absent.yaml";
  ASSERT_EQ(LoadConfig(options).problems.size(), 1U);
  EXPECT_EQ(DescribeProblems(LoadConfig(options).problems),
            "config invalid; --config: cannot be opened: No such file or directory\n" +
                options.path + ": --config: cannot be opened: No such file or directory");
  options.path = root_;
  EXPECT_EQ(ToLine(LoadConfig(options).problems[0]), root_ + ": --config: is not a regular file");
}

TEST_F(FilesTest, SaysNothingElseOfAConfigurationFileThatIsNotThere) {
  for (const ConfigFileSafety safety : {ConfigFileSafety::kChecked, ConfigFileSafety::kAny}) {
    LoadOptions options;
    options.path = root_ + "/absent.yaml";
    options.safety = safety;
    const LoadResult loaded = LoadConfig(options);
    const std::vector<Problem> problems = Validate(loaded.document, loaded.problems);
    EXPECT_THAT(problems, testing::SizeIs(1)) << DescribeProblems(problems);
    EXPECT_THAT(CheckHost(loaded.document, problems, ::geteuid()).problems, IsEmpty());
  }
}

std::string CaProblem(const std::string& pem) {
  const Status checked = setup::CheckCaBundle(pem);
  return checked ? std::string() : std::string(checked.error().what());
}

TEST(CaBundleTest, HoldsReadableCertificates) {
  const std::string pem(kCertificate);
  EXPECT_EQ(CaProblem(pem), "");
  EXPECT_EQ(CaProblem("# text before\n" + pem + pem), "");
  EXPECT_EQ(CaProblem(""), "contains no PEM certificate");
  EXPECT_EQ(CaProblem("not pem"), "contains no PEM certificate");
  EXPECT_EQ(CaProblem(pem + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "contains a certificate that cannot be read");
  EXPECT_EQ(CaProblem(pem.substr(0, 100)), "contains a certificate that cannot be read");
}

class HostTest : public FilesTest {
 protected:
  void SetUp() override {
    FilesTest::SetUp();
    MakeDirectory("run");
    MakeDirectory("state");
    document_.config.openbao.ca_cert_file = Write("ca.crt", kCertificate, 0644);
    document_.config.server.socket_path = root_ + "/run/kms.sock";
    document_.config.state.path = root_ + "/state/registry.json";
    document_.config.auth.method = AuthMethod::kJwt;
  }

  std::vector<std::string> Problems() const {
    std::vector<std::string> lines;
    for (const Problem& problem : CheckHost(document_, {}, ::geteuid()).problems) {
      lines.push_back(ToLine(problem));
    }
    return lines;
  }

  ConfigDocument document_;
};

TEST_F(HostTest, AcceptsAPreparedHost) {
  const HostFindings findings = CheckHost(document_, {}, ::geteuid());
  EXPECT_THAT(findings.problems, IsEmpty());
  EXPECT_EQ(findings.openbao_ca_pem, kCertificate);
  EXPECT_EQ(findings.oauth2_ca_pem, "");
}

TEST_F(HostTest, ChecksTheCaBundle) {
  ASSERT_EQ(::chmod(document_.config.openbao.ca_cert_file.c_str(), 0666), 0);
  EXPECT_THAT(Problems(),
              ElementsAre(HasSubstr("openbao.caCertFile: mode 0666, at most 0644 is allowed; run "
                                    "chmod 0644 ")));
  document_.config.openbao.ca_cert_file = Write("empty", "");
  EXPECT_THAT(Problems(), ElementsAre(HasSubstr("openbao.caCertFile: contains no PEM")));
  document_.config.openbao.ca_cert_file =
      Write("big", std::string(setup::kMaxCaBundleBytes + 1, 'x'));
  EXPECT_THAT(Problems(), ElementsAre(HasSubstr("openbao.caCertFile: is larger than ")));
}

TEST_F(HostTest, ChecksTheDirectoryOfAModule) {
  CertConfig& cert = document_.config.auth.cert;
  cert.source = CertSource::kPkcs11;
  cert.pkcs11.state_directory = root_ + "/token";
  EXPECT_THAT(Problems(), IsEmpty()) << "does not apply with a JWT";
  document_.config.auth.method = AuthMethod::kCert;
  EXPECT_THAT(Problems(),
              ElementsAre(HasSubstr("auth.cert.pkcs11.stateDirectory: cannot be opened as a "
                                    "directory: No such file or directory")));
  Write("token", "");
  EXPECT_THAT(Problems(), ElementsAre(HasSubstr("Not a directory")));
  std::filesystem::remove(root_ + "/token");
  MakeDirectory("token");
  EXPECT_THAT(Problems(), IsEmpty());
}

TEST_F(HostTest, ChecksWhoMayWriteTheModule) {
  CertConfig& cert = document_.config.auth.cert;
  cert.source = CertSource::kPkcs11;
  MakeDirectory("lib");
  const std::string module = Write("lib/hsm.so", "", 0664);
  cert.pkcs11.module_path = module;
  EXPECT_THAT(Problems(), IsEmpty()) << "does not apply with a JWT";
  document_.config.auth.method = AuthMethod::kCert;
  EXPECT_THAT(Problems(),
              ElementsAre(HasSubstr("auth.cert.pkcs11.modulePath: mode 0664, at most 0644 is "
                                    "allowed; run chmod 0644 " +
                                    module)));
  ASSERT_EQ(::chmod(module.c_str(), 0755), 0);
  EXPECT_THAT(Problems(), IsEmpty());
  ASSERT_EQ(::chmod((root_ + "/lib").c_str(), 0777), 0);
  EXPECT_THAT(Problems(), ElementsAre(HasSubstr("auth.cert.pkcs11.modulePath: " + root_ +
                                                "/lib is writable by others: mode 0777")));
  ASSERT_EQ(::chmod((root_ + "/lib").c_str(), 0755), 0);
  cert.pkcs11.module_path = root_ + "/absent.so";
  EXPECT_THAT(Problems(), IsEmpty()) << "the agent waits for it";
}

TEST_F(HostTest, ChecksTheTokenEndpointsBundle) {
  document_.config.auth.jwt.source = JwtSource::kOAuth2;
  document_.config.auth.jwt.oauth2.ca_cert_file = root_ + "/absent";
  EXPECT_THAT(Problems(), ElementsAre(HasSubstr("auth.jwt.oauth2.caCertFile: ")));
  document_.config.auth.jwt.oauth2.ca_cert_file = document_.config.openbao.ca_cert_file;
  EXPECT_EQ(CheckHost(document_, {}, ::geteuid()).oauth2_ca_pem, kCertificate);
}

TEST_F(HostTest, ChecksTheSocketPlace) {
  ASSERT_EQ(::chmod((root_ + "/run").c_str(), 0775), 0);
  EXPECT_THAT(Problems(),
              ElementsAre(HasSubstr("server.socketPath: its directory: mode 0775, at most 0755 is "
                                    "allowed; run chmod 0755 " +
                                    root_ + "/run")));
  ASSERT_EQ(::chmod((root_ + "/run").c_str(), 0755), 0);
  Write("run/kms.sock", "x");
  EXPECT_THAT(
      Problems(),
      ElementsAre(HasSubstr("server.socketPath: exists but is not a socket; not removing it")));
  fs::remove(root_ + "/run/kms.sock");
  Link("run/kms.sock", "elsewhere");
  EXPECT_THAT(
      Problems(),
      ElementsAre(HasSubstr("server.socketPath: exists but is not a socket; not removing it")));
  fs::remove(root_ + "/run/kms.sock");

  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  document_.config.server.socket_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const void* raw = &address;
  ASSERT_EQ(::bind(socket.get(), static_cast<const sockaddr*>(raw), sizeof(address)), 0);
  EXPECT_THAT(Problems(), IsEmpty());

  Link("link", "run");
  document_.config.server.socket_path = root_ + "/link/kms.sock";
  EXPECT_THAT(Problems(), ElementsAre(HasSubstr("its directory must not be a symbolic link")));
  document_.config.server.socket_path = root_ + "/absent/kms.sock";
  EXPECT_THAT(Problems(), ElementsAre(HasSubstr("No such file")));
}

TEST_F(HostTest, ChecksTheStateDirectory) {
  ASSERT_EQ(::chmod((root_ + "/state").c_str(), 0770), 0);
  EXPECT_THAT(Problems(),
              ElementsAre(HasSubstr("state.path: its directory: mode 0770, at most 0755 is "
                                    "allowed; run chmod 0750 ")));
  document_.config.state.path = root_ + "/absent/registry.json";
  EXPECT_THAT(Problems(), ElementsAre(HasSubstr("state.path: its directory ")));
}

TEST_F(HostTest, LeavesKeysWithEarlierProblemsAlone) {
  document_.config.openbao.ca_cert_file = "bad";
  document_.config.server.socket_path = "bad";
  document_.config.state.path = "bad";
  const std::vector<Problem> earlier{
      {"", {}, "openbao", "x"}, {"", {}, "server.socketPath", "x"}, {"", {}, "state.path", "x"}};
  EXPECT_THAT(CheckHost(document_, earlier, ::geteuid()).problems, IsEmpty());
}

}  // namespace
}  // namespace baokms::supervisor
