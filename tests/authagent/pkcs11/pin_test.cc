// The PIN file and the tag that stands for a PIN.

#include "authagent/pkcs11/pin.h"

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "authagent/secret_file.h"
#include "common/base/secret_buffer.h"
#include "ipc/limits.h"

namespace baokms::authagent {
namespace {

namespace fs = std::filesystem;

class PinFileTest : public testing::Test {
 protected:
  PinFileTest() {
    std::string name = "/tmp/pin_XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }

  ~PinFileTest() override { fs::remove_all(folder_); }

  [[nodiscard]] std::string Write(std::string_view content,
                                  fs::perms mode = fs::perms::owner_read) const {
    const fs::path path = folder_ / "pin";
    fs::remove(path);
    std::ofstream(path) << content;
    fs::permissions(path, mode);
    return path.string();
  }

 private:
  fs::path folder_;
};

SecretRead Read(const std::string& path) {
  return ReadPinFile("auth.cert.pkcs11.pinFile", {path, ::geteuid()});
}

TEST_F(PinFileTest, ReadsOneLineWithoutItsEnd) {
  for (const char* content : {"1234", "1234\n", "1234\r\n", "1234\n\n"}) {
    const SecretRead pin = Read(Write(content));
    EXPECT_EQ(pin.reason, "");
    EXPECT_EQ(pin.secret.RevealText(), "1234");
  }
  EXPECT_EQ(Read(Write(" with blanks \n")).secret.RevealText(), " with blanks ");
}

TEST_F(PinFileTest, RefusesEverythingElse) {
  for (const std::string_view content : {std::string_view(""), std::string_view("\n"),
                                         std::string_view("12\n34"), std::string_view("12\r34"),
                                         std::string_view("12\0"
                                                          "34",
                                                          5)}) {
    const SecretRead pin = Read(Write(content));
    EXPECT_TRUE(pin.is_content);
    EXPECT_EQ(pin.secret.RevealText(), "");
  }
  EXPECT_EQ(Read(Write("12\n34")).reason,
            "invalid_content: auth.cert.pkcs11.pinFile: has a NUL or more than one line; write the "
            "PIN alone into it");
  EXPECT_EQ(Read(Write(std::string(kMaxPinFile, '1'))).reason, "");
  EXPECT_EQ(Read(Write(std::string(kMaxPinFile + 1, '1'))).reason,
            "file_too_large: auth.cert.pkcs11.pinFile: is larger than 4096 bytes; check what "
            "writes it");
  EXPECT_EQ(Read(Write("1234", fs::perms::owner_read | fs::perms::others_read)).reason,
            "unsafe_permissions: auth.cert.pkcs11.pinFile: mode 0404, at most 0640 is allowed; run "
            "chmod 0400 FILE");
}

TEST_F(PinFileTest, RefusesAByteOrderMarkThatTheTokenWouldCountAsPartOfThePin) {
  for (const std::string_view content : {std::string_view("\xEF\xBB\xBF"
                                                          "1234\n"),
                                         std::string_view("\xFF\xFE"
                                                          "1\0"
                                                          "2\0",
                                                          6),
                                         std::string_view("\xFE\xFF\0"
                                                          "1\0"
                                                          "2",
                                                          6)}) {
    EXPECT_EQ(Read(Write(content)).reason,
              "invalid_content: auth.cert.pkcs11.pinFile: begins with a byte order mark; write the "
              "PIN alone into it");
  }
}

std::uint16_t TagOf(std::string_view salt, std::string_view pin) {
  std::vector<std::uint8_t> bytes(pin.begin(), pin.end());
  const SecretBuffer secret = *SecretBuffer::TakeFrom(bytes);
  return *PinTag({reinterpret_cast<const std::uint8_t*>(salt.data()), salt.size()}, secret);
}

// Who has the salt and the tag must consider one PIN in 16.
TEST(PinTagTest, DisclosesFourBits) {
  std::set<std::uint16_t> tags;
  for (int pin = 0; pin < 1000; ++pin) {
    tags.insert(TagOf("salt", std::to_string(pin)));
  }
  EXPECT_EQ(tags.size(), 16U);
  for (const std::uint16_t tag : tags) {
    EXPECT_EQ(tag & ~ipc::kPinTagBits, 0);
  }
}

TEST(PinTagTest, DependsOnPinAndSalt) {
  EXPECT_EQ(TagOf("salt", "1234"), TagOf("salt", "1234"));
  EXPECT_NE(TagOf("salt", "1234"), TagOf("salt", "1235"));
  EXPECT_NE(TagOf("salt", "1234"), TagOf("tlas", "1234"));
  // SHA-256("salt1234") begins with ea32 (computed with sha256sum).
  EXPECT_EQ(TagOf("salt", "1234"), 0xe000);
}

}  // namespace
}  // namespace baokms::authagent
