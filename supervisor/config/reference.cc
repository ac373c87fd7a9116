#include "supervisor/config/reference.h"

#include <array>
#include <string_view>
#include <utility>
#include <variant>

#include "supervisor/config/field_rules.h"
#include "supervisor/config/load.h"
#include "supervisor/config/schema_table.h"
#include "supervisor/config/yaml_tree.h"

namespace baokms::supervisor {
namespace {

std::string Code(std::string_view text) {
  return std::string("`").append(text).append("`");
}

struct TypeName {
  std::string_view operator()(const TextField& /*field*/) const { return "string"; }

  std::string_view operator()(const IntField& /*field*/) const { return "integer"; }

  std::string_view operator()(const BoolField& /*field*/) const { return "boolean"; }

  std::string_view operator()(const DurationField& /*field*/) const { return "duration"; }

  std::string_view operator()(const TextListField& /*field*/) const { return "list of strings"; }

  std::string_view operator()(const IdListField& /*field*/) const { return "list of integers"; }
};

std::string_view DescribeNeed(Need need) {
  switch (need) {
    case Need::kRequired:
      return "yes";
    case Need::kJwtRequired:
      return "with method `jwt`";
    case Need::kFileRequired:
      return "with source `file`";
    case Need::kOAuth2Required:
      return "with source `oauth2`";
    case Need::kCertRequired:
      return "with method `cert`";
    case Need::kPkcs11Required:
      return "with source `pkcs11`";
    case Need::kPkcs11LabelRequired:
      return "with source `pkcs11` and no `uri`";
    case Need::kOptional:
    case Need::kJwtOptional:
    case Need::kOAuth2Optional:
    case Need::kCertOptional:
    case Need::kPkcs11Optional:
    case Need::kSpiffeOptional:
      return "";
  }
  return "";
}

// "none" where an empty value is not allowed, `""` or `[]` where it means "not set".
std::string DescribeDefault(const SchemaRow& row) {
  const bool needed = !DescribeNeed(row.need).empty();
  const bool is_list = std::holds_alternative<TextListField>(row.field) ||
                       std::holds_alternative<IdListField>(row.field);
  if (row.default_text.empty()) {
    return is_list ? Code("[]") : (needed ? "none" : Code("\"\""));
  }
  if (row.default_text == "0" && needed) {
    return "none";
  }
  return Code(row.default_text);
}

void AppendTable(std::string_view section, std::string& text) {
  std::string rows;
  for (const std::string_view name : ChildNames(section)) {
    const SchemaRow* row = FindSchemaRow(JoinKey(section, name));
    if (row == nullptr) {
      continue;
    }
    std::string description(row->description);
    if (row->since == Since::kOurs) {
      description.append(" *Not in the Go provider.*");
    }
    rows.append("| ").append(Code(row->key)).append(" | ");
    rows.append(std::visit(TypeName(), row->field)).append(" | ");
    rows.append(DescribeNeed(row->need)).append(" | ").append(DescribeDefault(*row));
    rows.append(" | ").append(DescribeRule(row->rule)).append(" | ");
    rows.append(description).append(" |\n");
  }
  if (!rows.empty()) {
    text.append("| key | type | required | default | allowed | meaning |\n");
    text.append("|---|---|---|---|---|---|\n").append(rows).append("\n");
  }
}

void AppendSections(std::string_view section, std::string& text) {
  if (!section.empty()) {
    text.append("### ").append(Code(section)).append("\n\n");
    text.append(SectionDescription(section)).append("\n\n");
  }
  AppendTable(section, text);
  for (const std::string_view name : ChildNames(section)) {
    const std::string key = JoinKey(section, name);
    if (FindSchemaRow(key) == nullptr) {
      AppendSections(key, text);
    }
  }
}

void AppendEnvironment(std::string& text) {
  text.append("| variable | the same | flag | sets |\n|---|---|---|---|\n");
  for (const EnvironmentRow& row : EnvironmentTable()) {
    text.append("| ").append(Code(row.name)).append(" | ").append(Code(row.second_name));
    text.append(" | ").append(Code(row.flag)).append(" | ");
    text.append(row.description).append(" |\n");
  }
  text.append("\n");
}

constexpr std::string_view kIntroduction =
    R"(<!-- Written by `bao-kms-provider config reference`. Change supervisor/config, not this file. -->
# Configuration

One YAML file, by convention `/etc/openbao-kms/config.yaml`. A file that the Go provider of the same
name accepts means the same here. `bao-kms-provider config schema` prints a JSON Schema for editors.

## How it is read

* `configVersion` must be written in the file.
* A flag wins over the environment, the environment over the file, the file over the default. An
  empty environment variable counts as unset; a flag given as empty does not.
* A key that is not listed here, at any depth, is an error. Upper and lower case matter. A key may be
  there once.
* Types are strict. A string that would read as a number, a boolean, a date or null has to be in
  quotes: `socketMode: "0660"`, `keyName: "0123"`. A key with nothing after it is an error, too;
  leave the key out. Lists have to be lists.
* A duration is a string of numbers with the units `ns`, `us`, `ms`, `s`, `m`, `h`: `30s`, `1h30m`,
  `1.5s`. A bare number is an error.
* Anchors, aliases and merge keys work. Tags other than `!!str`, `!!map` and `!!seq`, a second
  document, control characters and text that is not UTF-8 are errors.
* `${CREDENTIALS_DIRECTORY}/name` stands for a systemd credential where the table says so.
)";

constexpr std::string_view kErrors = R"(
## Errors

All problems are found in one pass, and the command ends with exit code 3. Standard error has one
line that names them all, then one line per problem that has a place:

```
config invalid; server.sockePath: unknown key; did you mean "socketPath"?; openbao.timeout: must be greater than 0
config.yaml:4:3: server.sockePath: unknown key; did you mean "socketPath"?
config.yaml:9:3: openbao.timeout: must be greater than 0
```

The place is `file:line:column` of the key, of the list entry, or of the section where a key is
missing; for other values it is the flag or the variable. Values are never repeated.

## Environment and flags

No secret and no part of the key identity can come from the environment.

)";

