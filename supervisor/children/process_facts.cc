#include "supervisor/children/process_facts.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <utility>

#include "supervisor/observe/self_usage.h"

namespace baokms::supervisor {
namespace {

std::string ReadAll(const UniqueFd& fd) {
  std::array<char, 4096> text{};  // /proc/<pid>/status has about 1.5 KiB
  const ssize_t size = fd.valid() ? ::pread(fd.get(), text.data(), text.size(), 0) : -1;
  return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : std::string();
}

template <typename Number>
std::optional<Number> Parse(std::optional<std::string_view> text, int base) {
  Number value{};
  if (!text ||
      std::from_chars(text->data(), text->data() + text->size(), value, base).ec != std::errc()) {
    return std::nullopt;
  }
  return value;
}

constexpr const char* kSelf = "supervisor";

// The filters of each process: its own, and those of the spawner, which its children inherit
// (docs/security.md). Threads of a PKCS#11 module lack the last one, that of every agent.
struct FilterRow {
  std::string_view process;  // "worker" stands for all of them
  std::string_view filter;
  std::uint32_t filters;
};

constexpr std::array kFilterRows = {FilterRow{"supervisor", "supervisor", 1},
                                    FilterRow{"spawner", "spawner", 1},
                                    FilterRow{"worker", "worker", 2},
                                    FilterRow{"auth_agent", "auth_agent", 2},
                                    FilterRow{"auth_agent", "auth_agent_pkcs11_loading", 2},
                                    FilterRow{"auth_agent", "auth_agent_pkcs11", 4}};

}  // namespace

std::uint32_t DocumentedFilters(std::string_view process, std::string_view filter) {
  const auto* const row = std::ranges::find_if(kFilterRows, [&](const FilterRow& each) {
    return process.starts_with(each.process) && filter == each.filter;
  });
  return row == kFilterRows.end() ? 0 : row->filters;
}

std::optional<std::string_view> StatusField(std::string_view text, std::string_view name) {
  std::size_t at = text.find(name);
  // Elsewhere in a line it is part of the name that a process gave itself.
  while (at != std::string_view::npos && at != 0 && text[at - 1] != '\n') {
    at = text.find(name, at + 1);
  }
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  text.remove_prefix(at + name.size());
  while (text.starts_with('\t') || text.starts_with(' ')) {
    text.remove_prefix(1);
  }
  return text.substr(0, text.find('\n'));
}

std::optional<Confinement> ParseStatus(std::string_view text) {
  const auto no_new_privileges = Parse<std::uint32_t>(StatusField(text, "NoNewPrivs:"), 10);
  const auto mode = Parse<std::uint32_t>(StatusField(text, "Seccomp:"), 10);
  if (!no_new_privileges || !mode) {
    return std::nullopt;
  }
  std::uint64_t capabilities = 0;
  for (const std::string_view name : {"CapInh:", "CapPrm:", "CapEff:", "CapAmb:"}) {
    const auto set = Parse<std::uint64_t>(StatusField(text, name), 16);
    if (!set) {
      return std::nullopt;
    }
    capabilities |= *set;
  }
  return Confinement{.pid = Parse<std::int64_t>(StatusField(text, "Pid:"), 10).value_or(0),
                     .capabilities = capabilities,
                     .no_new_privileges = *no_new_privileges == 1,
                     .seccomp_filter = *mode == 2,
                     .filters = Parse<std::uint32_t>(StatusField(text, "Seccomp_filters:"), 10)};
}

bool ProcessFacts::Confined() const {
  return filters_in_force && confinement->no_new_privileges && capabilities_as_permitted;
}

void ProcessTable::AddSelf() {
  UniqueFd status(::open("/proc/self/status", O_RDONLY | O_CLOEXEC));
  const std::optional<Confinement> before = ParseStatus(ReadAll(status));
  Put(kSelf, ipc::ProcDescriptor::KIND_STATUS, std::move(status));
  Put(kSelf, ipc::ProcDescriptor::KIND_STATM,
      UniqueFd(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC)));
  const std::lock_guard lock(mutex_);
  inherited_filters_ = before ? before->filters : std::nullopt;
}

void ProcessTable::Permit(const std::string& process, std::uint64_t capabilities) {
  const std::lock_guard lock(mutex_);
  permitted_[process] = capabilities;
}

void ProcessTable::Report(const std::string& process, ReportedConfinement reported) {
  const std::lock_guard lock(mutex_);
  entries_[process].reported = std::move(reported);
}

void ProcessTable::ReportSelf(ReportedConfinement reported) {
  Report(kSelf, std::move(reported));
}

std::optional<std::uint32_t> ProcessTable::inherited_filters() const {
  const std::lock_guard lock(mutex_);
  return inherited_filters_;
}

bool ProcessTable::FiltersInForce(const ProcessFacts& facts) const {
  if (!facts.confinement || !facts.confinement->seccomp_filter || !facts.reported ||
      facts.reported->refused_syscall == 0) {
    return false;
  }
  const std::uint32_t own = DocumentedFilters(facts.process, facts.reported->filter);
  const std::optional<std::uint32_t>& filters = facts.confinement->filters;
  return own != 0 && (!filters || !inherited_filters_ || *filters == *inherited_filters_ + own);
}

void ProcessTable::Put(const std::string& process,
                       ipc::ProcDescriptor::Kind kind,
                       UniqueFd descriptor) {
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[process];
  if (kind == ipc::ProcDescriptor::KIND_STATUS) {
    entry.status = std::move(descriptor);
  } else if (kind == ipc::ProcDescriptor::KIND_STATM) {
    entry.statm = std::move(descriptor);
  }
}

void ProcessTable::Forget(const std::string& process) {
  const std::lock_guard lock(mutex_);
  entries_.erase(process);
}

std::vector<ProcessFacts> ProcessTable::Read() const {
  const std::lock_guard lock(mutex_);
  std::vector<ProcessFacts> all;
  for (const auto& [process, entry] : entries_) {
    ProcessFacts& facts = all.emplace_back();
    facts.process = process;
    facts.confinement = ParseStatus(ReadAll(entry.status));
    facts.reported = entry.reported;
    facts.filters_in_force = FiltersInForce(facts);
    const auto permitted = permitted_.find(process);
    facts.capabilities_as_permitted =
        facts.confinement && (facts.confinement->capabilities &
                              ~(permitted == permitted_.end() ? 0 : permitted->second)) == 0;
    if (const auto memory = ReadMemory(entry.statm)) {
      facts.resident_bytes = memory->resident_bytes;
    }
  }
  return all;
}

}  // namespace baokms::supervisor
