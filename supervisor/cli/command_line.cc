#include "supervisor/cli/command_line.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>

#include "supervisor/cli/commands/commands.h"
#include "supervisor/cli/version.h"
#include "supervisor/config/text_rules.h"

namespace baokms::supervisor {
namespace {

// CLI11 takes the arguments in reverse order. Arguments that it would interpret differently are
// handled here: an empty value in "--flag=" (it would take the next argument), and the arguments
// "--" and "++".
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

// Parses "text" or "json", in any case and surrounded by spaces.
std::optional<OutputFormat> ParseOutputFormat(std::string_view text) {
  text = TrimSpace(text);
  if (EqualsIgnoringAsciiCase(text, "text")) {
    return OutputFormat::kText;
  }
  return EqualsIgnoringAsciiCase(text, "json") ? std::optional(OutputFormat::kJson) : std::nullopt;
}

// Owns the parser and the values it writes to.
class Parser {
 public:
  Parser() : app_("Kubernetes KMS v2 provider for OpenBao Transit", std::string(kProgramName)) {
    app_.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    app_.add_flag("--version", version_, "Print the version");
    Prepare(app_);
    for (const Command* command : kCommands) {
      Add(app_, *command);
    }
  }

  std::variant<CommandLine, UsageError> Parse(std::span<const std::string> arguments) {
    auto prepared = PrepareArguments(arguments);
    if (auto* error = std::get_if<UsageError>(&prepared)) {
      return *std::move(error);
    }
    try {
      app_.parse(std::get<std::vector<std::string>>(std::move(prepared)));
    } catch (const CLI::CallForHelp&) {
      return Text(HelpOf(Selected()));
    } catch (const CLI::ExtrasError&) {
      return UsageError{DescribeExtra()};
    } catch (const CLI::Error& error) {
      return UsageError{OneLine(error.what())};
    }
    return Finish();
  }

  std::variant<std::string, UsageError> Help(std::span<const std::string> topics) const {
    const CLI::App* app = &app_;
    std::string path;
    for (const std::string& topic : topics) {
      path.append(path.empty() ? "" : " ").append(topic);
      const auto children =
          app->get_subcommands([&](const CLI::App* child) { return child->get_name() == topic; });
      if (children.empty()) {
        return UsageError{
            std::string("unknown help topic \"").append(Printable(path)).append("\"")};
      }
      app = children.front();
    }
    return HelpOf(*app);
  }

 private:
  void Add(CLI::App& parent, const Command& command) {
    CLI::App& app = *parent.add_subcommand(std::string(command.name), std::string(command.help));
    Prepare(app);
    AddFlags(app, command.flags);
    commands_.emplace_back(&app, &command);
    for (const Command& child : command.children) {
      Add(app, child);
    }
  }

  // Sets up what every command has. Global flags are accepted before and after the command's name.
  void Prepare(CLI::App& app) {
    app.set_help_flag("-h,--help", "Print this help");
    app.require_subcommand(0, 1);
    AddFlags(app, kGlobalFlags);
  }

  void AddFlags(CLI::App& app, std::span<const Flag> flags) {
    for (const Flag& flag : flags) {
      const std::string name(flag.name);
      const std::string help(flag.help);
      if (!name.starts_with('-')) {
        app.add_option(name, arguments_, help);
      } else if (flag.value.empty()) {
        app.add_flag(name, switches_[name], help);
      } else {
        app.add_option_function<std::string>(
               name, [this, name](const std::string& text) { values_[name] = text; }, help)
            ->type_name(std::string(flag.value));
      }
    }
  }

  // Returns the innermost command that was named.
  CLI::App& Selected() {
    CLI::App* app = &app_;
    while (!app->get_subcommands().empty()) {
      app = app->get_subcommands().front();
    }
    return *app;
  }

  static CommandLine Text(std::string text) {
    CommandLine line;
    line.text = std::move(text);
    return line;
  }

  std::variant<CommandLine, UsageError> Finish() {
    if (version_) {
      return Text(std::string(kProgramName).append(" version ") + ThisBuild().version + "\n");
    }
    const CLI::App& selected = Selected();
    const auto found = std::ranges::find(commands_, &selected, &Entry::first);
    if (found == commands_.end() || found->second->run == nullptr) {
      return Text(HelpOf(selected));
    }
    for (const auto& [name, on] : switches_) {
      const CLI::Option* option = selected.get_option_no_throw(name);
      if (option != nullptr && option->count() > 0) {
        values_[name] = on ? "true" : "false";
      }
    }
    CommandLine line{.command = found->second,
                     .text = {},
                     .values = std::move(values_),
                     .words = std::move(arguments_)};
    const auto output = line.values.find(kOutputFlag.name);
    if (output == line.values.end()) {
      return line;
    }
    const auto format = ParseOutputFormat(output->second);
    if (!format) {
      return UsageError{std::string("unsupported output format \"")
                            .append(Printable(output->second))
                            .append("\": expected text or json")};
    }
    line.output = *format;
    return line;
  }

  // Returns for example "bao-kms-provider config schema".
  static std::string FullName(const CLI::App& app) {
    std::string name = app.get_name();
    for (const CLI::App* at = app.get_parent(); at != nullptr; at = at->get_parent()) {
      name.insert(0, at->get_name() + " ");
    }
    return name;
  }

  // App::help() is not used, because it would explain the named subcommand instead.
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

  // CLI11's texts repeat what was typed, which may contain line breaks and control characters.
  static std::string OneLine(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
    return text;
  }

  using Entry = std::pair<const CLI::App*, const Command*>;

  FlagValues values_;
  std::map<std::string, bool> switches_;
  std::vector<std::string> arguments_;
  bool version_ = false;
  CLI::App app_;
  std::vector<Entry> commands_;
};

}  // namespace

std::variant<CommandLine, UsageError> ParseCommandLine(std::span<const std::string> arguments) {
  return Parser().Parse(arguments);
}

std::variant<std::string, UsageError> HelpText(std::span<const std::string> path) {
  return Parser().Help(path);
}

}  // namespace baokms::supervisor