constexpr std::string_view kRelations = R"(## Relations between keys

* `status.probeInterval` is less than `status.statusMaxStaleness`.
* `auth.tokenRenewalIncrement` is greater than `auth.loginBeforeTokenExpiry`.
* `server.metricsAddress` and `server.healthAddress` differ, unless one is off or has port 0. IP
  addresses are compared as addresses, names without case; no name is looked up.
* `openbao.additionalAddresses` has no address twice and not `openbao.address`.
* `logging.debugCorrelation.enabled` needs `logging.level: debug`,
  `logging.logOpenBaoRequestIDs: true`, an `incidentId` and a `ttl` above 0 and at most 1h.
* `auth.jwt.source: file`: the section `oauth2` is left out or empty. `oauth2`: `jwtFile` is left
  out, `expectedIssuer` and at least one `expectedAudience` are set.

`bao-kms-provider config` warns, and never fails, when `openbao.timeout` is not below the API
server's KMS timeout, `bootstrap.retryInterval` is above `bootstrap.graceTimeout`,
`status.deepProbeInterval` is below `status.probeInterval`, a duration is above what is sensible,
`rotation.rejectVersionRollback` is false, the login budget is below one per worker,
`rotation.activationDelay` is below 10s, or `isolation.workers` is 1, which can not follow a rotation
([rotation](rotation.md#one-worker)).

## Reload

On SIGHUP `serve` reads the configuration again: file, environment and flags as at the start. Of the
keys that changed,

* `logging.level`, `server.maxConcurrentStatus`, `server.maxConcurrentEncrypt` and
  `server.maxConcurrentDecrypt` take effect at once, `auth.loginBeforeTokenExpiry` with the next
  token or renewal;
* one that says whom to trust or who the provider is (`openbao` but for its `timeout`, `auth.method`,
  `auth.jwt`, `auth.cert`, `transit`, `state.path`, `server.socketPath`, and the content of the CA
  bundle) is fixed at the start: the whole reload is refused and the log names the key;
* any other is named in the log and waits for the next restart.

A file with a problem refuses the reload too; the running configuration stays.

## Files

`serve` checks these before it starts. No directory on the way may be writable by others (sticky ones
excepted), and each belongs to root or to the provider's user, as does the file. A symlink is
followed only when it is root's and every directory on the way to it is.

| file | forbidden mode bits | also |
|---|---|---|
| the configuration file | `0037` | absolute path, at most 1 MiB |
| `openbao.caCertFile` | `0022` | at least one PEM certificate, at most 1 MiB |
| `auth.jwt.oauth2.caCertFile` | `0022` | the same |
| directory of `server.socketPath` | `0022` | exists, is not a symlink |
| `server.socketPath` | | absent, or a socket |
| directory of `state.path` | `0022` | exists |

The auth agent checks the credential files each time it uses them.

)";

// Emits the keys of an example in the table's order, opening sections as they come.
class ExampleWriter {
 public:
  std::string TakeText() && { return std::move(text_); }

  void Write(const SchemaRow& row, std::string_view value) {
    OpenSections(row.key);
    const std::size_t dot = row.key.rfind('.');
    Indent(open_.size());
    text_.append(row.key.substr(dot == std::string_view::npos ? 0 : dot + 1)).append(": ");
    const bool is_text = std::holds_alternative<TextField>(row.field);
    const bool quote = is_text && ResolvePlain(value) != PlainType::kString;
    text_.append(quote ? "\"" : "").append(value).append(quote ? "\"" : "").append("\n");
  }

 private:
  void OpenSections(std::string_view key) {
    std::size_t depth = 0;
    std::size_t from = 0;
    for (std::size_t dot = key.find('.'); dot != std::string_view::npos;
         dot = key.find('.', from)) {
      const std::string_view name = key.substr(from, dot - from);
      if (depth >= open_.size() || open_[depth] != name) {
        open_.resize(depth);
        Indent(depth);
        text_.append(name).append(":\n");
        open_.emplace_back(name);
      }
      ++depth;
      from = dot + 1;
    }
    open_.resize(depth);
  }

  void Indent(std::size_t depth) { text_.append(depth * 2, ' '); }

  std::string text_;
  std::vector<std::string_view> open_;
};

bool BelongsTo(ExampleKind kind, Need need) {
  switch (need) {
    case Need::kRequired:
      return true;
    case Need::kJwtRequired:
    case Need::kFileRequired:
      return kind == ExampleKind::kJwtFile;
    case Need::kCertRequired:
    case Need::kPkcs11Required:
    case Need::kPkcs11LabelRequired:
      return kind == ExampleKind::kPkcs11;
    default:
      return false;
  }
}

}  // namespace

std::string ExampleYaml(ExampleKind kind) {
  ExampleWriter writer;
  for (const SchemaRow& row : SchemaTable()) {
    const bool is_method = row.key == "auth.method";
    const bool shown = is_method || row.key == "configVersion" || !row.example.empty();
    if (shown && BelongsTo(kind, row.need)) {
      const bool cert = is_method && kind == ExampleKind::kPkcs11;
      writer.Write(row, cert ? "cert" : (row.example.empty() ? row.default_text : row.example));
    }
  }
  return std::move(writer).TakeText();
}

std::string ReferenceMarkdown() {
  std::string text(kIntroduction);
  text.append(kErrors);
  AppendEnvironment(text);
  text.append("## Smallest file\n\nWith a JWT from a file:\n\n```yaml\n");
  text.append(ExampleYaml(ExampleKind::kJwtFile)).append("```\n\n");
  text.append("With a client certificate in a PKCS#11 token:\n\n```yaml\n");
  text.append(ExampleYaml(ExampleKind::kPkcs11)).append("```\n\n## Keys\n\n");
  AppendSections("", text);
  text.append(kRelations);
  text.resize(text.find_last_not_of('\n') + 1);
  return text.append("\n");
}

}  // namespace baokms::supervisor
