#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "common/openbao/answers.h"
#include "common/openbao/api.h"
#include "common/openbao/exchange.h"
#include "common/openbao/http_limits.h"
#include "common/openbao/outcome.h"
#include "common/openbao/request_bodies.h"
#include "common/setup/value_rules.h"
#include "proto/setup.pb.h"

namespace baokms::openbao {
namespace {

// Interprets OpenBao's responses: a value for 2xx, which `parser` reads, and error texts for any
// other status.
template <typename Value>
CallHandler MakeHandler(Result<Answer<Value>> (*parser)(std::string_view), Done<Value> done) {
  const auto value = std::make_shared<Value>();
  const auto classify = [parser, value](const HttpResponse& response,
                                        const AttemptOutcome& transport) -> AttemptOutcome {
    if (response.extent != HttpResponse::Extent::kComplete) {
      return transport;
    }
    if (response.status < 200 || response.status >= 300) {
      const Answer<ErrorTexts> errors = ParseErrors(response.body);
      AttemptOutcome outcome = ClassifyStatus(response.status, errors.value, response.retry_after);
      outcome.request_id = errors.request_id;
      return outcome;
    }
    Result<Answer<Value>> answer = parser(response.body);
    if (!answer) {
      return {.error_class = ErrorClass::kUndecodable};
    }
    *value = std::move(answer->value);
    return {.error_class = ErrorClass::kOk, .request_id = std::move(answer->request_id)};
  };
  return {.classify = classify, .deliver = [value, done = std::move(done)](CallReport report) {
            done(std::move(report), std::move(*value));
          }};
}

Result<Answer<std::monostate>> IgnoreBody(std::string_view /*body*/) {
  return Answer<std::monostate>{};
}

// Returns false when the token cannot be a header value.
bool AddToken(const SecretBuffer& token, WipedBuffer& header) {
  const std::string_view text = token.RevealText();
  if (text.empty() || text.size() > kMaxTokenBytes || !IsHeaderSafe(text)) {
    return false;
  }
  constexpr std::string_view kName = "X-Vault-Token: ";
  header.Reserve(kName.size() + text.size() + 1);
  header.Append(kName);
  header.Append(text);
  header.Append('\0');
  return true;
}

std::string_view WithoutSlashes(std::string_view path) {
  while (path.starts_with('/')) {
    path.remove_prefix(1);
  }
  while (path.ends_with('/')) {
    path.remove_suffix(1);
  }
  return path;
}

std::string Bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

// libcurl verifies the certificate against the URL's host, which is therefore the server name. The
// address in CONNECT_TO keeps the connections of different endpoints apart. libcurl never connects
// to it, because every socket comes from the connector.
Route MakeRoute(const ClientOptions& options, std::size_t index) {
  const Endpoint& endpoint = options.endpoints[index];
  const std::string port = std::to_string(endpoint.port);
  const std::string shown_port = endpoint.port == 443 ? "" : ":" + port;
  Route route{
      .base_url =
          "https://" + Bracketed(options.server_name) + ":" + port + endpoint.path_prefix + "/v1/",
      .connect_to = "::192.0.2." + std::to_string(index + 1) + ":",
      // Every OpenBao client sends X-Vault-Request: `bao proxy` with require_request_header answers
      // 412 without it, because a browser that was tricked into a request cannot add it.
      .headers = {"Host: " + Bracketed(endpoint.host) + shown_port, "X-Vault-Request: true"},
      .content_type = "Content-Type: application/json",
  };
  if (!options.namespace_path.empty()) {
    route.headers.push_back("X-Vault-Namespace: " + options.namespace_path);
  }
  return route;
}

bool IsEndpoint(const Endpoint& endpoint) {
  return endpoint.port != 0 && setup::CheckHost(endpoint.host) &&
         setup::CheckPathPrefix(endpoint.path_prefix);
}

bool AreUsable(const ClientOptions& options) {
  return !options.endpoints.empty() && options.endpoints.size() <= kMaxEndpoints &&
         std::all_of(options.endpoints.begin(), options.endpoints.end(), IsEndpoint) &&
         setup::CheckServerName(options.server_name) && options.max_connections >= 1 &&
         options.max_connections <= kMaxConnections &&
         (options.namespace_path.empty() || setup::CheckNamespace(options.namespace_path));
}

}  // namespace

ClientOptions ToClientOptions(const ipc::OpenBaoSetup& setup) {
  ClientOptions options;
  for (const ipc::EndpointSetup& endpoint : setup.endpoints()) {
    options.endpoints.push_back(
        {endpoint.host(), static_cast<std::uint16_t>(endpoint.port()), endpoint.path_prefix()});
  }
  options.ca_pem = setup.ca_pem();
  options.server_name = setup.server_name();
  options.namespace_path = setup.namespace_path();
  return options;
}

struct Client::Impl {
  std::string key_path;
  std::string upsert_path;
  std::string encrypt_path;
  std::string decrypt_path;
  std::unique_ptr<Exchange> exchange;

