#include "supervisor/serve/ready_body.h"

#include <nlohmann/json.hpp>

namespace baokms::supervisor {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kContentType = "application/json";

void PutText(Json& body, const char* name, const std::string& text) {
  if (!text.empty()) {
    body[name] = text;
  }
}

Json Auth(const AuthFacts& auth) {
  Json body = Json::object();
  PutText(body, "credential", auth.credential);
  if (auth.due) {
    body["replacement_overdue"] = true;
  }
  const auto put = [&body](const char* name, const std::optional<std::int64_t>& seconds) {
    if (seconds) {
      body[name] = *seconds;
    }
  };
  put("jwt_ends_in_s", auth.jwt_ends_in_s);
  put("certificate_ends_in_s", auth.certificate_ends_in_s);
  put("token_ends_in_s", auth.token_ends_in_s);
  return body;
}

Json ReadyJson(const ReadyFacts& facts) {
  const Diagnostics& status = facts.status;
  Json body = Json::object();
  body["reasons"] = status.reasons;
  PutText(body, "metadata_error_class", status.metadata_error_class);
  PutText(body, "deep_error_class", status.deep_error_class);
  body["status"] = status.ready ? "ok" : "unavailable";
  PutText(body, "healthz", status.healthz);
  body["cache_age_ms"] = status.cache_age_ms;
  body["stale"] = status.stale;
  PutText(body, "rotation_state", status.rotation_state);
  if (status.persistence_degraded) {
    body["persistence_degraded"] = true;
  }
  if (!status.key_id_hash.empty()) {
    body["key_id_hash"] = status.key_id_hash;
    body["transit_key_version"] = status.transit_key_version;
  }
  body["workers_ready"] = facts.workers_ready;
  PutText(body, "rotation_deferred", status.rotation_deferred);
  PutText(body, "finding", status.finding);
  body["isolation"] = IsolationBody(facts.isolation);
  body["auth"] = Auth(facts.auth);
  return body;
}

}  // namespace

HttpReply LiveReply(const std::vector<std::string_view>& stuck) {
  if (stuck.empty()) {
    return {.status = 200, .content_type = std::string(kContentType), .body = R"({"status":"ok"})"};
  }
  return {.status = 503,
          .content_type = std::string(kContentType),
          .body = Json{{"status", "stuck"}, {"threads", stuck}}.dump()};
}

HttpReply ReadyReply(const ReadyFacts& facts) {
  return {.status = facts.status.ready ? 200 : 503,
          .content_type = std::string(kContentType),
          .body = ReadyJson(facts).dump(-1, ' ', false, Json::error_handler_t::replace)};
}

}  // namespace baokms::supervisor
