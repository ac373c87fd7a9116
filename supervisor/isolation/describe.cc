#include "supervisor/isolation/describe.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <set>
#include <utility>

namespace baokms::supervisor {
namespace {

template <typename Ids>
std::string List(const Ids& ids) {
  std::vector<std::string> texts;
  for (const auto id : ids) {
    texts.push_back(std::to_string(id));
  }
  return texts.empty() ? "none" : Join(texts, ",");
}

std::string Hex(std::uint64_t number) {
  std::array<char, 16> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number, 16).ptr;
  return "0x" + std::string(text.data(), end);
}

std::string FilterText(const ProcessView& process, const ReportedProcess& reported) {
  if (!process.confinement.seccomp_filter) {
    return "no seccomp filter";
  }
  std::string text = "seccomp filters ";
  text.append(process.confinement.filters ? std::to_string(*process.confinement.filters)
                                          : "unknown");
  text.append(", the last ").append(reported.filter.empty() ? "unknown" : reported.filter);
  return reported.refused.empty() ? text : text.append(", refused ").append(reported.refused);
}

std::string MemoryText(const ProcessView& process, const IsolationObservation& observation) {
  const auto& readable = observation.readable_processes;
  std::string text = !readable ? "dumpable unknown"
                     : std::ranges::find(*readable, process.name) != readable->end()
                         ? "dumpable"
                         : "not dumpable";
  return text.append(", locked ")
      .append(std::to_string(process.locked_kib))
      .append(" KiB, of these memfd_secret ")
      .append(std::to_string(process.secret_kib))
      .append(" KiB");
}

std::string DescriptorText(const ProcessView& process) {
  std::vector<std::string> kinds;
  for (const auto& [kind, count] : process.descriptors) {
    kinds.push_back(std::to_string(count) + " " + kind);
  }
  return "descriptors " + Join(kinds, ", ");
}

std::string LimitText(const ProcessView& process) {
  std::vector<std::string> limits;
  for (const auto& [name, word] :
       {std::pair("Max core file size", "core"), std::pair("Max file size", "fsize"),
        std::pair("Max open files", "nofile"), std::pair("Max data size", "data"),
        std::pair("Max address space", "as"), std::pair("Max locked memory", "memlock")}) {
    const auto found = process.limits.find(name);
    limits.push_back(std::string(word) + " " +
                     (found == process.limits.end() ? "unknown" : found->second));
  }
  return "limits " + Join(limits, ", ");
}

}  // namespace

std::string Join(const std::vector<std::string>& parts, std::string_view between) {
  std::string text;
  for (const std::string& part : parts) {
    text.append(text.empty() ? "" : between).append(part);
  }
  return text;
}

std::vector<std::string> Unique(std::vector<std::string> texts) {
  std::set<std::string> seen;
  std::erase_if(texts, [&seen](const std::string& text) { return !seen.insert(text).second; });
  return texts;
}

std::string DescribeProcess(const ProcessView& process, const IsolationObservation& observation) {
  const ReportedProcess reported = observation.ReportOf(process.name);
  return Join(
      {"pid " + std::to_string(process.pid()), "uid " + List(process.uids),
       "gid " + List(process.gids), "groups " + List(process.groups),
       "capabilities " + Hex(process.confinement.capabilities),
       process.confinement.no_new_privileges ? "no_new_privs" : "new privileges possible",
       FilterText(process, reported),
       "Landlock " + (reported.landlock_abi == 0 ? std::string("none")
                                                 : "ABI " + std::to_string(reported.landlock_abi)),
       MemoryText(process, observation), DescriptorText(process), LimitText(process)},
      "; ");
}

std::string DescribeLasting(ProcessView process, const IsolationObservation& observation) {
  // "socket" is one that opened or closed meanwhile, and the supervisor looks names up over UDP.
  for (const char* kind : {"socket", "stream", "tcp", "udp"}) {
    process.descriptors.erase(kind);
  }
  process.locked_kib = 0;
  process.secret_kib = 0;
  return DescribeProcess(process, observation);
}

}  // namespace baokms::supervisor
