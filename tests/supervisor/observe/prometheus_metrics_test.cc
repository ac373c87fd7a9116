#include "supervisor/observe/prometheus_metrics.h"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/ipc.pb.h"
#include "supervisor/observe/label_names.h"
#include "supervisor/observe/metrics.h"

namespace baokms::supervisor {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::unique_ptr<PrometheusMetrics> Make() {
  return PrometheusMetrics::Create({"0.1.0", "abc123", "2026-01-01T00:00:00Z", "false"}, "jwt",
                                   "none");
}

std::size_t Count(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

TEST(PrometheusMetricsTest, ShowsWhatIsAlwaysThereFromTheStart) {
  const std::string text = Make()->ToText();
  for (const std::string_view line :
       {"openbao_kms_build_info{build_date=\"2026-01-01T00:00:00Z\",commit=\"abc123\","
        "dirty=\"false\",version=\"0.1.0\"} 1\n",
        "openbao_kms_auth_method_info{method=\"jwt\"} 1\n",
        "openbao_kms_certificate_source_info{source=\"none\"} 1\n",
        "openbao_kms_rotation_state{state=\"active\"} 0\n",
        "openbao_kms_rotation_state{state=\"pending\"} 0\n",
        "openbao_kms_rotation_state{state=\"unknown\"} 1\n",
        "openbao_kms_token_ttl_seconds 0\n",
        "openbao_kms_certificate_ttl_seconds 0\n",
        "openbao_kms_key_version 0\n",
        "openbao_kms_status_cache_age_seconds 0\n",
        "openbao_kms_rotation_persistence_degraded 0\n",
        "openbao_kms_circuit_breaker_state 0\n",
        "openbao_kms_socket_restarts_total 0\n",
        "openbao_kms_encrypt_self_verified_total 0\n",
        "openbao_kms_encrypt_mismatch_total 0\n",
        "openbao_kms_decrypt_mismatch_total 0\n",
        "openbao_kms_decrypt_unconfirmed_total 0\n",
        "openbao_kms_decrypt_unchecked_total 0\n",
        "# TYPE process_cpu_seconds_total counter\n",
        "process_start_time_seconds 1",
        "process_resident_memory_bytes ",
        "process_open_fds ",
        "process_max_fds "}) {
    EXPECT_THAT(text, HasSubstr(std::string(line)));
  }
  EXPECT_THAT(text, Not(HasSubstr("openbao_kms_status_key_id_hash{")));
  EXPECT_THAT(text, Not(HasSubstr("openbao_kms_grpc_requests_total{")))
      << "vectors appear with their first use";
}

TEST(PrometheusMetricsTest, CountsARequest) {
  const auto metrics = Make();
  metrics->RequestStarted(KmsMethod::kDecrypt);
  EXPECT_THAT(metrics->ToText(), HasSubstr("openbao_kms_grpc_in_flight{method=\"decrypt\"} 1\n"));
  metrics->RequestFinished(KmsMethod::kDecrypt, "not_found", "key_id_unknown",
                           std::chrono::microseconds(1500));
  const std::string text = metrics->ToText();
  for (const std::string_view line :
       {"openbao_kms_grpc_in_flight{method=\"decrypt\"} 0\n",
        "openbao_kms_grpc_requests_total{method=\"decrypt\",status=\"not_found\"} 1\n",
        "openbao_kms_request_errors_total{class=\"key_id_unknown\",method=\"decrypt\"} 1\n",
        "openbao_kms_decrypt_key_id_errors_total{reason=\"key_id_unknown\"} 1\n",
        "openbao_kms_grpc_duration_seconds_count{method=\"decrypt\"} 1\n",
        "openbao_kms_grpc_duration_seconds_bucket{method=\"decrypt\",le=\"0.001\"} 0\n",
        "openbao_kms_grpc_duration_seconds_bucket{method=\"decrypt\",le=\"0.002\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(std::string(line)));
  }
}

TEST(PrometheusMetricsTest, HasTheBucketsOfTheGoProviderAndFiveMore) {
  const auto metrics = Make();
  metrics->RequestFinished(KmsMethod::kStatus, "ok", "", std::chrono::seconds(1));
  const std::string text = metrics->ToText();
  for (const std::string_view bound :
       {"0.0001", "0.0002", "0.0005", "0.001", "0.002", "0.004", "0.008", "0.016", "0.032", "0.064",
        "0.128", "0.256", "0.512", "1.024", "2.048", "4.096", "8.192", "+Inf"}) {
    EXPECT_THAT(text, HasSubstr("openbao_kms_grpc_duration_seconds_bucket{method=\"status\",le=\"" +
                                std::string(bound) + "\"}"));
  }
  EXPECT_EQ(Count(text, "grpc_duration_seconds_bucket{"), 18U);
  EXPECT_THAT(text, Not(HasSubstr("openbao_kms_request_errors_total{")));
}

TEST(PrometheusMetricsTest, ShowsOneActiveKeyByTwoHashes) {
  const auto metrics = Make();
  metrics->ActiveKey("first", 1);
  metrics->ActiveKey("key", 2);
  const std::string text = metrics->ToText();
  EXPECT_THAT(text, HasSubstr("openbao_kms_status_key_id_hash{apiserver_hash=\"sha256:"
                              "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683\","
                              "hash=\"LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM\"} 1\n"));
  EXPECT_EQ(Count(text, "openbao_kms_status_key_id_hash{"), 1U);
  EXPECT_THAT(text, HasSubstr("openbao_kms_key_version 2\n"));
  metrics->ActiveKey("", 0);
  EXPECT_THAT(metrics->ToText(), Not(HasSubstr("openbao_kms_status_key_id_hash{")));
}

TEST(PrometheusMetricsTest, AsksForWhatIsReadAtAScrape) {
  const auto metrics = Make();
  metrics->SetScrape([] {
    ScrapeFacts facts;
    facts.token_ttl_seconds = 1799.5;
    facts.jwt_ttl_seconds = 60;
    facts.status_cache_age_seconds = 3;
    facts.resident = {{"worker_0", 4096}};
    facts.sandbox = {{"worker_0", "seccomp", true}, {"worker_1", "seccomp", false}};
    facts.log_records_dropped = {{"supervisor", 0}, {"worker_0", 7}};
    return facts;
  });
  const std::string text = metrics->ToText();
  EXPECT_THAT(text, HasSubstr("openbao_kms_token_ttl_seconds 1799.5\n"));
  EXPECT_THAT(text, HasSubstr("openbao_kms_jwt_ttl_seconds 60\n"));
  EXPECT_THAT(text, HasSubstr("openbao_kms_status_cache_age_seconds 3\n"));
  EXPECT_THAT(text, HasSubstr("openbao_kms_process_resident_bytes{process=\"worker_0\"} 4096\n"));
  EXPECT_THAT(
      text, HasSubstr("openbao_kms_sandbox_state{mechanism=\"seccomp\",process=\"worker_0\"} 1\n"
                      "openbao_kms_sandbox_state{mechanism=\"seccomp\",process=\"worker_1\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("openbao_kms_log_records_dropped_total{process=\"supervisor\"} 0\n"
                              "openbao_kms_log_records_dropped_total{process=\"worker_0\"} 7\n"));
}

TEST(PrometheusMetricsTest, SaysNothingOfAProcessThatHasEnded) {
  const auto metrics = Make();
  bool alive = true;
  metrics->SetScrape([&alive] {
    ScrapeFacts facts;
    if (alive) {
      facts.resident = {{"worker_0", 4096}};
      facts.sandbox = {{"worker_0", "seccomp", true}};
    }
    return facts;
  });
  EXPECT_THAT(metrics->ToText(), HasSubstr("worker_0"));
  alive = false;
  EXPECT_THAT(metrics->ToText(), Not(HasSubstr("worker_0")));
}

TEST(PrometheusMetricsTest, CountsCallsToOpenBaoAndAllTheRest) {
  const auto metrics = Make();
  ipc::OpenBaoCall call;
  call.set_operation(ipc::OPERATION_TRANSIT_DECRYPT);
  call.set_outcome(ipc::OUTCOME_RATE_LIMITED);
  call.set_duration_us(2500);
  metrics->OpenBaoCall(call);
  metrics->Login("ok");
  metrics->Renewal("auth_failed");
  metrics->BrokerConnection(1, "connection_failed");
  metrics->MetadataObservation("ok");
  metrics->BreakerState(1);
  metrics->RotationState("pending");
  metrics->PersistenceDegraded(1);
  metrics->RegistryRecords(12);
  metrics->ProcessUp("worker_0", 1);
  metrics->ProcessRestarted("worker_0", "SIGSEGV");
  metrics->SeccompViolation("worker_0", "socket");
  metrics->SocketRestarted();
  metrics->EncryptSelfVerified();
  metrics->EncryptMismatch();
  metrics->DecryptMismatch();
  metrics->DecryptUnconfirmed();
  metrics->DecryptUnchecked();
  metrics->DecryptCoalesced();
  metrics->PanicRecovered(KmsMethod::kStatus);
  metrics->PeerConnection(1000, 1);
  metrics->ConcurrencyRejected(KmsMethod::kEncrypt);
  metrics->RequestReplayed(KmsMethod::kEncrypt);
  metrics->Stage(KmsMethod::kEncrypt, "openbao", std::chrono::milliseconds(3));
  const std::string text = metrics->ToText();
  for (const std::string_view line :
       {"openbao_requests_total{operation=\"transit_decrypt\",status=\"rate_limited\"} 1\n",
        "openbao_duration_seconds_count{operation=\"transit_decrypt\"} 1\n",
        "auth_login_total{status=\"ok\"} 1\n",
        "auth_renewal_total{status=\"auth_failed\"} 1\n",
        "broker_connections_total{endpoint=\"1\",status=\"connection_failed\"} 1\n",
        "transit_metadata_observation_total{status=\"ok\"} 1\n",
        "circuit_breaker_state 1\n",
        "rotation_state{state=\"pending\"} 1\n",
        "rotation_state{state=\"unknown\"} 0\n",
        "rotation_persistence_degraded 1\n",
        "openbao_kms_registry_records 12\n",
        "openbao_kms_registry_records_limit 16384\n",
        "process_up{process=\"worker_0\"} 1\n",
        "process_restarts_total{cause=\"sigsegv\",process=\"worker_0\"} 1\n",
        "seccomp_violations_total{process=\"worker_0\",syscall=\"socket\"} 1\n",
        "socket_restarts_total 1\n",
        "encrypt_self_verified_total 1\n",
        "encrypt_mismatch_total 1\n",
        "decrypt_mismatch_total 1\n",
        "decrypt_unconfirmed_total 1\n",
        "decrypt_unchecked_total 1\n",
        "coalesced_decrypts_total 1\n",
        "panic_recoveries_total{method=\"status\"} 1\n",
        "peer_connections{uid=\"1000\"} 1\n",
        "grpc_concurrency_rejections_total{method=\"encrypt\"} 1\n",
        "requests_replayed_total{method=\"encrypt\"} 1\n",
        "stage_duration_seconds_count{method=\"encrypt\",stage=\"openbao\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(std::string(line)));
  }
}

TEST(PrometheusMetricsTest, AChildCannotMakeSeriesWithoutEnd) {
  const auto metrics = Make();
  for (int i = 0; i < 10'000; ++i) {
    metrics->Login("word" + std::to_string(i));
    metrics->PeerConnection(static_cast<std::uint32_t>(i), 1);
  }
  const std::string text = metrics->ToText();
  EXPECT_LE(Count(text, "openbao_kms_auth_login_total{"), 513U);
  EXPECT_LE(Count(text, "openbao_kms_peer_connections{"), 33U);
  EXPECT_THAT(text, HasSubstr("openbao_kms_auth_login_total{status=\"other\"}"));
}

TEST(PrometheusMetricsTest, AChildThatEndsInManyWaysTakesNoWordFromOthers) {
  const auto metrics = Make();
  for (int i = 0; i < 1'000; ++i) {
    metrics->ProcessRestarted("worker_0", "exit_" + std::to_string(i));
    metrics->SeccompViolation("worker_0", "call_" + std::to_string(i));
  }
  metrics->Login("role_unknown");
  const std::string text = metrics->ToText();
  EXPECT_LE(Count(text, "openbao_kms_process_restarts_total{"), 129U);
  EXPECT_LE(Count(text, "openbao_kms_seccomp_violations_total{"), 129U);
  EXPECT_THAT(text, HasSubstr("openbao_kms_auth_login_total{status=\"role_unknown\"} 1\n"));
}

TEST(PrometheusMetricsTest, IsSafeToUseFromManyThreads) {
  const auto metrics = Make();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&metrics] {
      for (int n = 0; n < 500; ++n) {
        metrics->RequestStarted(KmsMethod::kDecrypt);
        metrics->RequestFinished(KmsMethod::kDecrypt, "ok", "", std::chrono::milliseconds(1));
        metrics->ActiveKey("key" + std::to_string(n % 3), 1);
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(metrics->ToText().empty());
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const std::string text = metrics->ToText();
  EXPECT_THAT(
      text, HasSubstr("openbao_kms_grpc_requests_total{method=\"decrypt\",status=\"ok\"} 2000\n"));
  EXPECT_EQ(Count(text, "openbao_kms_status_key_id_hash{"), 1U);
}

TEST(LabelLimiterTest, NormalisesAsTheReferenceSays) {
  EXPECT_EQ(NormaliseLabel(""), "unknown");
  EXPECT_EQ(NormaliseLabel("Auth Failed-1"), "auth_failed_1");
  EXPECT_EQ(NormaliseLabel("\xc3\xa4\"\n"), "____");
  EXPECT_EQ(NormaliseLabel(std::string(100, 'a')).size(), 64U);
}

TEST(LabelLimiterTest, KeepsKnownWordsWhenItIsFull) {
  LabelLimiter words(2);
  EXPECT_EQ(words.Admit("a"), "a");
  EXPECT_EQ(words.Admit("b"), "b");
  EXPECT_EQ(words.Admit("c"), "other");
  EXPECT_EQ(words.Admit("A"), "a");
}

}  // namespace
}  // namespace baokms::supervisor
