#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "supervisor/config/reference.h"
#include "supervisor/config/schema_table.h"
#include "tests/base/test_data.h"
#include "tests/supervisor/config/config_texts.h"

namespace baokms::supervisor {
namespace {

using nlohmann::json;
using testing::IsEmpty;

// The two examples of the format's description, the second without its optional namespace changed.
constexpr std::string_view kJwtExample = R"(configVersion: v1alpha1
server:
  socketPath: /run/openbao-kms/kms.sock
  socketMode: "0660"
  socketGroup: openbao-kms-socket
  metricsAddress: 127.0.0.1:8081
  healthAddress: 127.0.0.1:8082
openbao:
  address: https://bao.corp.example:8200
  caCertFile: /etc/openbao-kms/tls/ca.crt
  tlsServerName: bao.corp.example
  instanceId: bao-eu-1
auth:
  method: jwt
  jwt:
    source: file
    mountPath: auth/k8s-blue-jwt
    role: kms-control-plane
    jwtFile: /var/lib/openbao-kms/identity.jwt
    expectedIssuer: https://issuer.corp.example
    expectedAudience: ["bao-kms-provider"]
    expectedSubject: "system:openbao-kms:blue"
transit:
  mountPath: transit-k8s
  keyName: k8s-blue-etcd
  keyIdScope:
    providerName: openbao-kms-blue
    clusterId: blue
    transitMountId: transit-k8s-primary
    keyLineageId: "3f6c1b0a9d5e4f7788aa00112233445f"
)";

constexpr std::string_view kPkcs11Example = R"(configVersion: v1alpha1
server: {socketPath: /run/openbao-kms/kms.sock, socketMode: "0660", socketGroup: "987"}
openbao:
  address: https://bao.corp.example:8200
  namespace: admin/blue
  caCertFile: /etc/openbao-kms/tls/ca.crt
  tlsServerName: bao.corp.example
  timeout: 2s
  instanceId: bao-eu-1
auth:
  method: cert
  loginBeforeTokenExpiry: 3m
  tokenRenewalIncrement: 20m
  loginTimeout: 8s
  cert:
    mountPath: auth/k8s-blue-cert
    name: kms-control-plane
    minRemainingTtl: 24h
    source: pkcs11
    pkcs11:
      certificateFile: /etc/openbao-kms/client/client-chain.pem
      modulePath: /usr/lib/softhsm/libsofthsm2.so
      tokenLabel: openbao-kms
      keyLabel: openbao-kms-client
      pinFile: /etc/openbao-kms/pkcs11/pin
      maxSessions: 4
transit:
  mountPath: transit-k8s
  keyName: k8s-blue-etcd
  keyIdScope:
    providerName: openbao-kms-blue
    clusterId: blue
    transitMountId: transit-k8s-primary
    keyLineageId: "3f6c1b0a9d5e4f7788aa00112233445f"
)";

TEST(ExamplesTest, AreValid) {
  EXPECT_THAT(ProblemsOf(kJwtExample), IsEmpty());
  EXPECT_THAT(ProblemsOf(kPkcs11Example), IsEmpty());
  EXPECT_EQ(Load(kPkcs11Example).document.config.openbao.openbao_namespace, "admin/blue");
}

TEST(ExamplesTest, GeneratedOnesAreValid) {
  for (const AuthMethodTraits& traits : kAuthMethods) {
    EXPECT_THAT(ProblemsOf(ExampleYaml(traits.value)), IsEmpty()) << traits.word;
  }
}

TEST(ReferenceTest, DocumentationIsWhatTheTableSays) {
  std::ifstream file(TestDataPath("../docs/config.md"));
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), ReferenceMarkdown())
      << "run: bao-kms-provider config reference > docs/config.md";
}

