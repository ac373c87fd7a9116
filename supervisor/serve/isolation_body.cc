#include "supervisor/serve/isolation_body.h"

#include <nlohmann/json.hpp>

#include "supervisor/children/syscall_name.h"

namespace baokms::supervisor {
namespace {

using Json = nlohmann::ordered_json;

// The evidence for the verdict about one process.
Json Details(const ProcessFacts& facts) {
  Json details = Json::object();
  if (facts.confinement) {
    details["pid"] = facts.confinement->pid;
    if (facts.confinement->filters) {
      details["filters"] = *facts.confinement->filters;
    }
  }
  if (facts.reported) {
    details["filter"] = facts.reported->filter;
    details["landlock_abi"] = facts.reported->landlock_abi;
    if (facts.reported->refused_syscall != 0) {
      details["refused"] = SyscallName(facts.reported->refused_syscall);
    }
  }
  return details;
}

}  // namespace

Json IsolationBody(const IsolationReport& report) {
  Json processes = Json::object();
  Json details = Json::object();
  for (const ProcessFacts& process : report.processes) {
    processes[process.process] = process.Confined() ? "confined" : "unconfined";
    details[process.process] = Details(process);
  }
  Json body{{"level", ToText(report.decided.level)},
            {"helpers", report.decided.helpers_readable ? "readable" : "unreadable"},
            {"files", report.decided.files_changeable ? "changeable" : "protected"},
            {"credential", report.decided.credential_readable ? "readable" : "unreadable"},
            {"processes", std::move(processes)}};
  if (report.inherited_filters) {
    body["inherited_filters"] = *report.inherited_filters;
  }
  body["details"] = std::move(details);
  return body;
}

}  // namespace baokms::supervisor
