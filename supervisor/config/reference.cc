#include "supervisor/config/reference.h"

#include <limits>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "supervisor/config/auth_method.h"
#include "supervisor/config/load.h"
#include "supervisor/config/rules.h"
#include "supervisor/config/schema_table.h"
#include "supervisor/config/yaml_tree.h"

namespace baokms::supervisor {
namespace {

std::string Code(std::string_view text) {
  return std::string("`").append(text).append("`");
}

std::string_view DescribeNeed(const Need& need) {
  return need.required == nullptr ? std::string_view() : need.required->text;
}

// Returns "none" where an empty value is not allowed, and `""` or `[]` where it means "not set".
std::string DescribeDefault(const SchemaRow& row) {
  const bool needed = row.need.required != nullptr;
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

std::string DescribeRange(const NumberRule& rule) {
  if (rule.max == std::numeric_limits<int>::max()) {
    return "at least " + std::to_string(rule.min);
  }
  return std::to_string(rule.min) + " to " + std::to_string(rule.max);
}

// Formats the "allowed" column.
template <typename F>
std::string DescribeAllowed(const F& field) {
  if constexpr (std::is_same_v<F, ChoiceField>) {
    return JoinWords(field.words(), "`");
  } else if constexpr (std::is_same_v<F, DurationField>) {
    return field.least == Least::kAboveZero ? "greater than 0"
                                            : (field.least == Least::kZero ? "not negative" : "");
  } else if constexpr (requires { field.rule->allowed; }) {
    return std::string(field.rule->allowed);
  } else if constexpr (requires { field.rule.min; }) {
    return DescribeRange(field.rule);
  }
  return "";
}

void AppendTable(std::string_view section, std::string& text) {
  std::string rows;
  for (const std::string_view name : ChildNames(section)) {
    const SchemaRow* row = FindSchemaRow(JoinKey(section, name));
    if (row == nullptr) {
      continue;
    }
    std::string description(row->description);
    if (row->extras.since == Since::kOurs) {
      description.append(" *Not in the Go provider.*");
    }
    rows.append("| ").append(Code(row->key)).append(" | ");
    std::visit(
        [&](const auto& field) {
          rows.append(field.kTypeName).append(" | ").append(DescribeNeed(row->need)).append(" | ");
          rows.append(DescribeDefault(*row)).append(" | ").append(DescribeAllowed(field));
        },
        row->field);
    rows.append(" | ").append(description).append(" |\n");
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

void AppendOverride(const Override& override, std::string_view sets, std::string& text) {
  text.append("| ").append(Code(override.variable)).append(" | ");
  text.append(Code(override.second_variable)).append(" | ").append(Code(override.flag));
  text.append(" | ").append(sets).append(" |\n");
}

void AppendEnvironment(std::string& text) {
  text.append("| variable | alternative name | flag | sets |\n|---|---|---|---|\n");
  AppendOverride(kConfigPath, "path of the configuration file", text);
  for (const SchemaRow& row : SchemaTable()) {
    if (!row.extras.override.variable.empty()) {
      AppendOverride(row.extras.override, Code(row.key), text);
    }
  }
  text.append("\n");
}

constexpr std::string_view kIntroduction =
    R"(<!-- Written by `bao-kms-provider config reference`. Change supervisor/config, not this file. -->
# Configuration

The provider reads one YAML file, by convention `/etc/openbao-kms/config.yaml`. A file that the Go
provider of the same name accepts has the same meaning here. `bao-kms-provider config` validates the
file as `serve` does, and `bao-kms-provider config schema` prints a JSON Schema for editors.

## How the file is read

* `configVersion` must be written in the file.
* Flags take precedence over environment variables, these over the file, and the file over the
  defaults. An empty environment variable counts as unset; an empty flag does not.
* A key that is not listed here is an error, at any depth. Keys are case-sensitive and may appear
  once.
* Types are strict. Quote a string that YAML would read as a number, a boolean, a date or null:
  `socketMode: "0660"`, `keyName: "0123"`. A key without a value is an error as well: leave the key
  out instead. Lists must be YAML lists.
* A duration is a string of numbers with the units `ns`, `us`, `ms`, `s`, `m` and `h`: `30s`,
  `1h30m`, `1.5s`. A number without a unit is an error. No duration may exceed 878400h (100 years).
* Anchors, aliases and merge keys work. Tags other than `!!str`, `!!map` and `!!seq`, a second
  document, control characters and text that is not UTF-8 are errors.
* Where the table says so, `${CREDENTIALS_DIRECTORY}/name` stands for a systemd credential.
)";

constexpr std::string_view kErrors = R"(
## Errors

All problems are found in one pass, and the command exits with code 3. The first line on standard
error names all of them; one line for each problem that has a location follows:

```
config invalid; server.sockePath: unknown key; did you mean "socketPath"?; openbao.timeout: must be greater than 0
config.yaml:4:3: server.sockePath: unknown key; did you mean "socketPath"?
config.yaml:9:3: openbao.timeout: must be greater than 0
```

The location is `file:line:column` of the key, of the list entry, or of the section in which a key is
missing. For a value that does not come from the file it is the name of the flag or the environment
variable. Values are never repeated.

To validate a file on another machine than the one that it is meant for, run
`bao-kms-provider config --no-host-checks`: certificates, directories and permissions are then not
checked (see [Files](#files)), and the environment of this machine is left out: its overrides of keys,
its proxy and its `CREDENTIALS_DIRECTORY`. A path below the latter is accepted as it is written.

## Environment and flags

Neither secrets nor parts of the key identity can be set through the environment.

)";

constexpr std::string_view kRelations = R"(## Relations between keys

* `status.probeInterval` must be less than `status.statusMaxStaleness`.
* `auth.tokenRenewalIncrement` must be greater than `auth.loginBeforeTokenExpiry`.
* `server.metricsAddress` and `server.healthAddress` must differ unless one of them is empty or has
  port 0. IP addresses are compared as addresses and names without regard to case; no name is looked
  up.
* `openbao.additionalAddresses` must not contain duplicates or repeat `openbao.address`, and has at
  most 63 entries.
* `logging.debugCorrelation.enabled` requires `logging.level: debug`,
  `logging.logOpenBaoRequestIDs: true`, an `incidentId`, and a `ttl` above 0 and at most 1h.
* With `auth.jwt.source: file` the section `oauth2` must be left out or empty. With `oauth2`,
  `jwtFile` must be left out, and `expectedIssuer` and at least one `expectedAudience` are required.

`bao-kms-provider config` and `serve` warn, but do not fail, if

* `openbao.timeout` is not below the KMS timeout of the API server,
* an address of OpenBao has a path, such as `/v1`,
* the path of the auth mount does not begin with `auth/`, or that of the Transit mount begins with
  `v1/`,
* `server.metricsAddress` is not a loopback address,
* `server.socketMode` does not let the group of the socket write,
* `auth.jwt.jwtFile` is a systemd credential, which does not change while the service runs,
* `auth.cert.pkcs11.maxSessions` is above 2,
* `bootstrap.retryInterval` is above `bootstrap.graceTimeout`,
* `status.deepProbeInterval` is below `status.probeInterval`,
* a duration is much longer than usual,
* `rotation.rejectVersionRollback` is false, or `rotation.activationDelay` is below 10s,
* `auth.loginBudgetPerMinute` allows less than one login per worker,
* `isolation.workers` is 1, with which nothing independent verifies the answer of an Encrypt or a
  Decrypt, and the provider cannot follow a rotation
  ([rotation](rotation.md#one-worker)).

## Reload

On SIGHUP, `serve` reads file, environment and flags again, as it did at the start. What happens to a
key that changed depends on the key:

* `logging.level`, `server.maxConcurrentStatus`, `server.maxConcurrentEncrypt` and
  `server.maxConcurrentDecrypt` take effect immediately; `auth.loginBeforeTokenExpiry` takes effect
  with the next token or renewal.
* Keys that determine whom the provider trusts or who it is are fixed at the start: `openbao` except
  for its `timeout`, `auth.method`, `auth.jwt`, `auth.cert`, `transit`, `state.path`,
  `server.socketPath`, and the contents of the CA bundles. If one of them changed, the whole reload
  is refused and the log names the key.
* Any other key that changed is named in the log and takes effect after a restart.

A file with a problem also refuses the reload, and the running configuration stays in force.

## Files

`config` also reads the state file and its checkpoint, as `serve` does, and checks who can replace or
read the programs that are installed beside `bao-kms-provider`.

`serve` and `config` check these files. No directory on the way to them may be writable by others
(directories with the sticky bit excepted). The file and every directory must belong to root or to
the user of the provider. A symbolic link is followed only if it and all directories on the way to it
belong to root.

| file | forbidden mode bits | other conditions |
|---|---|---|
| the configuration file | `0037` | absolute path; at most 1 MiB |
| `openbao.caCertFile` | `0022` | at least one PEM certificate; at most 1 MiB |
| `auth.jwt.oauth2.caCertFile` | `0022` | as above |
| directory of `server.socketPath` | `0022` | must exist and not be a symbolic link |
| `server.socketPath` | | must be a socket if it exists |
| directory of `state.path` | `0022` | must exist |
| `auth.cert.pkcs11.modulePath` | `0022` | with source `pkcs11`, if it exists; the agent checks it again, and a module that a URI names |
| `auth.cert.pkcs11.stateDirectory` | | must exist, with source `pkcs11` |

The auth agent checks the credential files each time it uses them.

)";

// Writes the keys of an example in the table's order and opens sections as needed.
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

// Returns the configuration against which an example evaluates the conditions of keys.
Config ConfigOf(AuthMethod method) {
  Config config;
  config.auth.method = method;
  config.auth.jwt.source = JwtSource::kFile;
  config.auth.cert.source = CertSource::kPkcs11;
  return config;
}

}  // namespace

std::string ExampleYaml(AuthMethod method) {
  ExampleWriter writer;
  const Config config = ConfigOf(method);
  for (const SchemaRow& row : SchemaTable()) {
    const bool required = row.need.required != nullptr && row.need.required->holds(config);
    const bool is_method = row.key == "auth.method";
    if (required && is_method) {
      writer.Write(row, WordOf(config.auth.method));
    } else if (required && !row.extras.example.empty()) {
      writer.Write(row, row.extras.example);
    } else if (required && row.key == "configVersion") {
      writer.Write(row, row.default_text);
    }
  }
  return std::move(writer).TakeText();
}

std::string ReferenceMarkdown() {
  std::string text(kIntroduction);
  text.append(kErrors);
  AppendEnvironment(text);
  text.append("## Minimal file\n\n");
  for (const AuthMethodTraits& traits : kAuthMethods) {
    text.append(traits.example_title).append(":\n\n```yaml\n");
    text.append(ExampleYaml(traits.value)).append("```\n\n");
  }
  text.append("## Keys\n\n");
  AppendSections("", text);
  text.append(kRelations);
  text.resize(text.find_last_not_of('\n') + 1);
  return text.append("\n");
}

}  // namespace baokms::supervisor
