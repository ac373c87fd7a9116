// Certificates made on the spot: an authority and server certificates under it.

#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace baokms::openbao {

struct ServerIdentity {
  std::string certificate_pem;
  std::string key_pem;
};

class TestAuthority final {
 public:
  explicit TestAuthority(std::string_view name);
  ~TestAuthority();
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  [[nodiscard]] std::string CertificatePem() const;

  // `alternative_name` as OpenSSL writes it: "DNS:bao.test" or "IP:192.0.2.7".
  [[nodiscard]] ServerIdentity Issue(const std::string& alternative_name) const;

  // The same, but over since yesterday.
  [[nodiscard]] ServerIdentity IssueExpired(const std::string& alternative_name) const;

 private:
  struct Parts;

  std::unique_ptr<Parts> parts_;
};

}  // namespace baokms::openbao
