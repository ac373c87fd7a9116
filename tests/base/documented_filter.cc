#include "tests/base/documented_filter.h"

#include <fcntl.h>
#include <seccomp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/base/documented_calls.h"

namespace baokms {
namespace {

using Arguments = std::array<std::uint64_t, 6>;
using Values = std::set<std::uint64_t>;

constexpr std::uint64_t kAll = ~std::uint64_t{0};
constexpr std::uint64_t kHigh = std::uint64_t{0xffffffff} << 32U;

// Above the last number that any architecture uses.
constexpr std::uint32_t kNumbers = 1024;
// Marks a call of x32 on x86-64.
constexpr std::uint32_t kX32 = 0x40000000;

std::string NameOf(Architecture architecture, std::uint32_t number) {
  char* name = ::seccomp_syscall_resolve_num_arch(architecture, static_cast<int>(number));
  const std::string text = name == nullptr ? "" : name;
  std::free(name);
  return text;
}

// What may go wrong around a value: its neighbours, one more bit, and the upper half of the
// register, which the kernel ignores for an int.
void AddNeighbours(std::uint64_t value, Values& values) {
  values.insert({value, value - 1, value + 1, ~value, value | kHigh, value | (kAll << 32U << 31U)});
  for (std::uint64_t bit = 1; bit != 0; bit <<= 1U) {
    values.insert(value ^ bit);
  }
}

// For one argument.
struct Candidates {
  Values named{};  // by the page
  Values all{};    // and those around them
};

const std::vector<Arguments> kNothingAndEverything = {{}, {kAll, kAll, kAll, kAll, kAll, kAll}};

std::vector<Arguments> EachBit() {
  std::vector<Arguments> cases = kNothingAndEverything;
  for (std::size_t bit = 0; bit < 64 * std::tuple_size_v<Arguments>; ++bit) {
    cases.emplace_back();
    cases.back().at(bit / 64) = std::uint64_t{1} << (bit % 64);
  }
  return cases;
}

// All combinations, of `only_named` without the values around, with nothing and with everything in
// the arguments that do not decide.
std::vector<Arguments> Combine(const std::map<std::size_t, Candidates>& candidates,
                               std::optional<std::size_t> only_named) {
  std::vector<Arguments> cases = kNothingAndEverything;
  for (const auto& [argument, values] : candidates) {
    std::vector<Arguments> combined;
    for (const Arguments& before : cases) {
      for (const std::uint64_t value : argument == only_named ? values.named : values.all) {
        combined.push_back(before);
        combined.back().at(argument) = value;
      }
    }
    cases = std::move(combined);
  }
  return cases;
}

class Comparison final {
 public:
  Comparison(const FilterProgram& filter, Architecture architecture, ConfinedProcess process)
      : filter_(filter), architecture_(architecture), process_(static_cast<std::size_t>(process)) {}

  // Puts the calls of one number to the filter; returns whether all are treated as documented.
  [[nodiscard]] bool Agrees(std::uint32_t number) const {
    const std::string name = NameOf(architecture_, number);
    for (const Arguments& arguments : CasesOf(name)) {
      const std::uint32_t expected = Expected(number, name, arguments);
      const std::uint32_t action = ActionOf(number, arguments);
      if (action != expected) {
        ADD_FAILURE() << name << " (" << number << ") with " << ::testing::PrintToString(arguments)
                      << std::hex << ": the filter says " << action << ", docs/security.md says "
                      << expected;
        return false;
      }
    }
    return true;
  }

  [[nodiscard]] std::uint32_t ActionOf(std::uint32_t number, const Arguments& arguments) const {
    seccomp_data call{};
    call.nr = static_cast<int>(number);
    call.arch = architecture_;
    std::copy(arguments.begin(), arguments.end(), std::begin(call.args));
    return filter_.ActionOf(call);
  }

  [[nodiscard]] std::uint32_t Refusal() const {
    return IsSupervisor() ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_TRAP;
  }

 private:
  [[nodiscard]] bool IsSupervisor() const {
    return process_ == static_cast<std::size_t>(ConfinedProcess::kSupervisor);
  }

