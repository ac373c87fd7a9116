// bao-kms-etcd-scan itself: started as the command starts it, with files as the flags name them.

#include <sys/wait.h>
#include <fcntl.h>
#include <sysexits.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <variant>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/unique_fd.h"
#include "common/contract/limits.h"
#include "proto/etcd_scan.pb.h"
#include "supervisor/children/process_facts.h"
#include "supervisor/etcd/scan_message.h"
#include "supervisor/etcd/start_scan.h"
#include "supervisor/spawner/launch.h"
#include "tests/supervisor/etcd/fake_etcd.h"
#include "tests/supervisor/registry/test_directory.h"

namespace baokms::supervisor {
namespace {

using testing::HasSubstr;
using Kind = EtcdScanFailure::Kind;

std::string TextOf(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The /proc folder of the scan program that this process has started.
std::optional<std::filesystem::path> RunningProgram() {
  const std::string parent = "\nPPid:\t" + std::to_string(::getpid()) + "\n";
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string status = TextOf(entry.path() / "status");
    if (status.starts_with("Name:\tbao-kms-etcd\n") && status.find(parent) != std::string::npos) {
      return entry.path();
    }
  }
  return std::nullopt;
}

class ScanProgramTest : public testing::Test {
 protected:
  ScanProgramTest() : client_(authority_.Issue("DNS:client.test")) {
    directory_.Write("ca.pem", authority_.CertificatePem(), 0644);
    directory_.Write("cert.pem", client_.certificate_pem, 0644);
    directory_.Write("key.pem", client_.key_pem, 0640);
    options_.host = "127.0.0.1";
    options_.ca_file = directory_.File("ca.pem");
    options_.certificate_file = directory_.File("cert.pem");
    options_.key_file = directory_.File("key.pem");
  }

  EtcdScanFailure Failure() {
    const EtcdScanResult result = RunEtcdScan(options_, BAOKMS_ETCD_SCAN);
    const auto* failure = std::get_if<EtcdScanFailure>(&result);
    return failure == nullptr ? EtcdScanFailure{.kind = Kind::kEtcd, .text = ""} : *failure;
  }

