#include "supervisor/cli/command_line.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>

#include "supervisor/config/closest_name.h"
#include "supervisor/config/duration_text.h"
#include "supervisor/config/text_rules.h"

namespace baokms::supervisor {
namespace {

constexpr std::string_view kDefaultSocket = "/run/openbao-kms/kms.sock";
constexpr std::string_view kDefaultTimeout = "10s";
constexpr const char* kOutputFlag = "--output";

// The values that parsing fills in, as text.
struct RawValues {
  GlobalFlags globals;
  std::string output = "text";
  std::string socket{kDefaultSocket};
  std::string timeout{kDefaultTimeout};
  std::string expected_key_id;
  bool include_token_renewal = true;
  bool clear = false;
  bool version = false;
  StateFlags state;
  std::vector<std::string> topics;
};

using Outcome = std::variant<Command, UsageError>;

// CLI11 takes the arguments from the back. What it would read in its own way is settled here: an
// empty value in "--flag=" (it would take the next argument), and the words "--" and "++".
std::variant<std::vector<std::string>, UsageError> PrepareArguments(
    std::span<const std::string> arguments) {
  std::vector<std::string> reversed;
  for (auto it = arguments.rbegin(); it != arguments.rend(); ++it) {
    if (*it == "--" || *it == "++") {
      return UsageError{std::string("unexpected argument \"").append(*it).append("\"")};
    }
    if (it->starts_with("--") && it->find('=') == it->size() - 1) {
      reversed.emplace_back();
      reversed.push_back(it->substr(0, it->size() - 1));
    } else {
      reversed.push_back(*it);
    }
  }
  return reversed;
}

// Owns the parser and the values it writes to.
class Parser {
 public:
  Parser() : app_("Kubernetes KMS v2 provider for OpenBao Transit", std::string(kProgramName)) {
    app_.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    app_.add_flag("--version", values_.version, "Print the version");
    Prepare(app_);
    AddServe();
    AddConfig();
    AddVersion();
    AddPolicy();
    AddProbe();
    AddRotation();
    AddRecovery();
    AddPinLatch();
    AddCompletion();
    AddHelp();
  }

  std::variant<CommandLine, UsageError> Parse(std::span<const std::string> arguments) {
    auto prepared = PrepareArguments(arguments);
    if (auto* error = std::get_if<UsageError>(&prepared)) {
      return *std::move(error);
    }
    try {
      app_.parse(std::get<std::vector<std::string>>(std::move(prepared)));
    } catch (const CLI::CallForHelp&) {
      return CommandLine{{}, HelpCommand{HelpOf(Selected())}};
    } catch (const CLI::ExtrasError&) {
      return UsageError{DescribeExtra()};
    } catch (const CLI::Error& error) {
      return UsageError{OneLine(error.what())};
    }
    Outcome outcome = Run();
    if (auto* error = std::get_if<UsageError>(&outcome)) {
      return *std::move(error);
    }
    return CommandLine{values_.globals, std::get<Command>(std::move(outcome))};
  }

  CommandNode Describe() { return Describe(app_); }

 private:
  using Handler = std::function<Outcome()>;

  // What every command has. Global flags are accepted before and after the command's name.
  void Prepare(CLI::App& app) {
    app.set_help_flag("-h,--help", "Print this help");
    app.require_subcommand(0, 1);
    GlobalFlags& globals = values_.globals;
    app.add_option("--config", globals.config, "Configuration file")->type_name("PATH");
    app.add_option("--log-level", globals.log_level, "Instead of logging.level");
    app.add_option("--metrics-address", globals.metrics_address,
                   "Instead of server.metricsAddress");
    app.add_option("--health-address", globals.health_address, "Instead of server.healthAddress");
    for (CLI::Option* option : app.get_options()) {
      if (option->get_type_name() == "TEXT") {
        option->type_name("VALUE");
      }
    }
  }

  CLI::App& Add(CLI::App& parent, const char* name, const char* description, Handler handler) {
    CLI::App& app = *parent.add_subcommand(name, description);
    Prepare(app);
    handlers_.emplace_back(&app, std::move(handler));
    return app;
  }

  // A command that only holds others: without one of them it prints its help.
  CLI::App& AddGroup(CLI::App& parent, const char* name, const char* description) {
    CLI::App& app = *parent.add_subcommand(name, description);
    Prepare(app);
    handlers_.emplace_back(&app, [&app] { return Outcome(HelpCommand{HelpOf(app)}); });
    return app;
  }

