#include "supervisor/config/validate.h"

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <variant>

#include "supervisor/config/load.h"
#include "supervisor/config/rules.h"
#include "supervisor/config/schema_table.h"
#include "supervisor/config/text_rules.h"

namespace baokms::supervisor {
namespace {

// Checks one row's value. Collects its problems under the row's key.
class RowChecker {
 public:
  RowChecker(const SchemaRow& row, const ConfigDocument& document)
      : row_(row),
        document_(document),
        required_(row.need.required != nullptr && row.need.required->holds(document.config)) {}

  std::vector<Problem> Run() {
    std::visit([this](const auto& field) { Check(field, field.read(document_.config)); },
               row_.field);
    return std::move(problems_);
  }

 private:
  void Check(const TextField& field, const std::string& text) {
    if (required_ && IsBlank(text)) {
      Fail(row_.key, "is required");
      return;
    }
    if (text.empty() || (IsBlank(text) && field.rule->blank_is_none)) {
      return;
    }
    const bool expands = document_.of_another_machine && field.rule->may_be_credential;
    const std::string name(expands ? CredentialName(text) : "");
    FailIf(row_.key, Describe(field.rule->check(name.empty() ? text : "/" + name)));
  }

  void Check(const IntField& field, int value) { FailIf(row_.key, CheckRange(field.rule, value)); }

  void Check(const BoolField& /*field*/, bool /*value*/) {}

  void Check(const DurationField& field, Duration value) {
    FailIf(row_.key, CheckDuration(field.least, value.count()));
  }

  void Check(const TextListField& field, const std::vector<std::string>& list) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string key = std::string(row_.key) + "[" + std::to_string(i) + "]";
      FailIf(key, IsBlank(list[i]) ? Finding("must not be empty")
                                   : Describe(field.rule->check(list[i])));
    }
  }

  // The range of ids is checked while they are read, before they are narrowed to 32 bits.
  void Check(const IdListField& /*field*/, const std::vector<std::uint32_t>& /*list*/) {}

  void Check(const ChoiceField& field, std::string_view word) {
    const auto refused = document_.refused_words.find(row_.key);
    const bool unknown = refused != document_.refused_words.end();
    if (unknown && !IsBlank(refused->second)) {
      const std::vector<std::string_view> words = field.words();
      Fail(row_.key, (words.size() == 1 ? "must be " : "must be one of ") + JoinWords(words, ""));
    } else if (required_ && (unknown || word.empty())) {
      Fail(row_.key, "is required");
    }
  }

  static Finding Describe(const Status& status) {
    return status ? std::nullopt : Finding(std::string(status.error().what()));
  }

  void FailIf(std::string_view key, Finding finding) {
    if (finding) {
      Fail(key, *std::move(finding));
    }
  }

  void Fail(std::string_view key, std::string message) {
    problems_.push_back(document_.ProblemAt(key, std::move(message)));
  }

  const SchemaRow& row_;
  const ConfigDocument& document_;
  const bool required_;
  std::vector<Problem> problems_;
};

// Stands for all the required keys, which can be set only in a file.
Problem NoFile() {
  std::string message = "no configuration file: name one with ";
  message.append(kConfigPath.flag).append(" FILE or ").append(kConfigPath.variable);
  return {"", {}, "", std::move(message)};
}

void Append(std::vector<Problem>& to, std::vector<Problem> from) {
  std::move(from.begin(), from.end(), std::back_inserter(to));
}

}  // namespace

std::vector<Problem> Validate(const ConfigDocument& document, std::span<const Problem> earlier) {
  std::vector<Problem> problems(earlier.begin(), earlier.end());
  if (document.path.empty()) {
    problems.insert(problems.begin(), NoFile());
    return problems;
  }
  for (const SchemaRow& row : SchemaTable()) {
    if (row.need.checked->holds(document.config) && !IsFaulty(earlier, row.key)) {
      Append(problems, RowChecker(row, document).Run());
    }
  }
  Append(problems, CheckRelations(document, problems));
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    // A misspelt section comes before the keys that are missing because of it.
    return std::tuple(!a.unknown_key, a.where.line, a.where.column) <
           std::tuple(!b.unknown_key, b.where.line, b.where.column);
  });
  return problems;
}

}  // namespace baokms::supervisor
