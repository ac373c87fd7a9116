#include "supervisor/config/load.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <variant>

#include "supervisor/config/decode.h"
#include "supervisor/config/host_checks.h"
#include "supervisor/config/rules.h"
#include "supervisor/config/safe_file.h"
#include "supervisor/config/text_rules.h"

namespace baokms::supervisor {
namespace {

std::optional<std::string> Lookup(const Environment& environment, std::string_view name) {
  auto value = environment ? environment(name) : std::nullopt;
  return value && !value->empty() ? value : std::nullopt;
}

void Apply(const SchemaRow& row,
           std::string_view text,
           std::string_view source,
           LoadResult& result) {
  result.document.origins[std::string(row.key)] = {std::string(source), {}};
  for (Problem& problem : DecodeText(row, text, result.document)) {
    result.problems.push_back(std::move(problem));
  }
}

// Flags take precedence over the environment.
void ApplyOverrides(const LoadOptions& options, LoadResult& result) {
  for (const SchemaRow& row : SchemaTable()) {
    if (const auto value = ReadEnvironment(row.extras.override, options.environment)) {
      Apply(row, value->text, value->name, result);
    }
  }
  for (const FlagValue& flag : options.flags) {
    if (const SchemaRow* row = FindSchemaRow(flag.key)) {
      Apply(*row, flag.text, flag.flag, result);
    }
  }
}

// auth.jwt.source may be omitted if jwtFile is set and there is no oauth2 section.
void ApplyLegacySource(ConfigDocument& document) {
  JwtConfig& jwt = document.config.auth.jwt;
  const bool has_oauth2 = document.origins.lower_bound("auth.jwt.oauth2.") !=
                          document.origins.lower_bound("auth.jwt.oauth2/");
  if (!document.Has("auth.jwt.source") && !IsBlank(jwt.jwt_file) && !has_oauth2) {
    jwt.source = JwtSource::kFile;
  }
}

// Replaces the prefix by systemd's directory. A path without a plain file name is left unchanged
// and violates the key's rule.
bool ExpandCredential(std::string& path, const Environment& environment) {
  if (!path.starts_with(kCredentialPrefix)) {
    return false;
  }
  const std::string name(CredentialName(path));
  const auto directory = Lookup(environment, "CREDENTIALS_DIRECTORY");
  if (directory && directory->front() == '/' && !name.empty()) {
    path = *directory + "/" + name;
  }
  return true;
}

void ExpandCredentials(ConfigDocument& document, const Environment& environment) {
  for (const SchemaRow& row : SchemaTable()) {
    const auto* field = std::get_if<TextField>(&row.field);
    if (field != nullptr && field->rule->may_be_credential &&
        ExpandCredential(field->write(document.config), environment)) {
      document.from_systemd.emplace(row.key);
      document.config.auth.credential_from_systemd = true;
    }
  }
}

void Finish(const LoadOptions& options, LoadResult& result) {
  ApplyOverrides(options, result);
  ApplyLegacySource(result.document);
  ExpandCredentials(result.document, options.environment);
  result.document.of_another_machine = options.of_another_machine;
}

struct FileText {
  std::optional<std::string> text;
  std::vector<Problem> problems;
};

Problem FileProblem(const std::string& path, std::string message) {
  return {path, {}, std::string(kConfigPath.flag), std::move(message)};
}

// A file that fails the safety checks is still read, so that its other problems are reported as
// well. It cannot be used, because the problem remains.
FileText ReadConfigFile(const LoadOptions& options) {
  FileText file;
  UniqueFd fd;
  if (options.safety == ConfigFileSafety::kChecked) {
    Opened opened = OpenFileByRules(options.path, ConfigFileRules());
    if (opened.refusal) {
      file.problems.push_back(
          FileProblem(options.path, DescribeRefusal(*opened.refusal, options.path)));
    } else {
      fd = std::move(opened.fd);
    }
  }
  if (!fd.valid()) {
    fd = UniqueFd(::open(options.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  }
  auto text = fd.valid() ? ReadRegularFile(fd.get(), kMaxYamlBytes)
                         : Error(ErrorCode::kSystem, "cannot be opened", errno);
  if (text) {
    file.text = *std::move(text);
  } else if (file.problems.empty()) {
    file.problems.push_back(FileProblem(options.path, text.error().Describe()));
  }
  return file;
}

}  // namespace

LoadOptions LoadOptions::ForAnotherMachine() const {
  LoadOptions options = *this;
  options.environment = nullptr;
  options.of_another_machine = true;
  return options;
}

std::optional<EnvironmentValue> ReadEnvironment(const Override& override,
                                                const Environment& environment) {
  for (const std::string_view name : {override.variable, override.second_variable}) {
    if (name.empty()) {
      continue;
    }
    if (auto value = Lookup(environment, name)) {
      return EnvironmentValue{name, *std::move(value)};
    }
  }
  return std::nullopt;
}

Config DefaultConfig() {
  ConfigDocument document;
  for (const SchemaRow& row : SchemaTable()) {
    if (!DecodeText(row, row.default_text, document).empty() || !document.refused_words.empty()) {
      std::abort();  // the table itself is wrong; a test reads every row
    }
  }
  return std::move(document.config);
}

LoadResult LoadConfigText(std::string_view name,
                          std::string_view text,
                          const LoadOptions& options) {
  LoadResult result;
  ConfigDocument& document = result.document;
  document.path = std::string(name);
  document.config = DefaultConfig();
  auto tree = ParseYaml(text);
  if (auto* problem = std::get_if<YamlProblem>(&tree)) {
    result.problems.push_back({document.path, problem->where, "", std::move(problem->message)});
    return result;
  }
  result.problems = Decode(std::get<YamlNode>(tree), document);
  if (!document.Has("configVersion") && !IsFaulty(result.problems, "configVersion")) {
    result.problems.push_back(document.ProblemAt("configVersion", "is required"));
  }
  Finish(options, result);
  return result;
}

LoadResult LoadConfig(const LoadOptions& options) {
  if (options.path.empty()) {
    LoadResult result;
    result.document.config = DefaultConfig();
    Finish(options, result);
    return result;
  }
  FileText file = ReadConfigFile(options);
  if (!file.text) {
    LoadResult result;
    result.document.path = options.path;
    result.document.config = DefaultConfig();
    result.problems = std::move(file.problems);
    for (Problem& problem : result.problems) {
      // Reported for the whole file, so that keys of an unread file are not reported as missing.
      problem.message.insert(0, std::exchange(problem.key, "") + ": ");
    }
    return result;
  }
  LoadResult result = LoadConfigText(options.path, *file.text, options);
  result.problems.insert(result.problems.begin(), std::make_move_iterator(file.problems.begin()),
                         std::make_move_iterator(file.problems.end()));
  return result;
}

}  // namespace baokms::supervisor