  openbao::TestAuthority authority_{"etcd"};
  openbao::ServerIdentity client_;
  TestDirectory directory_;
  EtcdOptions options_;
};

TEST_F(ScanProgramTest, CountsWhatIsStoredBehindTls) {
  Behaviour behaviour = With(700, 10);
  behaviour.objects["/registry/secrets/default/a"] = std::string("k8s:enc:aescbc:v1:key\xff:data");
  const FakeEtcdServer server(
      behaviour, TlsCredentials(authority_.Issue("IP:127.0.0.1"), authority_.CertificatePem()));
  options_.port = server.port();
  const EtcdScanResult result = RunEtcdScan(options_, BAOKMS_ETCD_SCAN);
  ASSERT_TRUE(std::holds_alternative<EtcdScan>(result)) << std::get<EtcdScanFailure>(result).text;
  const EtcdScan& scan = std::get<EtcdScan>(result);
  EXPECT_EQ(scan.revision, kRevision);
  ASSERT_EQ(scan.inventory.groups().size(), 2U);
  EXPECT_EQ(scan.inventory.groups().at({"none", "", "", "", ""}), 700U);
  EXPECT_EQ(scan.inventory.groups().at({"aescbc", "key\xff", "", "", ""}), 1U);
  EXPECT_EQ(scan.inventory.resources().at("secrets").encrypted, 1U);
  EXPECT_EQ(scan.inventory.resources().at("configmaps").plain, 700U);
}

TEST_F(ScanProgramTest, CountsWithoutTlsOnLoopback) {
  const FakeEtcdServer server(With(5, 10), grpc::InsecureServerCredentials());
  const EtcdScanResult result = RunEtcdScan({.host = "127.0.0.1",
                                             .port = server.port(),
                                             .transport = EtcdOptions::Transport::kPlain,
                                             .ca_file = {},
                                             .certificate_file = {},
                                             .key_file = {}},
                                            BAOKMS_ETCD_SCAN);
  ASSERT_TRUE(std::holds_alternative<EtcdScan>(result)) << std::get<EtcdScanFailure>(result).text;
  EXPECT_EQ(std::get<EtcdScan>(result).inventory.resources().at("configmaps").plain, 5U);
}

TEST_F(ScanProgramTest, IsConfinedBeforeItReadsFromEtcd) {
  std::optional<Confinement> confinement;
  std::string limits;
  Behaviour behaviour = With(1, 10);
  behaviour.before_answer = [&] {
    if (const auto program = RunningProgram()) {
      confinement = ParseStatus(TextOf(*program / "status"));
      limits = TextOf(*program / "limits");
    }
  };
  const FakeEtcdServer server(behaviour, TlsCredentials(authority_.Issue("IP:127.0.0.1")));
  options_.port = server.port();
  EXPECT_EQ(Failure().text, "");
  ASSERT_TRUE(confinement.has_value());
  EXPECT_TRUE(confinement->seccomp_filter);
  EXPECT_TRUE(confinement->no_new_privileges);
  EXPECT_EQ(confinement->capabilities, 0U);
  EXPECT_THAT(limits, testing::ContainsRegex("Max data size +805306368 +805306368 "));
  EXPECT_THAT(limits, testing::ContainsRegex("Max open files +128 +128 "));
  EXPECT_THAT(limits, testing::ContainsRegex("Max core file size +0 +0 "));
}

TEST_F(ScanProgramTest, SaysWhyItCannotStart) {
  const UniqueFd program(::open(BAOKMS_ETCD_SCAN, O_PATH | O_CLOEXEC));
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd answer_end(ends[0]);
  UniqueFd program_end(ends[1]);
  // Without its request.
  const auto pid = Launch({.name = "bao-kms-etcd-scan",
                           .program = program.get(),
                           .null = null.get(),
                           .descriptors = {program_end.get()},
                           .environment = ChildEnvironment()});
  ASSERT_TRUE(pid.has_value());
  program_end.reset();
  ipc::EtcdScanAnswer answer;
  EXPECT_TRUE(ReceiveAnswer(answer_end.get(), answer));
  EXPECT_THAT(answer.failure(), testing::StartsWith("the scan could not start: "));
  int status = -1;
  EXPECT_EQ(::waitpid(*pid, &status, 0), *pid);
  EXPECT_EQ(status, 0);
}

TEST_F(ScanProgramTest, SaysWhyEtcdCannotBeRead) {
  options_.port = 1;
  EXPECT_EQ(Failure().text, "no connection: Connection refused");
  EXPECT_EQ(Failure().kind, Kind::kEtcd);
  Behaviour behaviour = With(1, 10);
  behaviour.status = grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "a text of the server");
  const FakeEtcdServer server(behaviour, TlsCredentials(authority_.Issue("IP:127.0.0.1")));
  options_.port = server.port();
  EXPECT_THAT(Failure().text, HasSubstr("access denied"));
}

TEST_F(ScanProgramTest, ShortensNoText) {
  const FakeEtcdServer server(
      With(1, 10), TlsCredentials(authority_.Issue("IP:127.0.0.1"), authority_.CertificatePem()));
  options_.certificate_file.clear();
  options_.key_file.clear();
  options_.port = server.port();
  EXPECT_THAT(Failure().text, HasSubstr("etcd may require --cert and --key"));
}

TEST_F(ScanProgramTest, IsNotRunByHand) {
  for (const char* end : {" --help", ""}) {
    const std::string command = std::string(BAOKMS_ETCD_SCAN) + end + " 2>&1 3>&-";
    FILE* out = ::popen(command.c_str(), "r");
    ASSERT_NE(out, nullptr);
    std::array<char, 256> line{};
    EXPECT_NE(std::fgets(line.data(), line.size(), out), nullptr);
    EXPECT_STREQ(line.data(),
                 "bao-kms-etcd-scan is started by bao-kms-provider; do not run it by hand\n");
    EXPECT_EQ(WEXITSTATUS(::pclose(out)), EX_USAGE);
  }
}

TEST_F(ScanProgramTest, NamesTheFlagWhoseFileCannotBeUsed) {
  directory_.Write("empty.pem", "", 0600);
  directory_.Write("readable.pem", client_.key_pem, 0644);
  directory_.Write("other.pem", authority_.Issue("DNS:client.test").key_pem, 0600);

  struct Row {
    const char* ca;
    const char* certificate;
    const char* key;
    const char* text;
  };

  const Row rows[] = {{"none.pem", "cert.pem", "key.pem", "--cacert "},
                      {"empty.pem", "cert.pem", "key.pem", "--cacert "},
                      {"ca.pem", "none.pem", "key.pem", "--cert "},
                      {"ca.pem", "empty.pem", "key.pem", "--cert holds no PEM certificate"},
                      {"ca.pem", "cert.pem", "none.pem", "--key "},
                      {"ca.pem", "cert.pem", "readable.pem", "--key "},
                      {"ca.pem", "cert.pem", "empty.pem", "--key holds no PEM private key"},
                      {"ca.pem", "cert.pem", "other.pem", "--key does not belong to --cert"}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.text);
    options_.ca_file = directory_.File(row.ca);
    options_.certificate_file = directory_.File(row.certificate);
    options_.key_file = directory_.File(row.key);
    const EtcdScanFailure failure = Failure();
    EXPECT_THAT(failure.text, testing::StartsWith(row.text));
    EXPECT_EQ(failure.kind, Kind::kFile);
  }
}

TEST_F(ScanProgramTest, SaysThatTheProgramIsMissingOrFails) {
  const EtcdScanResult missing = RunEtcdScan(options_, directory_.File("bao-kms-etcd-scan"));
  EXPECT_EQ(std::get<EtcdScanFailure>(missing).text,
            "bao-kms-etcd-scan is not installed beside bao-kms-provider");
  EXPECT_EQ(std::get<EtcdScanFailure>(missing).kind, Kind::kFile);
  EXPECT_EQ(std::get<EtcdScanFailure>(RunEtcdScan(options_, "/bin/false")).text,
            "bao-kms-etcd-scan: ended with exit code 1");
  EXPECT_EQ(std::get<EtcdScanFailure>(RunEtcdScan(options_, "/bin/true")).text,
            "bao-kms-etcd-scan: the inventory names no revision of etcd");
}

TEST(ScanMessageTest, RefusesWhatTheProgramWouldNotSend) {
  ipc::EtcdScanAnswer answer;
  EXPECT_FALSE(FromMessage(answer).has_value());
  answer.set_revision(kRevision);
  answer.add_groups()->set_key_id(std::string(contract::kMaxKeyIdRequestBytes, 'k'));
  EXPECT_TRUE(FromMessage(answer).has_value());
  answer.mutable_groups(0)->mutable_key_id()->push_back('k');
  EXPECT_FALSE(FromMessage(answer).has_value());
  answer.clear_groups();
  for (std::size_t i = 0; i <= kMaxInventoryResources; ++i) {
    EXPECT_TRUE(i < kMaxInventoryResources || FromMessage(answer).has_value());
    answer.add_resources()->set_name(std::to_string(i));
  }
  EXPECT_FALSE(FromMessage(answer).has_value());
}

}  // namespace
}  // namespace baokms::supervisor