  void AddOutput(CLI::App& app) {
    app.add_option(kOutputFlag, values_.output, "text or json")->type_name("FORMAT");
  }

  void AddServe() {
    Add(app_, "serve", "Run the provider", [] { return Outcome(ServeCommand{}); });
  }

  void AddConfig() {
    CLI::App& config = Add(app_, "config", "Show what the configuration says", [this] {
      return WithOutput([](OutputFormat output) { return Command(ConfigCommand{output}); });
    });
    AddOutput(config);
    Add(config, "schema", "Print the JSON Schema of the configuration",
        [] { return Outcome(SchemaCommand{}); });
    Add(config, "reference", "Print docs/config.md, the reference of all keys",
        [] { return Outcome(ReferenceCommand{}); });
  }

  void AddVersion() {
    CLI::App& version = Add(app_, "version", "Print version and build", [this] {
      return WithOutput([](OutputFormat output) { return Command(VersionCommand{output}); });
    });
    AddOutput(version);
  }

  void AddPolicy() {
    CLI::App& policy = AddGroup(app_, "policy", "Write access policies");
    CLI::App& openbao =
        Add(policy, "openbao", "Print the OpenBao policy the provider needs", [this] {
          const TokenRenewal renewal =
              values_.include_token_renewal ? TokenRenewal::kInclude : TokenRenewal::kLeaveOut;
          return WithOutput([&](OutputFormat output) {
            return Command(PolicyCommand{renewal, output});
          });
        });
    openbao.add_flag("--include-token-renewal", values_.include_token_renewal,
                     "Let the token renew itself (default true)");
    AddOutput(openbao);
  }

  void AddProbe() {
    CLI::App& probe =
        Add(app_, "probe", "Ask a running provider through its socket", [this] { return Probe(); });
    probe.add_option("--socket", values_.socket, "Socket of the provider, an absolute path")
        ->type_name("PATH");
    probe.add_option("--timeout", values_.timeout, "Limit of the whole probe, 10s unless given")
        ->type_name("DURATION");
    probe.add_option("--expected-key-id", values_.expected_key_id, "Key id that has to be active")
        ->type_name("ID");
    AddOutput(probe);
  }

  using ParseState = StateTaskOrError (*)(const StateFlags&);

  CLI::App& AddState(const char* name, const char* description, ParseState parse) {
    CLI::App& app = Add(app_, name, description, [this, parse] { return State(parse); });
    AddOutput(app);
    return app;
  }

  void AddRotation() {
    AddState("rotation-plan", "Show where this node is in a rotation of the Transit key",
             [](const StateFlags&) { return StateTaskOrError(StateTask(RotationPlanTask{})); });
    AddVerify();
    StateFlags& flags = values_.state;
    CLI::App& retire = AddState(
        "retire-versions",
        "Take old key versions out of this node's registry; a plan unless --apply is given",
        ParseRetire);
    retire
        .add_option("--before-version", flags.before_version,
                    "Retire the versions below this one, which is above 1 and not above the "
                    "active one")
        ->type_name("N");
    AddApply(retire, "stateHash");
    CLI::App& restore =
        AddState("restore-versions",
                 "Put retired key versions back into this node's registry; a plan unless --apply "
                 "is given",
                 ParseRestore);
    restore.add_option("--versions", flags.versions, "Versions to put back, such as 1,2")
        ->type_name("LIST");
    AddApply(restore, "stateHash");
  }

  void AddVerify() {
    StateFlags& flags = values_.state;
    CLI::App& verify =
        AddState("verify-rotation",
                 "Check the end of a rotation; with --scan-etcd also whether old versions may go",
                 ParseVerify);
    verify
        .add_option("--scan-etcd", flags.scan_etcd,
                    "Count what is stored in this etcd (https://HOST:PORT) by provider and key")
        ->type_name("ENDPOINT");
    verify.add_option("--cacert", flags.cacert, "Authorities that etcd's certificate may be from")
        ->type_name("PATH");
    verify.add_option("--cert", flags.cert, "Client certificate for etcd")->type_name("PATH");
    verify.add_option("--key", flags.key, "Private key of --cert")->type_name("PATH");
    verify.add_option("--prefix", flags.prefix, "Keys to read, /registry/ unless given")
        ->type_name("PREFIX");
  }

