#include "supervisor/isolation/address_filter.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <fstream>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/unique_fd.h"

namespace baokms::supervisor {
namespace {

// The kernel permits 64 programs in a control group, and systemd's has at most five maps.
constexpr std::size_t kMaxPrograms = 256;
constexpr std::size_t kMaxMaps = 64;

using Ids = std::vector<std::uint32_t>;

// libc has no wrapper.
int Bpf(bpf_cmd command, bpf_attr& attributes) {
  return static_cast<int>(::syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

std::uint64_t AddressOf(void* target) {
  return reinterpret_cast<std::uintptr_t>(target);
}

// In the hierarchy of version 2, the only one that has such programs (cgroups(7)).
UniqueFd OpenControlGroup(pid_t pid) {
  constexpr std::string_view kUnified = "0::";
  std::ifstream groups("/proc/" + std::to_string(pid) + "/cgroup");
  for (std::string line; std::getline(groups, line);) {
    if (line.starts_with(kUnified)) {
      const std::string path = "/sys/fs/cgroup" + line.substr(kUnified.size());
      return UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
  }
  return UniqueFd();
}

// Returns the programs that see what processes of the control group send.
std::optional<Ids> ProgramsOf(const UniqueFd& group) {
  Ids ids(kMaxPrograms);
  bpf_attr query{};
  query.query.target_fd = static_cast<std::uint32_t>(group.get());
  query.query.attach_type = BPF_CGROUP_INET_EGRESS;
  query.query.query_flags = BPF_F_QUERY_EFFECTIVE;
  query.query.prog_ids = AddressOf(ids.data());
  query.query.prog_cnt = kMaxPrograms;
  if (Bpf(BPF_PROG_QUERY, query) != 0) {
    return std::nullopt;
  }
  ids.resize(query.query.prog_cnt);
  return ids;
}

UniqueFd Open(bpf_cmd command, std::uint32_t id) {
  bpf_attr by_id{};
  by_id.prog_id = id;  // at the place of map_id
  return UniqueFd(Bpf(command, by_id));
}

template <typename Info>
bool GetInfo(const UniqueFd& object, Info& info) {
  bpf_attr get{};
  get.info.bpf_fd = static_cast<std::uint32_t>(object.get());
  get.info.info_len = sizeof info;
  get.info.info = AddressOf(&info);
  return object.valid() && Bpf(BPF_OBJ_GET_INFO_BY_FD, get) == 0;
}

bool IsAddressList(std::uint32_t map) {
  bpf_map_info info{};
  return GetInfo(Open(BPF_MAP_GET_FD_BY_ID, map), info) && info.type == BPF_MAP_TYPE_LPM_TRIE;
}

// Returns nothing if the program cannot be inspected.
std::optional<bool> HasAddressList(std::uint32_t program) {
  std::array<std::uint32_t, kMaxMaps> maps{};
  bpf_prog_info info{};
  info.nr_map_ids = kMaxMaps;
  info.map_ids = AddressOf(maps.data());
  if (!GetInfo(Open(BPF_PROG_GET_FD_BY_ID, program), info)) {
    return std::nullopt;
  }
  const std::span used(maps.data(), std::min<std::size_t>(info.nr_map_ids, kMaxMaps));
  return std::ranges::any_of(used, IsAddressList);
}

}  // namespace

AddressFilter AddressFilterOf(pid_t pid) {
  const UniqueFd group = OpenControlGroup(pid);
  const std::optional<Ids> programs = group.valid() ? ProgramsOf(group) : std::nullopt;
  if (!programs) {
    return AddressFilter::kUnknown;
  }
  AddressFilter found = AddressFilter::kNone;
  for (const std::uint32_t program : *programs) {
    const std::optional<bool> list = HasAddressList(program);
    if (list && *list) {
      return AddressFilter::kList;
    }
    found = list ? found : AddressFilter::kUnknown;
  }
  return found;
}

}  // namespace baokms::supervisor