  // Starts one call. `body` is an empty buffer for a GET; an Error refuses the call.
  CallId Submit(const CallContext& context,
                ipc::OpenBaoOperation operation,
                std::string path,
                Result<WipedBuffer> body,
                CallHandler handler,
                std::shared_ptr<const TlsIdentity> identity = nullptr) const {
    NewCall call;
    call.identity = std::move(identity);
    call.operation = operation;
    call.deadline = context.deadline;
    call.use = context.connection;
    call.resend = context.token != nullptr;  // a login that hangs may have created a token
    call.handler = std::move(handler);
    call.request.path = std::move(path);
    call.request.body_limit =
        operation == ipc::OPERATION_TRANSIT_METADATA_READ ? kMaxMetadataBodyBytes : kMaxBodyBytes;
    call.request.error_limit = kMaxErrorBodyBytes;
    const bool token_fits =
        context.token == nullptr || AddToken(*context.token, call.request.secret_header);
    if (body && token_fits && !call.request.path.empty()) {
      call.request.body = std::move(body).value();
    } else {
      call.refusal = ErrorClass::kInvalidRequest;
    }
    return exchange->Submit(std::move(call));
  }
};

Result<std::unique_ptr<Client>> Client::Create(EventLoop& loop,
                                               Connector& connector,
                                               ClientOptions options) {
  if (!AreUsable(options)) {
    return Error(ErrorCode::kInvalidArgument, "OpenBao client options");
  }
  const std::string mount = EncodePath(WithoutSlashes(options.transit_mount));
  const std::string key = EncodePath(options.transit_key);
  if (mount.empty() != key.empty()) {
    return Error(ErrorCode::kInvalidArgument, "Transit mount without key, or key without mount");
  }
  auto impl = std::make_unique<Impl>();
  if (!mount.empty()) {
    impl->key_path = mount + "/keys/" + key;
    impl->upsert_path = mount + "/config/keys";
    impl->encrypt_path = mount + "/encrypt/" + key;
    impl->decrypt_path = mount + "/decrypt/" + key;
  }
  ExchangeOptions exchange{.routes = {},
                           .ca_pem = std::move(options.ca_pem),
                           .max_connections = options.max_connections};
  for (std::size_t i = 0; i < options.endpoints.size(); ++i) {
    exchange.routes.push_back(MakeRoute(options, i));
  }
  impl->exchange = BAOKMS_TRY(Exchange::Create(loop, connector, std::move(exchange)));
  return std::unique_ptr<Client>(new Client(std::move(impl)));
}

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {
}

Client::~Client() = default;

CallId Client::ReadKey(const CallContext& context, Done<contract::TransitKeyMetadata> done) {
  return impl_->Submit(context, ipc::OPERATION_TRANSIT_METADATA_READ, impl_->key_path,
                       WipedBuffer(), MakeHandler(&ParseKeyMetadata, std::move(done)));
}

CallId Client::ReadUpsert(const CallContext& context, Done<UpsertValue> done) {
  return impl_->Submit(context, ipc::OPERATION_TRANSIT_DISABLE_UPSERT_READ, impl_->upsert_path,
                       WipedBuffer(), MakeHandler(&ParseUpsert, std::move(done)));
}

CallId Client::Encrypt(const CallContext& context,
                       std::int64_t key_version,
                       std::span<const std::uint8_t> plaintext,
                       std::string_view aad_base64,
                       Done<EncryptValue> done) {
  return impl_->Submit(context, ipc::OPERATION_TRANSIT_ENCRYPT, impl_->encrypt_path,
                       BuildEncrypt(key_version, plaintext, aad_base64),
                       MakeHandler(&ParseEncrypt, std::move(done)));
}

CallId Client::Decrypt(const CallContext& context,
                       std::string_view ciphertext,
                       std::string_view aad_base64,
                       Done<SecretBuffer> done) {
  return impl_->Submit(context, ipc::OPERATION_TRANSIT_DECRYPT, impl_->decrypt_path,
                       BuildDecrypt(ciphertext, aad_base64),
                       MakeHandler(&ParseDecrypt, std::move(done)));
}

CallId Client::Login(const CallContext& context,
                     std::string_view auth_mount,
                     LoginRequest request,
                     Done<AuthValue> done) {
  CallContext login = context;
  if (request.identity != nullptr) {
    login.connection = ConnectionUse::kFresh;
  }
  return impl_->Submit(login, request.operation, EncodePath(WithoutSlashes(auth_mount)) + "/login",
                       std::move(request.body), MakeHandler(&ParseLogin, std::move(done)),
                       std::move(request.identity));
}

CallId Client::ProbeListener(const CallContext& context, Done<std::monostate> done) {
  CallContext fresh = context;
  fresh.connection = ConnectionUse::kFresh;
  fresh.token = nullptr;
  return impl_->Submit(fresh, ipc::OPERATION_CERT_LOGIN, "sys/health", WipedBuffer(),
                       MakeHandler(&IgnoreBody, std::move(done)));
}

CallId Client::RenewSelf(const CallContext& context,
                         std::int64_t increment_seconds,
                         Done<AuthValue> done) {
  return impl_->Submit(context, ipc::OPERATION_TOKEN_RENEW_SELF, "auth/token/renew-self",
                       BuildRenewal(increment_seconds),
                       MakeHandler(&ParseRenewal, std::move(done)));
}

void Client::Cancel(CallId call) {
  impl_->exchange->Cancel(call);
}

}  // namespace baokms::openbao