TEST(ReferenceTest, NamesEveryKey) {
  const std::string text = ReferenceMarkdown();
  for (const SchemaRow& row : SchemaTable()) {
    EXPECT_NE(text.find(std::string("| `").append(row.key).append("` |")), std::string::npos)
        << row.key;
    EXPECT_FALSE(row.description.empty()) << row.key;
  }
}

class JsonSchemaTest : public testing::Test {
 protected:
  const json& At(std::string_view key) const {
    const json* at = &schema_;
    for (std::size_t from = 0; from <= key.size();) {
      const std::size_t dot = std::min(key.find('.', from), key.size());
      at = &at->at("properties").at(std::string(key.substr(from, dot - from)));
      from = dot + 1;
    }
    return *at;
  }

  std::set<std::string> Required(const json& object) const {
    return object.value("required", std::set<std::string>());
  }

  const json schema_ = json::parse(JsonSchema());
};

TEST_F(JsonSchemaTest, HasTheDocumentedHead) {
  EXPECT_EQ(schema_["$schema"], "https://json-schema.org/draft/2020-12/schema");
  EXPECT_EQ(schema_["$id"], "https://github.com/dc-tec/openbao-kubernetes-kms/config.schema.json");
  EXPECT_EQ(schema_["title"], "bao-kms-provider configuration");
  EXPECT_EQ(Required(schema_),
            (std::set<std::string>{"configVersion", "server", "openbao", "auth", "transit"}));
  EXPECT_EQ(Required(At("server")), (std::set<std::string>{"socketGroup"}));
  EXPECT_EQ(Required(At("openbao")),
            (std::set<std::string>{"address", "caCertFile", "tlsServerName", "instanceId"}));
  EXPECT_EQ(Required(At("auth")), (std::set<std::string>{"method"}));
  EXPECT_EQ(Required(At("transit")), (std::set<std::string>{"mountPath", "keyName", "keyIdScope"}));
  EXPECT_EQ(Required(At("transit.keyIdScope")),
            (std::set<std::string>{"providerName", "clusterId", "transitMountId", "keyLineageId"}));
}

TEST_F(JsonSchemaTest, KnowsEveryKeyAndNoOther) {
  std::size_t keys = 0;
  const auto visit = [&](const auto& self, const json& object) -> void {
    EXPECT_EQ(object.at("additionalProperties"), false);
    for (const auto& [name, child] : object.at("properties").items()) {
      if (child.at("type") == "object") {
        self(self, child);
      } else {
        ++keys;
      }
    }
  };
  visit(visit, schema_);
  EXPECT_EQ(keys, SchemaTable().size());
  for (const SchemaRow& row : SchemaTable()) {
    EXPECT_EQ(At(row.key).at("description"), row.description);
  }
}

TEST_F(JsonSchemaTest, DescribesTypesRangesAndDefaults) {
  EXPECT_EQ(At("server.socketMode").at("pattern"), "^0*[0246]{0,2}0$");
  EXPECT_EQ(At("server.socketMode").at("default"), "0660");
  EXPECT_EQ(At("openbao.timeout").at("type"), "string");
  EXPECT_FALSE(At("openbao.timeout").contains("pattern"));
  EXPECT_EQ(At("server.maxConcurrentStatus").at("minimum"), 1);
  EXPECT_EQ(At("server.maxConcurrentStatus").at("maximum"), 1024);
  EXPECT_EQ(At("server.maxConcurrentStatus").at("default"), 16);
  EXPECT_FALSE(At("auth.cert.pkcs11.maxSessions").contains("default"));
  EXPECT_EQ(At("auth.method").at("enum"), (json{"jwt", "cert"}));
  EXPECT_EQ(At("rotation.rejectVersionRollback").at("default"), true);
  EXPECT_EQ(At("server.allowedPeers.uids").at("items").at("maximum"), 4294967294U);
  EXPECT_EQ(At("openbao.additionalAddresses").at("items").at("type"), "string");
}

}  // namespace
}  // namespace baokms::supervisor
