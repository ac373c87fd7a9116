#include <algorithm>
#include <array>
#include <limits>

#include "common/setup/limits.h"
#include "ipc/child_descriptors.h"
#include "ipc/limits.h"
#include "supervisor/config/choices.h"
#include "supervisor/config/conditions.h"
#include "supervisor/config/schema_table.h"

namespace baokms::supervisor {
namespace {

using enum Least;
using enum Reload;

// Defines both accessors of one member.
#define BAOKMS_FIELD(member)                                                   \
  {                                                                            \
    [](Config& config) -> decltype((config.member)) { return config.member; }, \
        [](const Config& config) -> decltype((config.member)) {                \
          return config.member;                                                \
        }                                                                      \
  }

#define BAOKMS_TEXT(member, rule) \
  TextField {                     \
    BAOKMS_FIELD(member), &(rule) \
  }

#define BAOKMS_CHOICE(member)                                                                 \
  ChoiceField {                                                                               \
    &WordsOf<decltype(Config{}.member)>,                                                      \
        [](Config& config, std::string_view word) { return SetChoice(config.member, word); }, \
        [](const Config& config) {                                                            \
          return WordOf(config.member);                                                       \
        }                                                                                     \
  }

template <typename E>
std::vector<std::string_view> WordsOf() {
  std::vector<std::string_view> words;
  for (const auto& choice : kChoices<E>) {
    words.push_back(choice.word);
  }
  return words;
}

// An empty text unsets a value that can be unset; any other unknown value is rejected.
template <typename E>
bool SetChoice(E& member, std::string_view word) {
  const std::optional<E> value = ParseChoice<E>(word);
  member = value.value_or(E{});
  return value || (word.empty() && WordOf(E{}).empty());
}

constexpr Need Optional(const Condition& checked) {
  return {&checked, nullptr, false};
}

constexpr Need Required(const Condition& condition) {
  return {&condition, &condition, false};
}

constexpr Need kOptional = Optional(kAlways);
constexpr Need kRequired = Required(kAlways);
constexpr Need kListed{&kAlways, &kAlways, true};
constexpr Need kPkcs11WithoutUri{&kWithPkcs11, &kWithLabels, false};

constexpr RowExtras Example(std::string_view value) {
  return {.example = value};
}

constexpr RowExtras SetBy(std::string_view flag,
                          std::string_view variable,
                          std::string_view second_variable) {
  return {.override = {flag, variable, second_variable}};
}

constexpr RowExtras kOurs{.since = Since::kOurs};

constexpr NumberRule kConcurrency{1, ipc::kMaxCallsPerMethod};

// 4294967295 is (uid_t)-1, which no process has.
constexpr NumberRule kUserId{0, 4'294'967'294};

// Ten logins per second: more than any OpenBao audit log should have to record for one node.
constexpr NumberRule kLoginBudget{0, 600};

// With two PKCS #11 sessions, one signature can be made at a time. The Go provider has no upper
// bound.
constexpr NumberRule kSessions{2, std::numeric_limits<int>::max()};

// More equal observations than this would take weeks.
constexpr NumberRule kObservations{1, 1'000'000};

constexpr NumberRule kWorkers{1, ipc::kMaxWorkers};

constexpr auto kRows = std::to_array<SchemaRow>({
    {"configVersion", BAOKMS_CHOICE(config_version), kListed, "v1alpha1", kRestart,
     "Version of the file format. It must be written in the file."},

    {"server.socketPath", BAOKMS_TEXT(server.socket_path, kSocketPath), kRequired,
     "/run/openbao-kms/kms.sock", kSealed, "Unix socket that kube-apiserver connects to."},
    {"server.socketMode", BAOKMS_TEXT(server.socket_mode, kSocketMode), kRequired, "0660", kRestart,
     "Mode of the socket. Write it in quotes."},
    {"server.socketGroup", BAOKMS_TEXT(server.socket_group, kSocketGroup), kListed, "", kRestart,
     "Group of the socket: a group name, or a decimal GID in quotes.",
     Example("openbao-kms-socket")},
    {"server.metricsAddress", BAOKMS_TEXT(server.metrics_address, kListenAddress), kOptional,
     "127.0.0.1:8081", kRestart,
     "Address on which `/metrics` is served. Empty turns the listener off.",
     SetBy("--metrics-address",
           "BAO_KMS_PROVIDER_SERVER_METRICS_ADDRESS",
           "BAO_KMS_PROVIDER_SERVER_METRICSADDRESS")},
    {"server.healthAddress", BAOKMS_TEXT(server.health_address, kListenAddress), kOptional,
     "127.0.0.1:8082", kRestart,
     "Address on which `/live` and `/ready` are served. Empty turns the listener off.",
     SetBy("--health-address",
           "BAO_KMS_PROVIDER_SERVER_HEALTH_ADDRESS",
           "BAO_KMS_PROVIDER_SERVER_HEALTHADDRESS")},
    {"server.maxConcurrentStatus",
     IntField{BAOKMS_FIELD(server.max_concurrent_status), kConcurrency}, kOptional, "16", kApplied,
     "Maximum number of concurrent Status calls; further calls are rejected."},
    {"server.maxConcurrentEncrypt",
     IntField{BAOKMS_FIELD(server.max_concurrent_encrypt), kConcurrency}, kOptional, "32", kApplied,
     "Maximum number of concurrent Encrypt calls; further calls are rejected."},
    {"server.maxConcurrentDecrypt",
     IntField{BAOKMS_FIELD(server.max_concurrent_decrypt), kConcurrency}, kOptional, "64", kApplied,
     "Maximum number of concurrent Decrypt calls; further calls are rejected."},
    {"server.allowedPeers.uids", IdListField{BAOKMS_FIELD(server.allowed_peers.uids), kUserId},
     kOptional, "", kRestart,
     "Users that may connect to the socket, as numeric ids. If both lists are empty, only the "
     "permissions of the socket decide.",
     kOurs},
    {"server.allowedPeers.gids", IdListField{BAOKMS_FIELD(server.allowed_peers.gids), kUserId},
     kOptional, "", kRestart,
     "Groups that may connect to the socket, as numeric ids. A process matches with its primary "
     "and its supplementary groups.",
     kOurs},

    {"openbao.address", BAOKMS_TEXT(openbao.address, kHttpsAddress), kListed, "", kSealed,
     "URL of OpenBao. A path is kept as a prefix; requests go to PREFIX`/v1/`..., so do not write "
     "`/v1` yourself.",
     Example("https://bao.example:8200")},
    {"openbao.additionalAddresses",
     TextListField{BAOKMS_FIELD(openbao.additional_addresses), &kHttpsAddress,
                   setup::kMaxEndpoints - 1},
     kOptional, "", kSealed,
     "Further URLs of the same OpenBao cluster, tried in order after `openbao.address`.", kOurs},
    {"openbao.namespace", BAOKMS_TEXT(openbao.openbao_namespace, kNamespace), kOptional, "",
     kSealed, "OpenBao namespace of the mounts. Part of the key identity."},
    {"openbao.caCertFile", BAOKMS_TEXT(openbao.ca_cert_file, kAbsolutePath), kListed, "", kSealed,
     "PEM bundle of the certificate authorities that are trusted for OpenBao. No others are.",
     Example("/etc/openbao-kms/tls/ca.crt")},
    {"openbao.tlsServerName", BAOKMS_TEXT(openbao.tls_server_name, kServerName), kListed, "",
     kSealed, "Name that OpenBao's certificate must be valid for. It is also sent as SNI.",
     Example("bao.example")},
    {"openbao.timeout", DurationField{BAOKMS_FIELD(openbao.timeout), kAboveZero}, kOptional, "2s",
     kRestart, "Time limit of one request to OpenBao, and of one KMS call."},
    {"openbao.instanceId", BAOKMS_TEXT(openbao.instance_id, kIdentifier), kListed, "", kSealed,
     "Name of your choice for the OpenBao installation. Part of the key identity.",
     Example("bao-eu-1")},

    {"auth.method", BAOKMS_CHOICE(auth.method), kListed, "jwt", kSealed,
     "How the provider logs in to OpenBao."},
    {"auth.loginBeforeTokenExpiry",
     DurationField{BAOKMS_FIELD(auth.login_before_token_expiry), kAboveZero, "24h"}, kOptional,
     "5m", kApplied, "How long before its expiry a token is replaced."},
    {"auth.tokenRenewalIncrement",
     DurationField{BAOKMS_FIELD(auth.token_renewal_increment), kAboveZero, "768h"}, kOptional, "1h",
     kRestart, "Lifetime that is requested when a token is renewed."},
    {"auth.loginTimeout", DurationField{BAOKMS_FIELD(auth.login_timeout), kZero, "1m"}, kOptional,
     "0s", kRestart, "Time limit of one login. 0 means the larger of `openbao.timeout` and 5s."},
    {"auth.loginBudgetPerMinute",
     IntField{BAOKMS_FIELD(auth.login_budget_per_minute), kLoginBudget}, kOptional, "0", kRestart,
     "Maximum number of logins per minute of all workers together. 0 means the larger of 12 and "
     "three per worker.",
     kOurs},
    {"auth.jwt.source", BAOKMS_CHOICE(auth.jwt.source), Required(kWithJwt), "", kSealed,
     "Where the JWT comes from. You may leave it out if `jwtFile` is set and `oauth2` is not; it "
     "then is `file`.",
     Example("file")},
    {"auth.jwt.mountPath", BAOKMS_TEXT(auth.jwt.mount_path, kMountPath), Required(kWithJwt), "",
     kSealed, "Path of the JWT auth mount, including `auth/`.", Example("auth/k8s-blue-jwt")},
    {"auth.jwt.role", BAOKMS_TEXT(auth.jwt.role, kIdentifier), Required(kWithJwt), "", kSealed,
     "OpenBao role to log in with.", Example("kms-control-plane")},
    {"auth.jwt.jwtFile", BAOKMS_TEXT(auth.jwt.jwt_file, kCredentialPath), Required(kWithJwtFile),
     "", kSealed, "File that contains the JWT. It is read again at each login.",
     Example("/var/lib/openbao-kms/identity.jwt")},
    {"auth.jwt.minRemainingTtl",
     DurationField{BAOKMS_FIELD(auth.jwt.min_remaining_ttl), kAboveZero, "24h"}, Optional(kWithJwt),
     "2m", kSealed, "A JWT that expires sooner than this is not used."},
    {"auth.jwt.clockSkewLeeway",
     DurationField{BAOKMS_FIELD(auth.jwt.clock_skew_leeway), kZero, "5m"}, Optional(kWithJwt),
     "30s", kSealed, "Clock difference that is tolerated in the time claims."},
    {"auth.jwt.expectedIssuer", BAOKMS_TEXT(auth.jwt.expected_issuer, kIdentifier),
     Optional(kWithJwt), "", kSealed,
     "Issuer that the JWT must have. Empty: not checked. Required with source `oauth2`."},
    {"auth.jwt.expectedAudience",
     TextListField{BAOKMS_FIELD(auth.jwt.expected_audience), &kIdentifier}, Optional(kWithJwt), "",
     kSealed,
     "Audiences of which the JWT must have at least one. Empty: not checked. Required with source "
     "`oauth2`."},
    {"auth.jwt.expectedSubject", BAOKMS_TEXT(auth.jwt.expected_subject, kIdentifier),
     Optional(kWithJwt), "", kSealed, "Subject that the JWT must have. Empty: not checked."},
    {"auth.jwt.oauth2.tokenUrl", BAOKMS_TEXT(auth.jwt.oauth2.token_url, kTokenUrl),
     Required(kWithOAuth2), "", kSealed, "Token endpoint of the authorization server."},
    {"auth.jwt.oauth2.clientId", BAOKMS_TEXT(auth.jwt.oauth2.client_id, kNoControl),
     Required(kWithOAuth2), "", kSealed, "OAuth 2.0 client id."},
    {"auth.jwt.oauth2.clientSecretFile",
     BAOKMS_TEXT(auth.jwt.oauth2.client_secret_file, kCredentialPath), Required(kWithOAuth2), "",
     kSealed, "File that contains the client secret. It is read again for each grant."},
    {"auth.jwt.oauth2.authMethod", BAOKMS_CHOICE(auth.jwt.oauth2.auth_method),
     Required(kWithOAuth2), "", kSealed, "How the client authenticates to the token endpoint."},
    {"auth.jwt.oauth2.scopes", TextListField{BAOKMS_FIELD(auth.jwt.oauth2.scopes), &kScope},
     Optional(kWithOAuth2), "", kSealed, "Scopes to request."},
    {"auth.jwt.oauth2.audience", BAOKMS_TEXT(auth.jwt.oauth2.audience, kNoControl),
     Optional(kWithOAuth2), "", kSealed, "Audience to request."},
    {"auth.jwt.oauth2.resources",
     TextListField{BAOKMS_FIELD(auth.jwt.oauth2.resources), &kAbsoluteUri}, Optional(kWithOAuth2),
     "", kSealed, "Resource indicators (RFC 8707) to request."},
    {"auth.jwt.oauth2.caCertFile", BAOKMS_TEXT(auth.jwt.oauth2.ca_cert_file, kAbsolutePath),
     Optional(kWithOAuth2), "", kSealed,
     "PEM bundle of the certificate authorities that are trusted for the token endpoint. Empty: "
     "those of the system."},
    {"auth.cert.mountPath", BAOKMS_TEXT(auth.cert.mount_path, kMountPath), Required(kWithCert), "",
     kSealed, "Path of the certificate auth mount, including `auth/`.",
     Example("auth/k8s-blue-cert")},
    {"auth.cert.name", BAOKMS_TEXT(auth.cert.name, kIdentifier), Optional(kWithCert), "", kSealed,
     "Certificate role to log in with. Empty: OpenBao tries every role."},
    {"auth.cert.minRemainingTtl",
     DurationField{BAOKMS_FIELD(auth.cert.min_remaining_ttl), kAboveZero, "2160h"},
     Optional(kWithCert), "24h", kSealed,
     "A certificate that expires sooner than this is not used."},
    {"auth.cert.clockSkewLeeway",
     DurationField{BAOKMS_FIELD(auth.cert.clock_skew_leeway), kZero, "5m"}, Optional(kWithCert),
     "30s", kSealed,
     "Clock difference that is tolerated in the validity period of the certificate."},
    {"auth.cert.source", BAOKMS_CHOICE(auth.cert.source), Required(kWithCert), "", kSealed,
     "Where the private key of the client is. `spiffe` is known to the file format but not "
     "supported.",
     Example("pkcs11")},
    {"auth.cert.pkcs11.certificateFile",
     BAOKMS_TEXT(auth.cert.pkcs11.certificate_file, kAbsolutePath), Required(kWithPkcs11), "",
     kSealed, "PEM certificate chain, leaf first. It is read again at each login.",
     Example("/etc/openbao-kms/client/client-chain.pem")},
    {"auth.cert.pkcs11.modulePath", BAOKMS_TEXT(auth.cert.pkcs11.module_path, kAbsolutePath),
     kPkcs11WithoutUri, "", kSealed, "PKCS #11 module. Only the auth agent loads it.",
     Example("/usr/lib/softhsm/libsofthsm2.so")},
    {"auth.cert.pkcs11.tokenLabel", BAOKMS_TEXT(auth.cert.pkcs11.token_label, kTokenLabel),
     kPkcs11WithoutUri, "", kSealed, "Label of the token.", Example("openbao-kms")},
    {"auth.cert.pkcs11.keyLabel", BAOKMS_TEXT(auth.cert.pkcs11.key_label, kIdentifier),
     kPkcs11WithoutUri, "", kSealed, "Label of the private key.", Example("openbao-kms-client")},
    {"auth.cert.pkcs11.pinFile", BAOKMS_TEXT(auth.cert.pkcs11.pin_file, kCredentialPath),
     kPkcs11WithoutUri, "", kSealed,
     "File that contains the PIN. It is read when a session is opened.",
     Example("/etc/openbao-kms/pkcs11/pin")},
    {"auth.cert.pkcs11.maxSessions",
     IntField{BAOKMS_FIELD(auth.cert.pkcs11.max_sessions), kSessions}, Required(kWithPkcs11), "0",
     kSealed,
     "Maximum number of PKCS #11 sessions. The provider uses one session and makes one signature "
     "at a time, so values above 2 have no effect and cause a warning.",
     Example("2")},
    {"auth.cert.pkcs11.uri", BAOKMS_TEXT(auth.cert.pkcs11.uri, kPkcs11Uri), Optional(kWithPkcs11),
     "", kSealed,
     "PKCS #11 URI (RFC 7512) of the private key, instead of `tokenLabel` and `keyLabel`. "
     "`module-path` and `pin-source` in the URI replace `modulePath` and `pinFile`; `pin-value` is "
     "refused.",
     kOurs},
    {"auth.cert.pkcs11.environment",
     TextListField{BAOKMS_FIELD(auth.cert.pkcs11.environment), &kVariableName},
     Optional(kWithPkcs11), "", kSealed,
     "Names of environment variables that are passed on to the module.", kOurs},
    {"auth.cert.pkcs11.stateDirectory",
     BAOKMS_TEXT(auth.cert.pkcs11.state_directory, kAbsolutePath), Optional(kWithPkcs11), "",
     kSealed, "The only directory that the module may write to. Empty: it cannot write anywhere.",
     kOurs},
    {"auth.cert.pkcs11.network", BAOKMS_CHOICE(auth.cert.pkcs11.network), Optional(kWithPkcs11),
     "none", kSealed,
     "Sockets that the module may open: none, Unix sockets, or Unix and Internet sockets.", kOurs},
    {"auth.cert.spiffe.workloadAPISocket",
     BAOKMS_TEXT(auth.cert.spiffe.workload_api_socket, kSpiffeSocket), Optional(kWithSpiffe), "",
     kSealed,
     "Known to the file format, but without effect: the source `spiffe` is not supported."},
    {"auth.cert.spiffe.spiffeID", BAOKMS_TEXT(auth.cert.spiffe.spiffe_id, kSpiffeId),
     Optional(kWithSpiffe), "", kSealed, "As above."},
    {"auth.cert.spiffe.trustDomain", BAOKMS_TEXT(auth.cert.spiffe.trust_domain, kIdentifier),
     Optional(kWithSpiffe), "", kSealed, "As above."},

    {"transit.mountPath", BAOKMS_TEXT(transit.mount_path, kMountPath), kListed, "", kSealed,
     "Path of the Transit mount. Part of the identity that the state file is bound to.",
     Example("transit-k8s")},
    {"transit.keyName", BAOKMS_TEXT(transit.key_name, kKeyName), kListed, "", kSealed,
     "Name of the Transit key. Part of the identity that the state file is bound to.",
     Example("k8s-blue-etcd")},
    {"transit.keyIdScope.providerName",
     BAOKMS_TEXT(transit.key_id_scope.provider_name, kIdentifier), kListed, "", kSealed,
     "Must equal the `name` of the `kms` provider in the API server's EncryptionConfiguration. "
     "Part of the key identity.",
     Example("openbao-kms-blue")},
    {"transit.keyIdScope.clusterId", BAOKMS_TEXT(transit.key_id_scope.cluster_id, kIdentifier),
     kListed, "", kSealed,
     "Name of your choice for the Kubernetes cluster. Part of the key identity.", Example("blue")},
    {"transit.keyIdScope.transitMountId",
     BAOKMS_TEXT(transit.key_id_scope.transit_mount_id, kIdentifier), kListed, "", kSealed,
     "Name of your choice for the Transit mount. Part of the key identity.",
     Example("transit-k8s-primary")},
    {"transit.keyIdScope.keyLineageId",
     BAOKMS_TEXT(transit.key_id_scope.key_lineage_id, kIdentifier), kListed, "", kSealed,
     "Name of your choice for this key with all its versions. Never use it again for another key. "
     "Part of the key identity.",
     Example("3f6c1b0a9d5e4f7788aa00112233445f")},

    {"bootstrap.graceTimeout", DurationField{BAOKMS_FIELD(bootstrap.grace_timeout), kZero, "15m"},
     kOptional, "60s", kRestart,
     "An error is logged if no probe succeeds within this time after the start."},
    {"bootstrap.retryInterval", DurationField{BAOKMS_FIELD(bootstrap.retry_interval), kAboveZero},
     kOptional, "5s", kRestart, "Time between two probes until the first one succeeds."},

    {"status.probeInterval", DurationField{BAOKMS_FIELD(status.probe_interval), kAboveZero, "5m"},
     kOptional, "30s", kRestart, "Time between two probes that read the key's metadata."},
    {"status.deepProbeInterval",
     DurationField{BAOKMS_FIELD(status.deep_probe_interval), kAboveZero, "1h"}, kOptional, "5m",
     kRestart, "Time between two probes that encrypt and decrypt."},
    {"status.statusMaxStaleness",
     DurationField{BAOKMS_FIELD(status.max_staleness), kAboveZero, "15m"}, kOptional, "2m",
     kRestart, "Status stops reporting healthy if the last good probe is older than this."},

    {"state.path", BAOKMS_TEXT(state.path, kStatePath), kRequired,
     "/var/lib/openbao-kms/state/key-registry.json", kSealed,
     "State file with the key registry. Its checkpoint and its lock are kept in the same "
     "directory."},

    {"rotation.mode", BAOKMS_CHOICE(rotation.mode), kRequired, "observed", kRestart,
     "The provider observes rotations of the key; it does not start them."},
    {"rotation.activationDelay",
     DurationField{BAOKMS_FIELD(rotation.activation_delay), kAboveZero, "24h"}, kOptional, "2m",
     kRestart, "How long after it was first seen a new key version is taken into use."},
    {"rotation.requireStableObservationCount",
     IntField{BAOKMS_FIELD(rotation.require_stable_observation_count), kObservations}, kOptional,
     "3", kRestart,
     "How often a new key version must be observed unchanged before it is taken into use."},
    {"rotation.rejectVersionRollback", BoolField{BAOKMS_FIELD(rotation.reject_version_rollback)},
     kOptional, "true", kRestart,
     "A rollback of the key version is always rejected; `false` has no effect."},

    {"logging.level", BAOKMS_CHOICE(logging.level), kRequired, "info", kApplied,
     "Lowest severity that is logged.",
     SetBy("--log-level", "BAO_KMS_PROVIDER_LOG_LEVEL", "BAO_KMS_PROVIDER_LOGGING_LEVEL")},
    {"logging.format", BAOKMS_CHOICE(logging.format), kRequired, "json", kRestart,
     "Format of the log lines."},
    {"logging.logOpenBaoRequestIDs", BoolField{BAOKMS_FIELD(logging.log_openbao_request_ids)},
     kOptional, "true", kRestart, "Whether OpenBao's request ids may be logged."},
    {"logging.debugCorrelation.enabled", BoolField{BAOKMS_FIELD(logging.debug_correlation.enabled)},
     kOptional, "false", kRestart,
     "Turns incident mode on, which adds correlation ids to the log."},
    {"logging.debugCorrelation.ttl",
     DurationField{BAOKMS_FIELD(logging.debug_correlation.ttl), kAny}, kOptional, "15m", kRestart,
     "Incident mode ends this long after the start. At most 1h."},
    {"logging.debugCorrelation.incidentId",
     BAOKMS_TEXT(logging.debug_correlation.incident_id, kIdentifier), kOptional, "", kRestart,
     "Ticket number or other name of the incident, at most 64 bytes."},

    {"isolation.workers", IntField{BAOKMS_FIELD(isolation.workers), kWorkers}, kOptional, "2",
     kRestart, "Number of worker processes. Each one holds an OpenBao token and talks to OpenBao.",
     kOurs},
    {"isolation.separateUsers", BAOKMS_CHOICE(isolation.separate_users), kOptional, "auto", kSealed,
     "Whether each role runs as a user of its own: if the provider was started with CAP_SETUID and "
     "CAP_SETGID (`auto`), or never (`off`). With `require` it does not start without them.",
     kOurs},
    {"isolation.supervisorUser", BAOKMS_TEXT(isolation.supervisor_user, kUserOrNone), kOptional, "",
     kSealed,
     "User that the supervisor changes to if it was started as uid 0 with CAP_SETUID and "
     "CAP_SETGID. Empty: owner and group of the directory of `state.path`.",
     kOurs},
    {"isolation.workerUser", BAOKMS_TEXT(isolation.worker_user, kUser), kOptional,
     "openbao-kms-worker", kSealed, "User of all workers, if each role has a user of its own.",
     kOurs},
    {"isolation.workerUsers", TextListField{BAOKMS_FIELD(isolation.worker_users), &kUser},
     kOptional, "", kSealed,
     "A user for each worker, in the order of their slots, instead of `workerUser`.", kOurs},
    {"isolation.authAgentUser", BAOKMS_TEXT(isolation.auth_agent_user, kUser), kOptional,
     "openbao-kms-auth", kSealed, "User of the auth agent, if each role has a user of its own.",
     kOurs},
    {"isolation.landlock", BAOKMS_CHOICE(isolation.landlock), kOptional, "best-effort", kSealed,
     "Whether the supervisor and the auth agent give up all files and ports that they do not need: "
     "where the kernel has Landlock (`best-effort`), or never (`off`). With `require` the provider "
     "does not start without it.",
     kOurs},
    {"isolation.verifyDecrypt", BAOKMS_CHOICE(isolation.verify_decrypt), kOptional, "sample",
     kRestart,
     "Whether a second worker checks the plaintext that one worker returns before the client gets "
     "it: never, in a sample, or always.",
     kOurs},
});

struct SectionText {
  std::string_view key;
  std::string_view text;
};

constexpr std::array<SectionText, 19> kSections{{
    {"", "bao-kms-provider configuration"},
    {"server", "The KMS socket and the HTTP listeners."},
    {"server.allowedPeers", "Which users and groups may connect to the socket."},
    {"openbao", "The OpenBao cluster and how it is reached."},
    {"auth", "How the provider logs in and keeps its tokens valid."},
    {"auth.jwt", "JWT login. Only checked with `auth.method: jwt`."},
    {"auth.jwt.oauth2", "OAuth 2.0 client credentials grant. Only allowed with source `oauth2`."},
    {"auth.cert", "Login with a client certificate. Only checked with `auth.method: cert`."},
    {"auth.cert.pkcs11", "A client key in a PKCS #11 token."},
    {"auth.cert.spiffe", "A client key from a SPIFFE agent, which is not supported."},
    {"transit", "The encryption key in OpenBao Transit."},
    {"transit.keyIdScope",
     "The names that key ids are derived from. Never change them for a key in use."},
    {"bootstrap", "How long the provider waits for OpenBao at start-up."},
    {"status", "How often OpenBao is probed, and how long a result counts."},
    {"state", "The state that the provider keeps on this node."},
    {"rotation", "How new key versions are taken into use."},
    {"logging", "What is logged, and how."},
    {"logging.debugCorrelation", "Incident mode: correlation ids in the log for a limited time."},
    {"isolation", "The processes that the provider consists of."},
}};

#undef BAOKMS_FIELD
#undef BAOKMS_TEXT
#undef BAOKMS_CHOICE

}  // namespace

std::span<const SchemaRow> SchemaTable() {
  return kRows;
}

std::string_view SectionDescription(std::string_view key) {
  const auto* found = std::ranges::find(kSections, key, &SectionText::key);
  return found == kSections.end() ? std::string_view() : found->text;
}

}  // namespace baokms::supervisor
