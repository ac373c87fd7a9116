#include <array>

#include "supervisor/config/schema_table.h"

namespace baokms::supervisor {
namespace {

// The two accessors of one member, written once.
#define BAOKMS_FIELD(member)                                                   \
  {                                                                            \
    [](Config& config) -> decltype((config.member)) { return config.member; }, \
        [](const Config& config) -> decltype((config.member)) {                \
          return config.member;                                                \
        }                                                                      \
  }
#define BAOKMS_TEXT(member) TextField BAOKMS_FIELD(member)
#define BAOKMS_INT(member) IntField BAOKMS_FIELD(member)
#define BAOKMS_BOOL(member) BoolField BAOKMS_FIELD(member)
#define BAOKMS_DURATION(member) DurationField BAOKMS_FIELD(member)
#define BAOKMS_TEXTS(member) TextListField BAOKMS_FIELD(member)
#define BAOKMS_IDS(member) IdListField BAOKMS_FIELD(member)

constexpr Rule Is(RuleKind kind) {
  return {.kind = kind};
}

constexpr Rule Range(std::int64_t min, std::int64_t max) {
  return {.kind = RuleKind::kRange, .min = min, .max = max};
}

constexpr Rule OneOf(std::string_view choices) {
  return {.kind = RuleKind::kOneOf, .choices = choices};
}

constexpr Rule kAny = Is(RuleKind::kAny);
constexpr Rule kId = Is(RuleKind::kIdentifier);
constexpr Rule kMount = Is(RuleKind::kMountPath);
constexpr Rule kPath = Is(RuleKind::kAbsolutePath);
constexpr Rule kCredential = Is(RuleKind::kCredentialPath);
constexpr Rule kListen = Is(RuleKind::kListenAddress);
constexpr Rule kPositive = Is(RuleKind::kPositive);
constexpr Rule kNotNegative = Is(RuleKind::kNotNegative);

// A call per second and client of each kind is already far above what one API server sends.
constexpr Rule kConcurrency = Range(1, 1024);

// 4294967295 is (uid_t)-1, which no process has.
constexpr Rule kUserId = Range(0, 4'294'967'294);

// Ten logins a second: more than any OpenBao audit log should have to take from one node.
constexpr Rule kLoginBudget = Range(0, 600);

constexpr auto kRows = std::to_array<SchemaRow>({
    {"configVersion", BAOKMS_TEXT(config_version), Need::kRequired, OneOf("v1alpha1"), "v1alpha1",
     "Version of the file format. Must be present in the file.", ""},

    {"server.socketPath", BAOKMS_TEXT(server.socket_path), Need::kRequired,
     Is(RuleKind::kSocketPath), "/run/openbao-kms/kms.sock",
     "Unix socket that kube-apiserver connects to.", ""},
    {"server.socketMode", BAOKMS_TEXT(server.socket_mode), Need::kRequired,
     Is(RuleKind::kSocketMode), "0660", "Mode of the socket, in quotes.", ""},
    {"server.socketGroup", BAOKMS_TEXT(server.socket_group), Need::kRequired,
     Is(RuleKind::kSocketGroup), "", "Group of the socket: a name, or a decimal GID in quotes.",
     "openbao-kms-socket"},
    {"server.metricsAddress", BAOKMS_TEXT(server.metrics_address), Need::kOptional, kListen,
     "127.0.0.1:8081", "Listener of `/metrics`; empty turns it off.", ""},
    {"server.healthAddress", BAOKMS_TEXT(server.health_address), Need::kOptional, kListen,
     "127.0.0.1:8082", "Listener of `/live` and `/ready`; empty turns it off.", ""},
    {"server.maxConcurrentStatus", BAOKMS_INT(server.max_concurrent_status), Need::kOptional,
     kConcurrency, "16", "Status calls at work at once; more are refused.", ""},
    {"server.maxConcurrentEncrypt", BAOKMS_INT(server.max_concurrent_encrypt), Need::kOptional,
     kConcurrency, "32", "Encrypt calls at work at once; more are refused.", ""},
    {"server.maxConcurrentDecrypt", BAOKMS_INT(server.max_concurrent_decrypt), Need::kOptional,
     kConcurrency, "64", "Decrypt calls at work at once; more are refused.", ""},
    {"server.allowedPeers.uids", BAOKMS_IDS(server.allowed_peers.uids), Need::kOptional, kUserId,
     "", "User ids that may connect. With uids and gids empty, file permissions decide alone.", "",
     Since::kOurs},
    {"server.allowedPeers.gids", BAOKMS_IDS(server.allowed_peers.gids), Need::kOptional, kUserId,
     "", "Group ids that may connect, primary or supplementary.", "", Since::kOurs},

    {"openbao.address", BAOKMS_TEXT(openbao.address), Need::kRequired, Is(RuleKind::kHttpsAddress),
     "", "URL of OpenBao. A path prefix is kept.", "https://bao.example:8200"},
    {"openbao.additionalAddresses", BAOKMS_TEXTS(openbao.additional_addresses), Need::kOptional,
     Is(RuleKind::kHttpsAddress), "",
     "Further URLs of the same cluster, tried in order after `openbao.address`.", "", Since::kOurs},
    {"openbao.namespace", BAOKMS_TEXT(openbao.openbao_namespace), Need::kOptional,
     Is(RuleKind::kNamespace), "", "OpenBao namespace. Part of the key identity.", ""},
    {"openbao.caCertFile", BAOKMS_TEXT(openbao.ca_cert_file), Need::kRequired, kPath, "",
     "PEM bundle with the only certificate authorities trusted for OpenBao.",
     "/etc/openbao-kms/tls/ca.crt"},
    {"openbao.tlsServerName", BAOKMS_TEXT(openbao.tls_server_name), Need::kRequired, kId, "",
     "Name that OpenBao's certificate must carry.", "bao.example"},
    {"openbao.timeout", BAOKMS_DURATION(openbao.timeout), Need::kOptional, kPositive, "2s",
     "Limit of one OpenBao request and of one KMS call.", ""},
    {"openbao.instanceId", BAOKMS_TEXT(openbao.instance_id), Need::kRequired, kId, "",
     "Label of the OpenBao installation. Part of the key identity.", "bao-eu-1"},

    {"auth.method", BAOKMS_TEXT(auth.method), Need::kRequired, OneOf("jwt|cert"), "jwt",
     "How the provider logs in to OpenBao.", ""},
    {"auth.loginBeforeTokenExpiry", BAOKMS_DURATION(auth.login_before_token_expiry),
     Need::kOptional, kPositive, "5m", "A token is replaced this long before it expires.", ""},
    {"auth.tokenRenewalIncrement", BAOKMS_DURATION(auth.token_renewal_increment), Need::kOptional,
     kPositive, "1h", "Life time asked for when a token is renewed.", ""},
    {"auth.loginTimeout", BAOKMS_DURATION(auth.login_timeout), Need::kOptional, kNotNegative, "0s",
     "Limit of one login; 0 means the larger of `openbao.timeout` and 5s.", ""},
    {"auth.loginBudgetPerMinute", BAOKMS_INT(auth.login_budget_per_minute), Need::kOptional,
     kLoginBudget, "0",
     "Logins per minute of all workers together; 0 means the larger of 12 and three per worker.",
     "", Since::kOurs},

    {"auth.jwt.source", BAOKMS_TEXT(auth.jwt.source), Need::kJwtRequired, OneOf("file|oauth2"), "",
     "Where the JWT comes from. May be left out when `jwtFile` is set and `oauth2` is not: then "
     "`file`.",
     "file"},
    {"auth.jwt.mountPath", BAOKMS_TEXT(auth.jwt.mount_path), Need::kJwtRequired, kMount, "",
     "Path of the JWT auth mount, with its `auth/` prefix.", "auth/k8s-blue-jwt"},
    {"auth.jwt.role", BAOKMS_TEXT(auth.jwt.role), Need::kJwtRequired, kId, "",
     "OpenBao role to log in with.", "kms-control-plane"},
    {"auth.jwt.jwtFile", BAOKMS_TEXT(auth.jwt.jwt_file), Need::kFileRequired, kCredential, "",
     "File with the JWT, read at each login.", "/var/lib/openbao-kms/identity.jwt"},
    {"auth.jwt.minRemainingTtl", BAOKMS_DURATION(auth.jwt.min_remaining_ttl), Need::kJwtOptional,
     kPositive, "2m", "A JWT that expires sooner is not used.", ""},
    {"auth.jwt.clockSkewLeeway", BAOKMS_DURATION(auth.jwt.clock_skew_leeway), Need::kJwtOptional,
     kNotNegative, "30s", "Clock difference that the time claims may show.", ""},
    {"auth.jwt.expectedIssuer", BAOKMS_TEXT(auth.jwt.expected_issuer), Need::kJwtOptional, kId, "",
     "Issuer that the JWT must name; empty: not checked. Required for `oauth2`.", ""},
    {"auth.jwt.expectedAudience", BAOKMS_TEXTS(auth.jwt.expected_audience), Need::kJwtOptional, kId,
     "", "Audiences of which the JWT must name one; empty: not checked. Required for `oauth2`.",
     ""},
    {"auth.jwt.expectedSubject", BAOKMS_TEXT(auth.jwt.expected_subject), Need::kJwtOptional, kId,
     "", "Subject that the JWT must name; empty: not checked.", ""},
    {"auth.jwt.oauth2.tokenUrl", BAOKMS_TEXT(auth.jwt.oauth2.token_url), Need::kOAuth2Required,
     Is(RuleKind::kTokenUrl), "", "Token endpoint of the authorization server.", ""},
    {"auth.jwt.oauth2.clientId", BAOKMS_TEXT(auth.jwt.oauth2.client_id), Need::kOAuth2Required,
     Is(RuleKind::kNoControl), "", "OAuth 2.0 client id.", ""},
    {"auth.jwt.oauth2.clientSecretFile", BAOKMS_TEXT(auth.jwt.oauth2.client_secret_file),
     Need::kOAuth2Required, kCredential, "", "File with the client secret, read at each grant.",
     ""},
    {"auth.jwt.oauth2.authMethod", BAOKMS_TEXT(auth.jwt.oauth2.auth_method), Need::kOAuth2Required,
     OneOf("client_secret_basic|client_secret_post"), "", "How the client secret is sent.", ""},
    {"auth.jwt.oauth2.scopes", BAOKMS_TEXTS(auth.jwt.oauth2.scopes), Need::kOAuth2Optional,
     Is(RuleKind::kScope), "", "Scopes to ask for.", ""},
    {"auth.jwt.oauth2.audience", BAOKMS_TEXT(auth.jwt.oauth2.audience), Need::kOAuth2Optional,
     Is(RuleKind::kNoControl), "", "Audience to ask for.", ""},
    {"auth.jwt.oauth2.resources", BAOKMS_TEXTS(auth.jwt.oauth2.resources), Need::kOAuth2Optional,
     Is(RuleKind::kAbsoluteUri), "", "Resource indicators to ask for.", ""},
    {"auth.jwt.oauth2.caCertFile", BAOKMS_TEXT(auth.jwt.oauth2.ca_cert_file), Need::kOAuth2Optional,
     kPath, "", "PEM bundle trusted for the token endpoint; empty: the system's.", ""},

    {"auth.cert.mountPath", BAOKMS_TEXT(auth.cert.mount_path), Need::kCertRequired, kMount, "",
     "Path of the certificate auth mount, with its `auth/` prefix.", "auth/k8s-blue-cert"},
    {"auth.cert.name", BAOKMS_TEXT(auth.cert.name), Need::kCertOptional, kId, "",
     "Certificate role; empty: OpenBao tries every role.", ""},
    {"auth.cert.minRemainingTtl", BAOKMS_DURATION(auth.cert.min_remaining_ttl), Need::kCertOptional,
     kPositive, "24h", "A certificate that expires sooner is not used.", ""},
    {"auth.cert.clockSkewLeeway", BAOKMS_DURATION(auth.cert.clock_skew_leeway), Need::kCertOptional,
     kNotNegative, "30s", "Clock difference that the certificate's times may show.", ""},
    {"auth.cert.source", BAOKMS_TEXT(auth.cert.source), Need::kCertRequired, OneOf("pkcs11|spiffe"),
     "", "Where the client key lives. `spiffe` is refused.", "pkcs11"},
    {"auth.cert.pkcs11.certificateFile", BAOKMS_TEXT(auth.cert.pkcs11.certificate_file),
     Need::kPkcs11Required, kPath, "", "PEM chain, leaf first, read at each login.",
     "/etc/openbao-kms/client/client-chain.pem"},
    {"auth.cert.pkcs11.modulePath", BAOKMS_TEXT(auth.cert.pkcs11.module_path),
     Need::kPkcs11LabelRequired, kPath, "", "PKCS#11 module, loaded by the auth agent alone.",
     "/usr/lib/softhsm/libsofthsm2.so"},
    {"auth.cert.pkcs11.tokenLabel", BAOKMS_TEXT(auth.cert.pkcs11.token_label),
     Need::kPkcs11LabelRequired, kId, "", "Label of the token.", "openbao-kms"},
    {"auth.cert.pkcs11.keyLabel", BAOKMS_TEXT(auth.cert.pkcs11.key_label),
     Need::kPkcs11LabelRequired, kId, "", "Label of the private key.", "openbao-kms-client"},
    {"auth.cert.pkcs11.pinFile", BAOKMS_TEXT(auth.cert.pkcs11.pin_file), Need::kPkcs11LabelRequired,
     kCredential, "", "File with the PIN, read when the session is opened.",
     "/etc/openbao-kms/pkcs11/pin"},
    {"auth.cert.pkcs11.maxSessions", BAOKMS_INT(auth.cert.pkcs11.max_sessions),
     Need::kPkcs11Required, Range(2, 2'147'483'647), "0",
     "PKCS#11 sessions that may be open; one is, and signatures take turns. Above 2 it has no "
     "effect, which is warned about.",
     "2"},
    {"auth.cert.pkcs11.uri", BAOKMS_TEXT(auth.cert.pkcs11.uri), Need::kPkcs11Optional,
     Is(RuleKind::kPkcs11Uri), "",
     "PKCS#11 URI (RFC 7512) of the private key, instead of tokenLabel and keyLabel. Its "
     "`module-path` and `pin-source` replace modulePath and pinFile; `pin-value` is refused.",
     "", Since::kOurs},
    {"auth.cert.pkcs11.environment", BAOKMS_TEXTS(auth.cert.pkcs11.environment),
     Need::kPkcs11Optional, Is(RuleKind::kVariableName), "",
     "Names of environment variables that the module inherits.", "", Since::kOurs},
    {"auth.cert.pkcs11.stateDirectory", BAOKMS_TEXT(auth.cert.pkcs11.state_directory),
     Need::kPkcs11Optional, kPath, "",
     "Directory that the module may write; empty: it writes nowhere.", "", Since::kOurs},
    {"auth.cert.pkcs11.network", BAOKMS_TEXT(auth.cert.pkcs11.network), Need::kPkcs11Optional,
     OneOf("none|unix|inet"), "none",
     "Sockets that the module may open: none, local ones, or local and internet ones.", "",
     Since::kOurs},
    {"auth.cert.spiffe.workloadAPISocket", BAOKMS_TEXT(auth.cert.spiffe.workload_api_socket),
     Need::kSpiffeOptional, Is(RuleKind::kSpiffeSocket), "",
     "Known to the format, without effect: the source `spiffe` is refused.", ""},
    {"auth.cert.spiffe.spiffeID", BAOKMS_TEXT(auth.cert.spiffe.spiffe_id), Need::kSpiffeOptional,
     Is(RuleKind::kSpiffeId), "", "As above.", ""},
    {"auth.cert.spiffe.trustDomain", BAOKMS_TEXT(auth.cert.spiffe.trust_domain),
     Need::kSpiffeOptional, kId, "", "As above.", ""},

    {"transit.mountPath", BAOKMS_TEXT(transit.mount_path), Need::kRequired, kMount, "",
     "Path of the Transit mount. Part of the identity that the state file is bound to.",
     "transit-k8s"},
    {"transit.keyName", BAOKMS_TEXT(transit.key_name), Need::kRequired, Is(RuleKind::kKeyName), "",
     "Name of the Transit key. Part of the identity that the state file is bound to.",
     "k8s-blue-etcd"},
    {"transit.keyIdScope.providerName", BAOKMS_TEXT(transit.key_id_scope.provider_name),
     Need::kRequired, kId, "",
     "Equals `kms.name` in the API server's EncryptionConfiguration. Part of the key identity.",
     "openbao-kms-blue"},
    {"transit.keyIdScope.clusterId", BAOKMS_TEXT(transit.key_id_scope.cluster_id), Need::kRequired,
     kId, "", "Label of the cluster. Part of the key identity.", "blue"},
    {"transit.keyIdScope.transitMountId", BAOKMS_TEXT(transit.key_id_scope.transit_mount_id),
     Need::kRequired, kId, "", "Label of the Transit mount. Part of the key identity.",
     "transit-k8s-primary"},
    {"transit.keyIdScope.keyLineageId", BAOKMS_TEXT(transit.key_id_scope.key_lineage_id),
     Need::kRequired, kId, "",
     "Label of this key and all its versions; never reused. Part of the key identity.",
     "3f6c1b0a9d5e4f7788aa00112233445f"},

    {"bootstrap.graceTimeout", BAOKMS_DURATION(bootstrap.grace_timeout), Need::kOptional,
     kNotNegative, "60s", "After this long without a successful probe an error is logged.", ""},
    {"bootstrap.retryInterval", BAOKMS_DURATION(bootstrap.retry_interval), Need::kOptional,
     kPositive, "5s", "Time between probes until the first one succeeds.", ""},

    {"status.probeInterval", BAOKMS_DURATION(status.probe_interval), Need::kOptional, kPositive,
     "30s", "Time between metadata probes.", ""},
    {"status.deepProbeInterval", BAOKMS_DURATION(status.deep_probe_interval), Need::kOptional,
     kPositive, "5m", "Time between probes that encrypt and decrypt.", ""},
    {"status.statusMaxStaleness", BAOKMS_DURATION(status.max_staleness), Need::kOptional, kPositive,
     "2m", "A good Status older than this is no longer reported.", ""},

    {"state.path", BAOKMS_TEXT(state.path), Need::kRequired, kPath,
     "/var/lib/openbao-kms/state/key-registry.json",
     "Key registry. Its checkpoint and lock lie beside it.", ""},

    {"rotation.mode", BAOKMS_TEXT(rotation.mode), Need::kRequired, OneOf("observed"), "observed",
     "The provider follows rotations, it does not start them.", ""},
    {"rotation.activationDelay", BAOKMS_DURATION(rotation.activation_delay), Need::kOptional,
     kPositive, "2m", "A new key version is used this long after it was first seen.", ""},
    {"rotation.requireStableObservationCount",
     BAOKMS_INT(rotation.require_stable_observation_count), Need::kOptional, Range(1, 1'000'000),
     "3", "Equal observations of a new version before it is used.", ""},
    {"rotation.rejectVersionRollback", BAOKMS_BOOL(rotation.reject_version_rollback),
     Need::kOptional, kAny, "true", "A rollback is always rejected; `false` has no effect.", ""},

    {"logging.level", BAOKMS_TEXT(logging.level), Need::kRequired, OneOf("debug|info|warn|error"),
     "info", "Least severe level that is logged.", ""},
    {"logging.format", BAOKMS_TEXT(logging.format), Need::kRequired, OneOf("json|text"), "json",
     "Form of the log lines.", ""},
    {"logging.logOpenBaoRequestIDs", BAOKMS_BOOL(logging.log_openbao_request_ids), Need::kOptional,
     kAny, "true", "Whether OpenBao's request ids may be logged.", ""},
    {"logging.debugCorrelation.enabled", BAOKMS_BOOL(logging.debug_correlation.enabled),
     Need::kOptional, kAny, "false", "Incident mode: correlation ids in the log.", ""},
    {"logging.debugCorrelation.ttl", BAOKMS_DURATION(logging.debug_correlation.ttl),
     Need::kOptional, kAny, "15m", "Incident mode ends after this long; at most 1h.", ""},
    {"logging.debugCorrelation.incidentId", BAOKMS_TEXT(logging.debug_correlation.incident_id),
     Need::kOptional, kId, "", "Ticket that incident mode belongs to; at most 64 bytes.", ""},

    {"isolation.workers", BAOKMS_INT(isolation.workers), Need::kOptional, Range(1, 16), "2",
     "Processes that hold a token and talk to OpenBao.", "", Since::kOurs},
});

#undef BAOKMS_FIELD
#undef BAOKMS_TEXT
#undef BAOKMS_INT
#undef BAOKMS_BOOL
#undef BAOKMS_DURATION
#undef BAOKMS_TEXTS
#undef BAOKMS_IDS

}  // namespace

std::span<const SchemaRow> SchemaTable() {
  return kRows;
}

}  // namespace baokms::supervisor
