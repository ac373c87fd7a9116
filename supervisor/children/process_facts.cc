#include "supervisor/children/process_facts.h"

#include <fcntl.h>
#include <unistd.h>

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

// Returns the text after "name:\t" up to the end of its line.
std::optional<std::string_view> Field(std::string_view text, std::string_view name) {
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

template <typename Number>
std::optional<Number> Parse(std::optional<std::string_view> text, int base) {
  Number value{};
  if (!text ||
      std::from_chars(text->data(), text->data() + text->size(), value, base).ec != std::errc()) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

std::optional<Confinement> ParseStatus(std::string_view text) {
  const auto no_new_privileges = Parse<std::uint32_t>(Field(text, "NoNewPrivs:"), 10);
  const auto mode = Parse<std::uint32_t>(Field(text, "Seccomp:"), 10);
  if (!no_new_privileges || !mode) {
    return std::nullopt;
  }
  std::uint64_t capabilities = 0;
  for (const std::string_view name : {"CapInh:", "CapPrm:", "CapEff:", "CapAmb:"}) {
    const auto set = Parse<std::uint64_t>(Field(text, name), 16);
    if (!set) {
      return std::nullopt;
    }
    capabilities |= *set;
  }
  return Confinement{.no_capabilities = capabilities == 0,
                     .no_new_privileges = *no_new_privileges == 1,
                     .seccomp_filter = *mode == 2};
}

void ProcessTable::AddSelf() {
  const std::string process = "supervisor";
  Put(process, ipc::ProcDescriptor::KIND_STATUS,
      UniqueFd(::open("/proc/self/status", O_RDONLY | O_CLOEXEC)));
  Put(process, ipc::ProcDescriptor::KIND_STATM,
      UniqueFd(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC)));
}

void ProcessTable::Add(const std::string& process) {
  const std::lock_guard lock(mutex_);
  entries_.try_emplace(process);
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
    if (const auto memory = ReadMemory(entry.statm)) {
      facts.resident_bytes = memory->resident_bytes;
    }
  }
  return all;
}

}  // namespace baokms::supervisor
