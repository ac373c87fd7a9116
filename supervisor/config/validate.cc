#include "supervisor/config/validate.h"

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <variant>

#include "supervisor/config/field_rules.h"
#include "supervisor/config/relations.h"
#include "supervisor/config/schema_table.h"
#include "supervisor/config/text_rules.h"

namespace baokms::supervisor {
namespace {

enum class Duty { kNone, kOptional, kRequired };

// Whether a key counts at all with this configuration, and whether it must have a value.
Duty DutyOf(Need need, const Config& config) {
  const auto when = [](bool applies, Duty duty) {
    return applies ? duty : Duty::kNone;
  };
  const bool jwt = config.auth.method == "jwt";
  const bool cert = config.auth.method == "cert";
  switch (need) {
    case Need::kOptional:
      return Duty::kOptional;
    case Need::kRequired:
      return Duty::kRequired;
    case Need::kJwtRequired:
      return when(jwt, Duty::kRequired);
    case Need::kJwtOptional:
      return when(jwt, Duty::kOptional);
    case Need::kFileRequired:
      return when(jwt && config.auth.jwt.source == "file", Duty::kRequired);
    case Need::kOAuth2Required:
      return when(jwt && config.auth.jwt.source == "oauth2", Duty::kRequired);
    case Need::kOAuth2Optional:
      return when(jwt && config.auth.jwt.source == "oauth2", Duty::kOptional);
    case Need::kCertRequired:
      return when(cert, Duty::kRequired);
    case Need::kCertOptional:
      return when(cert, Duty::kOptional);
    case Need::kPkcs11Required:
      return when(cert && config.auth.cert.source == "pkcs11", Duty::kRequired);
    case Need::kPkcs11LabelRequired:
      return when(cert && config.auth.cert.source == "pkcs11",
                  config.auth.cert.pkcs11.uri.empty() ? Duty::kRequired : Duty::kOptional);
    case Need::kPkcs11Optional:
      return when(cert && config.auth.cert.source == "pkcs11", Duty::kOptional);
    case Need::kSpiffeOptional:
      return when(cert && config.auth.cert.source == "spiffe", Duty::kOptional);
  }
  return Duty::kRequired;
}

// Checks one row's value. Collects what is wrong under the row's key.
class RowChecker {
 public:
  RowChecker(const SchemaRow& row, Duty duty, const ConfigDocument& document)
      : row_(row), duty_(duty), document_(document) {}

  std::vector<Problem> Run() {
    std::visit([this](const auto& field) { Check(field.read(document_.config)); }, row_.field);
    return std::move(problems_);
  }

 private:
  void Check(const std::string& text) {
    // A listener that is blank is one that is turned off.
    if (IsBlank(text) &&
        (duty_ == Duty::kRequired || text.empty() || row_.rule.kind == RuleKind::kListenAddress)) {
      if (duty_ == Duty::kRequired) {
        Fail(row_.key, row_.key == "configVersion" ? "configVersion is required" : "is required");
      }
      return;
    }
    FailIf(row_.key, CheckText(row_.rule, text));
  }

  void Check(int value) { FailIf(row_.key, CheckNumber(row_.rule, value)); }

  void Check(bool /*value*/) {}

  void Check(Duration value) { FailIf(row_.key, CheckNumber(row_.rule, value.count())); }

  void Check(const std::vector<std::string>& list) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string key = std::string(row_.key) + "[" + std::to_string(i) + "]";
      if (IsBlank(list[i])) {
        Fail(key, "must not be empty");
      } else {
        FailIf(key, CheckText(row_.rule, list[i]));
      }
    }
  }

  // The range of ids is checked where they are read, before they are cut to 32 bits.
  void Check(const std::vector<std::uint32_t>& /*list*/) {}

  void FailIf(std::string_view key, std::optional<std::string> finding) {
    if (finding.has_value()) {
      Fail(key, *std::move(finding));
    }
  }

  void Fail(std::string_view key, std::string message) {
    problems_.push_back(document_.ProblemAt(key, std::move(message)));
  }

  const SchemaRow& row_;
  const Duty duty_;
  const ConfigDocument& document_;
  std::vector<Problem> problems_;
};

void Append(std::vector<Problem>& to, std::vector<Problem> from) {
  std::move(from.begin(), from.end(), std::back_inserter(to));
}

}  // namespace

std::vector<Problem> Validate(const ConfigDocument& document, std::span<const Problem> earlier) {
  std::vector<Problem> problems(earlier.begin(), earlier.end());
  for (const SchemaRow& row : SchemaTable()) {
    const Duty duty = DutyOf(row.need, document.config);
    if (duty != Duty::kNone && !IsFaulty(earlier, row.key)) {
      Append(problems, RowChecker(row, duty, document).Run());
    }
  }
  Append(problems, CheckRelations(document, problems));
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return std::tie(a.where.line, a.where.column) < std::tie(b.where.line, b.where.column);
  });
  return problems;
}

}  // namespace baokms::supervisor