  void AddRecovery() {
    StateFlags& flags = values_.state;
    CLI::App& recover =
        AddState("recover-state",
                 "Rebuild a lost registry from what OpenBao shows; a plan unless --apply is given",
                 ParseRecover);
    recover.add_option("--output-file", flags.output_file, "New file for the report")
        ->type_name("PATH");
    recover
        .add_option("--expected-active-key-id-hash", flags.expected_active_key_id_hash,
                    "activeKeyIdHash of a healthy node, which this one has to come to as well")
        ->type_name("HASH");
    AddApply(recover, "nextStateHash");
    CLI::App& migrate = AddState(
        "migrate-state",
        "Carry a state file of schema v1alpha1 over to v1alpha2; a plan unless --apply is given",
        ParseMigrate);
    AddApply(migrate, "nextStateHash");
    CLI::App& exported =
        AddState("export-state", "Write this node's registry, checked, into one file", ParseExport);
    exported.add_option("--output-file", flags.output_file, "New file for the registry")
        ->type_name("PATH");
    CLI::App& import =
        AddState("import-state",
                 "Take over the exported registry of another node; a plan unless --apply is given",
                 ParseImport);
    import
        .add_option("--input-file", flags.input_file, "What export-state wrote on the other node")
        ->type_name("PATH");
    AddApply(import, "nextStateHash");
  }

  // `hash` is the member of the plan that --expected-state-hash repeats.
  void AddApply(CLI::App& app, const std::string& hash) {
    app.add_flag("--apply", values_.state.apply,
                 "Write the plan; the provider on this node must be stopped");
    app.add_option("--expected-state-hash", values_.state.expected_state_hash,
                   hash + " of the reviewed plan; needed with --apply")
        ->type_name("HASH");
  }

  void AddPinLatch() {
    CLI::App& latch = Add(app_, "pin-latch", "Show whether an HSM PIN is latched", [this] {
      const PinLatchAction action = values_.clear ? PinLatchAction::kClear : PinLatchAction::kShow;
      return WithOutput([&](OutputFormat output) {
        return Command(PinLatchCommand{action, output});
      });
    });
    latch.add_flag("--clear", values_.clear, "Let the PIN be tried again");
    AddOutput(latch);
  }

  void AddCompletion() {
    CLI::App& completion = AddGroup(app_, "completion", "Print a completion script for a shell");
    for (const char* name : {"bash", "fish", "powershell", "zsh"}) {
      Add(completion, name, "Print the script for this shell", [name] {
        const auto shell = ParseShell(name);
        return shell.has_value() ? Outcome(CompletionCommand{*shell}) : Outcome(UsageError{name});
      });
    }
  }

  void AddHelp() {
    CLI::App& help = Add(app_, "help", "Print help about a command", [this] { return Help(); });
    help.add_option("command", values_.topics, "Command to explain");
  }

  // The innermost command that was named.
  CLI::App& Selected() {
    CLI::App* app = &app_;
    while (!app->get_subcommands().empty()) {
      app = app->get_subcommands().front();
    }
    return *app;
  }

  Outcome Run() {
    const CLI::App& selected = Selected();
    if (values_.version) {
      return Command(ShortVersionCommand{});
    }
    for (const auto& [app, handler] : handlers_) {
      if (app == &selected) {
        return handler();
      }
    }
    return Command(HelpCommand{HelpOf(app_)});
  }