  [[nodiscard]] std::uint32_t Expected(std::uint32_t number,
                                       const std::string& name,
                                       const Arguments& arguments) const {
    static const std::map<std::string, std::uint32_t> answers = {
        {"yes", SCMP_ACT_ALLOW},
        {"0", SCMP_ACT_ERRNO(0)},
        {"EACCES", SCMP_ACT_ERRNO(EACCES)},
        {"ENOSYS", SCMP_ACT_ERRNO(ENOSYS)}};
    // The number -1 is no call of x32: a tracer replaces one that is not to be made with it.
    if (architecture_ == SCMP_ARCH_X86_64 && number >= kX32 && number != ~0U) {
      return SCMP_ACT_KILL_PROCESS;
    }
    if (calls_.killed.count(name) != 0 && !IsSupervisor()) {
      return SCMP_ACT_KILL_PROCESS;
    }
    const auto row = calls_.words.find(name);
    if (row == calls_.words.end()) {
      return Refusal();
    }
    const std::string& word = row->second.at(process_);
    if (word == "some") {
      return IsAllowed(name, arguments) ? SCMP_ACT_ALLOW : Refusal();
    }
    const auto answer = answers.find(word);
    return answer == answers.end() ? Refusal() : answer->second;
  }

  [[nodiscard]] bool IsAllowed(const std::string& name, const Arguments& arguments) const {
    const auto rows = calls_.arguments.find(name);
    return rows != calls_.arguments.end() &&
           std::any_of(rows->second.begin(), rows->second.end(), [&](const auto& row) {
             return row.allowed.at(process_) &&
                    std::all_of(row.conditions.begin(), row.conditions.end(),
                                [&](const DocumentedCondition& condition) {
                                  return condition.Holds(arguments.at(condition.argument));
                                });
           });
  }

  // The values to try for each argument that a row of this call decides on, for whichever process.
  [[nodiscard]] std::map<std::size_t, Candidates> CandidatesOf(const std::string& name) const {
    std::map<std::size_t, Candidates> candidates;
    const auto rows = calls_.arguments.find(name);
    if (rows == calls_.arguments.end()) {
      return candidates;
    }
    for (const DocumentedArguments& row : rows->second) {
      for (const DocumentedCondition& condition : row.conditions) {
        Candidates& own = candidates[condition.argument];
        own.named.insert(condition.values.begin(), condition.values.end());
        AddNeighbours(0, own.all);
        for (const std::uint64_t value : condition.values) {
          AddNeighbours(value, own.all);
          own.all.insert(value | condition.ignored);
        }
      }
    }
    return candidates;
  }

  // All combinations of those values: where three arguments decide, of the values around the named
  // ones in each two of them. A call that no argument decides on is tried with each bit of each.
  [[nodiscard]] std::vector<Arguments> CasesOf(const std::string& name) const {
    const std::map<std::size_t, Candidates> candidates = CandidatesOf(name);
    if (candidates.empty()) {
      return EachBit();
    }
    if (candidates.size() < 3) {
      return Combine(candidates, std::nullopt);
    }
    std::vector<Arguments> cases;
    for (const auto& [argument, unused] : candidates) {
      const std::vector<Arguments> more = Combine(candidates, argument);
      cases.insert(cases.end(), more.begin(), more.end());
    }
    return cases;
  }

  const FilterProgram& filter_;
  const DocumentedCalls calls_ = ReadDocumentedCalls();
  Architecture architecture_;
  std::size_t process_;
};

void ExpectDocumentedOn(const BuildPolicyFunction& build,
                        ConfinedProcess process,
                        Architecture architecture) {
  const Result<FilterProgram> filter = FilterProgram::Compile(build, architecture);
  ASSERT_TRUE(filter) << filter.error().ToString();
  const Comparison comparison(*filter, architecture, process);
  for (std::uint32_t number = 0; number < kNumbers; ++number) {
    (void)comparison.Agrees(number);
  }
  for (const std::uint32_t number : {kX32, kX32 + 1, kX32 + 520, 0x7fffffffU, 0x80000000U, ~0U}) {
    EXPECT_TRUE(comparison.Agrees(number));
  }
  for (const Architecture foreign : std::initializer_list<Architecture>{
           SCMP_ARCH_X86, SCMP_ARCH_X86_64, SCMP_ARCH_ARM, SCMP_ARCH_AARCH64, SCMP_ARCH_RISCV64}) {
    seccomp_data call{};
    call.arch = foreign;
    if (foreign != architecture) {
      EXPECT_EQ(filter->ActionOf(call), SCMP_ACT_KILL_PROCESS) << foreign;
    }
  }
}

}  // namespace

void ExpectDocumentedFilter(const BuildPolicyFunction& build, ConfinedProcess process) {
  for (const Architecture architecture : {SCMP_ARCH_X86_64, SCMP_ARCH_AARCH64}) {
    SCOPED_TRACE(architecture == SCMP_ARCH_X86_64 ? "x86-64" : "arm64");
    ExpectDocumentedOn(build, process, architecture);
  }
}

}  // namespace baokms
