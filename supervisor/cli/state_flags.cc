#include "supervisor/cli/state_flags.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "common/contract/encoding.h"
#include "common/contract/limits.h"
#include "supervisor/config/address.h"
#include "supervisor/config/text_rules.h"

namespace baokms::supervisor {
namespace {

using ReviewedOrError = std::variant<ReviewedHash, UsageError>;

// --apply and --expected-state-hash go together.
ReviewedOrError ParseReviewed(const StateFlags& flags) {
  if (!flags.apply) {
    return flags.expected_state_hash.has_value()
               ? ReviewedOrError(UsageError{"--expected-state-hash needs --apply"})
               : ReviewedOrError(ReviewedHash());
  }
  if (!flags.expected_state_hash.has_value()) {
    return UsageError{"--apply needs --expected-state-hash with the hash of the reviewed plan"};
  }
  const auto hash = contract::StateHash::Parse(*flags.expected_state_hash);
  if (!hash.has_value()) {
    return UsageError{"--expected-state-hash must be a state hash (krs1. and 43 characters)"};
  }
  return ReviewedHash(*hash);
}

// Calls `make` with the reviewed hash, if the flags are in order.
template <typename Make>
StateTaskOrError WithReviewed(const StateFlags& flags, Make make) {
  ReviewedOrError reviewed = ParseReviewed(flags);
  if (auto* error = std::get_if<UsageError>(&reviewed)) {
    return std::move(*error);
  }
  return make(std::get<ReviewedHash>(reviewed));
}

// Versions separated by commas, each positive and there once.
std::optional<std::vector<std::int64_t>> ParseVersions(std::string_view text) {
  std::vector<std::int64_t> versions;
  while (true) {
    const std::size_t comma = text.find(',');
    const auto version = contract::ParsePositiveDecimal(TrimSpace(text.substr(0, comma)));
    if (!version.has_value() || versions.size() == contract::kMaxKeyRecords ||
        std::ranges::find(versions, *version) != versions.end()) {
      return std::nullopt;
    }
    versions.push_back(*version);
    if (comma == std::string_view::npos) {
      return versions;
    }
    text.remove_prefix(comma + 1);
  }
}

constexpr std::string_view kPlainScheme = "http://";

// The loopback interface, where nobody can listen in who could not read etcd's files as well.
bool IsLoopback(std::string_view host) {
  return host == "127.0.0.1" || host == "::1";
}

// "https://host:port", or "http://127.0.0.1:port" for an etcd without TLS on this host.
std::optional<EtcdOptions> ParseEndpoint(const std::string& text) {
  const bool plain = text.starts_with(kPlainScheme);
  const auto address = ParseHttpsAddress(
      plain ? std::string("https://").append(text.substr(kPlainScheme.size())) : text);
  if (!address.has_value() || !address->prefix.empty() || (plain && !IsLoopback(address->host))) {
    return std::nullopt;
  }
  EtcdOptions options;
  options.host = address->host;
  options.port = address->port;
  options.transport = plain ? EtcdOptions::Transport::kPlain : EtcdOptions::Transport::kTls;
  return options;
}

bool GivesEtcdDetails(const StateFlags& flags) {
  return flags.cacert.has_value() || flags.cert.has_value() || flags.key.has_value() ||
         flags.prefix.has_value();
}

// What is wrong with the flags around --scan-etcd, or nothing.
std::string_view FindEtcdProblem(const EtcdOptions& options, const StateFlags& flags) {
  if (options.transport == EtcdOptions::Transport::kPlain) {
    return flags.cacert.has_value() || flags.cert.has_value() || flags.key.has_value()
               ? "--cacert, --cert and --key need an https endpoint"
               : "";
  }
  if (options.ca_file.empty()) {
    return "--scan-etcd needs --cacert";
  }
  if (options.certificate_file.empty() != options.key_file.empty()) {
    return "--cert and --key go together";
  }
  return options.prefix.empty() ? "--prefix must not be empty" : "";
}

}  // namespace

StateTaskOrError ParseVerify(const StateFlags& flags) {
  if (!flags.scan_etcd.has_value()) {
    return GivesEtcdDetails(flags) ? StateTaskOrError(UsageError{
                                         "--cacert, --cert, --key and --prefix need --scan-etcd"})
                                   : StateTaskOrError(StateTask(VerifyRotationTask{}));
  }
  auto options = ParseEndpoint(*flags.scan_etcd);
  if (!options.has_value()) {
    return UsageError{"--scan-etcd must be https://HOST:PORT, or http:// with a loopback address"};
  }
  options->ca_file = flags.cacert.value_or("");
  options->certificate_file = flags.cert.value_or("");
  options->key_file = flags.key.value_or("");
  options->prefix = flags.prefix.value_or(options->prefix);
  if (const std::string_view problem = FindEtcdProblem(*options, flags); !problem.empty()) {
    return UsageError{std::string(problem)};
  }
  return StateTask(VerifyRotationTask{.etcd = std::move(options)});
}

StateTaskOrError ParseRetire(const StateFlags& flags) {
  const auto version = contract::ParsePositiveDecimal(flags.before_version.value_or(""));
  if (!version.has_value() || *version <= 1) {
    return UsageError{"--before-version must be a Transit version above 1"};
  }
  return WithReviewed(flags, [&version](const ReviewedHash& reviewed) {
    return StateTask(RetireOptions{.before_version = *version, .reviewed = reviewed});
  });
}

StateTaskOrError ParseRestore(const StateFlags& flags) {
  auto versions = ParseVersions(flags.versions.value_or(""));
  if (!versions.has_value()) {
    return UsageError{"--versions must be different Transit versions, such as 1,2"};
  }
  return WithReviewed(flags, [&versions](const ReviewedHash& reviewed) {
    return StateTask(RestoreOptions{.versions = *std::move(versions), .reviewed = reviewed});
  });
}

StateTaskOrError ParseRecover(const StateFlags& flags) {
  const std::string expected = flags.expected_active_key_id_hash.value_or("");
  if (flags.expected_active_key_id_hash.has_value() && !contract::IsEncodedDigest(expected)) {
    return UsageError{"--expected-active-key-id-hash must be a key ID hash (43 characters)"};
  }
  if (flags.output_file.has_value() && flags.output_file->empty()) {
    return UsageError{"--output-file must not be empty"};
  }
  return WithReviewed(flags, [&](const ReviewedHash& reviewed) {
    return StateTask(
        RecoverTask{.options = {.expected_active_key_id_hash = expected, .reviewed = reviewed},
                    .report_file = flags.output_file.value_or("")});
  });
}

StateTaskOrError ParseMigrate(const StateFlags& flags) {
  return WithReviewed(flags, [](const ReviewedHash& reviewed) {
    return StateTask(MigrateOptions{.reviewed = reviewed});
  });
}

StateTaskOrError ParseExport(const StateFlags& flags) {
  if (flags.output_file.value_or("").empty()) {
    return UsageError{"--output-file is required"};
  }
  return StateTask(ExportOptions{.output_file = *flags.output_file});
}

StateTaskOrError ParseImport(const StateFlags& flags) {
  if (flags.input_file.value_or("").empty()) {
    return UsageError{"--input-file is required"};
  }
  return WithReviewed(flags, [&flags](const ReviewedHash& reviewed) {
    return StateTask(ImportOptions{.input_file = *flags.input_file, .reviewed = reviewed});
  });
}

}  // namespace baokms::supervisor