  template <typename Make>
  Outcome WithOutput(Make make) const {
    std::string text(TrimSpace(values_.output));
    for (char& c : text) {
      c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
    if (text == "text" || text == "json") {
      return make(text == "json" ? OutputFormat::kJson : OutputFormat::kText);
    }
    return UsageError{std::string("unsupported output format \"")
                          .append(Printable(values_.output))
                          .append("\": expected text or json")};
  }

  Outcome Probe() const {
    if (!values_.socket.starts_with('/')) {
      return UsageError{"--socket must be an absolute Unix socket path"};
    }
    const auto timeout = ParseDuration(values_.timeout);
    if (!timeout.has_value()) {
      return UsageError{"--timeout must be a duration with a unit, such as 10s"};
    }
    if (*timeout <= Duration(0)) {
      return UsageError{"--timeout must be positive"};
    }
    ProbeOptions options{values_.socket, *timeout, std::nullopt};
    if (!values_.expected_key_id.empty()) {
      const auto key_id = contract::KeyId::Parse(values_.expected_key_id);
      if (!key_id.has_value()) {
        return UsageError{"--expected-key-id must be a provider key ID"};
      }
      options.expected_key_id = *key_id;
    }
    return WithOutput([&](OutputFormat output) { return Command(ProbeCommand{options, output}); });
  }

  Outcome State(ParseState parse) const {
    StateTaskOrError task = parse(values_.state);
    if (auto* error = std::get_if<UsageError>(&task)) {
      return std::move(*error);
    }
    return WithOutput([&task](OutputFormat output) {
      return Command(StateCommand{std::get<StateTask>(std::move(task)), output});
    });
  }

  Outcome Help() {
    CLI::App* app = &app_;
    std::string path;
    for (const std::string& topic : values_.topics) {
      path.append(path.empty() ? "" : " ").append(topic);
      const auto children =
          app->get_subcommands([&](const CLI::App* child) { return child->get_name() == topic; });
      if (children.empty()) {
        return UsageError{
            std::string("unknown help topic \"").append(Printable(path)).append("\"")};
      }
      app = children.front();
    }
    return Command(HelpCommand{HelpOf(*app)});
  }

  // "bao-kms-provider config schema".
  static std::string FullName(const CLI::App& app) {
    std::string name = app.get_name();
    for (const CLI::App* at = app.get_parent(); at != nullptr; at = at->get_parent()) {
      name.insert(0, at->get_name() + " ");
    }
    return name;
  }

  // Not App::help(), which would explain the command that was named instead.
  static std::string HelpOf(const CLI::App& app) {
    return app.get_formatter()->make_help(&app, FullName(app), CLI::AppFormatMode::Normal);
  }

  std::string DescribeExtra() {
    CLI::App& app = Selected();
    const std::vector<std::string> extras = app_.remaining(true);
    const std::string extra = extras.empty() ? std::string() : extras.front();
    if (extra.starts_with('-')) {
      return "unknown flag: " + Printable(extra.substr(0, extra.find('=')));
    }
    const auto children = app.get_subcommands([](const CLI::App* /*child*/) { return true; });
    if (children.empty()) {
      return std::string("unexpected argument \"").append(Printable(extra)).append("\"");
    }
    std::string message = std::string("unknown command \"").append(Printable(extra));
    message.append("\" for \"").append(FullName(app)).append("\"");
    std::vector<std::string> names;
    for (const CLI::App* child : children) {
      names.push_back(child->get_name());
    }
    const std::vector<std::string_view> views(names.begin(), names.end());
    if (const auto closest = ClosestName(extra, views)) {
      message.append("; did you mean \"").append(*closest).append("\"?");
    }
    return message;
  }

  // CLI11's texts repeat what was typed.
  static std::string OneLine(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
    return text;
  }

  static CommandNode Describe(CLI::App& app) {
    CommandNode node{app.get_name(), app.get_description(), {}, {}};
    for (const CLI::Option* option : app.get_options()) {
      if (!option->get_lnames().empty()) {
        node.flags.push_back(DescribeFlag(*option));
      }
    }
    for (CLI::App* child : app.get_subcommands([](const CLI::App* /*child*/) { return true; })) {
      node.children.push_back(Describe(*child));
    }
    return node;
  }

  static FlagNode DescribeFlag(const CLI::Option& option) {
    FlagNode flag{
        "--" + option.get_lnames().front(), option.get_description(), FlagValueKind::kText, {}};
    if (option.get_expected_min() == 0) {
      flag.value = FlagValueKind::kNone;
    } else if (option.get_type_name() == "PATH") {
      flag.value = FlagValueKind::kFile;
    }
    if (flag.name == kOutputFlag) {
      flag.choices = {"text", "json"};
    }
    return flag;
  }

  RawValues values_;
  CLI::App app_;
  std::vector<std::pair<const CLI::App*, Handler>> handlers_;
};

}  // namespace

std::variant<CommandLine, UsageError> ParseCommandLine(std::span<const std::string> arguments) {
  return Parser().Parse(arguments);
}

CommandNode DescribeCommands() {
  return Parser().Describe();
}

}  // namespace baokms::supervisor
