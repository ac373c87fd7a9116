#include "tests/policies/documented_filter.h"

#include <fcntl.h>
#include <seccomp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/policies/documented_calls.h"

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
  std::string text = name == nullptr ? "" : name;
  std::free(name);  // NOLINT(cppcoreguidelines-no-malloc): libseccomp allocated it
  return text;
}

std::uint32_t NumberOf(Architecture architecture, const std::string& call) {
  return static_cast<std::uint32_t>(
      ::seccomp_syscall_resolve_name_arch(architecture, call.c_str()));
}

// What may go wrong around a value: its neighbours, one more bit, and the upper half of the
// register, which the kernel ignores for an int. One by one only the bits that count.
void AddNeighbours(std::uint64_t value, std::uint64_t ignored, Values& values) {
  values.insert({value, value - 1, value + 1, ~value, value | kHigh, value | (kAll << 32U << 31U)});
  values.insert(value | ignored);
  for (std::uint64_t bit = 1; bit != 0; bit <<= 1U) {
    if ((bit & ignored) == 0) {
      values.insert(value ^ bit);
    }
  }
}

// For one argument.
struct Candidates {
  Values named{};  // by the page, and none and all bits
  Values all{};    // and those around them
};

// What to do with one case; returns whether to go on.
using UseCase = std::function<bool(const Arguments&)>;

// The arguments that have several values.
using Axes = std::vector<std::pair<std::size_t, std::vector<std::uint64_t>>>;

// All combinations of the values, of which each axis has at least one, with `arguments` for the
// rest.
bool Combine(const Axes& axes, Arguments arguments, const UseCase& use) {
  std::vector<std::size_t> chosen(axes.size());
  for (const auto& [argument, values] : axes) {
    arguments.at(argument) = values.front();
  }
  for (std::size_t axis = 0; axis < axes.size();) {
    if (!use(arguments)) {
      return false;
    }
    // Counts up: an axis that has had all its values begins again and moves the next one.
    for (axis = 0; axis < axes.size(); ++axis) {
      const auto& [argument, values] = axes[axis];
      chosen[axis] = (chosen[axis] + 1) % values.size();
      arguments.at(argument) = values[chosen[axis]];
      if (chosen[axis] != 0) {
        break;
      }
    }
  }
  return true;
}

constexpr Arguments kNothing{};
constexpr Arguments kEverything{kAll, kAll, kAll, kAll, kAll, kAll};

bool UseEachBit(const UseCase& use) {
  for (std::size_t bit = 0; bit < 64 * kNothing.size(); ++bit) {
    Arguments arguments{};
    arguments.at(bit / 64) = std::uint64_t{1} << (bit % 64);
    if (!use(arguments)) {
      return false;
    }
  }
  return use(kNothing) && use(kEverything);
}

std::map<std::size_t, Candidates> CandidatesOf(const std::vector<DocumentedArguments>& rows) {
  std::map<std::size_t, Candidates> candidates;
  for (const DocumentedArguments& row : rows) {
    for (const DocumentedCondition& condition : row.conditions) {
      Candidates& own = candidates[condition.argument];
      own.named.insert({0, kAll});
      own.named.insert(condition.values.begin(), condition.values.end());
      AddNeighbours(0, condition.ignored & kHigh, own.all);
      for (const std::uint64_t value : condition.values) {
        AddNeighbours(value, condition.ignored & kHigh, own.all);
        own.all.insert(value | condition.ignored);
      }
    }
  }
  return candidates;
}

// Uses all combinations of the values that matter to the rows of a call, for whichever process,
// with nothing and with everything in the arguments that do not decide. Where three arguments
// decide, these are the values around the named ones in each two of them. A call that no argument
// decides on is tried with each bit of each.
void UseCases(const std::vector<DocumentedArguments>& rows, const UseCase& use) {
  const std::map<std::size_t, Candidates> candidates = CandidatesOf(rows);
  if (candidates.empty()) {
    UseEachBit(use);
    return;
  }
  for (const auto& [only_named, unused] : candidates) {
    Axes axes;
    for (const auto& [argument, values] : candidates) {
      const bool named = candidates.size() > 2 && argument == only_named;
      const Values& own = named ? values.named : values.all;
      axes.emplace_back(argument, std::vector(own.begin(), own.end()));
    }
    const bool all = Combine(axes, kNothing, use) && Combine(axes, kEverything, use);
    if (!all || candidates.size() < 3) {
      return;
    }
  }
}

std::string Describe(const std::string& name, std::uint32_t number, const Arguments& arguments) {
  return name + " (" + std::to_string(number) + ") with " + ::testing::PrintToString(arguments);
}

std::uint32_t ActionOf(const FilterProgram& filter,
                       Architecture architecture,
                       std::uint32_t number,
                       const Arguments& arguments) {
  seccomp_data call{};
  call.nr = static_cast<int>(number);
  call.arch = architecture;
  std::copy(arguments.begin(), arguments.end(), std::begin(call.args));
  return filter.ActionOf(call);
}

const std::vector<DocumentedArguments>& ArgumentsOf(const DocumentedCalls& calls,
                                                    const std::string& call) {
  static const std::vector<DocumentedArguments> none;
  const auto rows = calls.arguments.find(call);
  return rows == calls.arguments.end() ? none : rows->second;
}

// What the page says of one call.
class Expectation final {
 public:
  // `refusal` is what happens to a call that is in no list.
  Expectation(const DocumentedCalls& calls, const std::string& call, std::uint32_t refusal)
      : otherwise_(refusal) {
    const auto word = calls.words.find(call);
    if (word == calls.words.end() || word->second == "-" || word->second.empty()) {
      return;
    }
    otherwise_ = ActionOfWord(word->second, refusal);
    for (const DocumentedArguments& row : ArgumentsOf(calls, call)) {
      if (!row.word.empty() && row.word != "-") {
        rows_.emplace_back(&row, ActionOfWord(row.word, refusal));
      }
    }
  }

  [[nodiscard]] std::uint32_t For(const Arguments& arguments) const {
    if (otherwise_ == SCMP_ACT_ALLOW) {
      return otherwise_;
    }
    for (const auto& [row, action] : rows_) {
      if (std::all_of(row->conditions.begin(), row->conditions.end(),
                      [&](const DocumentedCondition& condition) {
                        return condition.Holds(arguments.at(condition.argument));
                      })) {
        return action;
      }
    }
    return otherwise_;
  }

 private:
  static std::uint32_t ActionOfWord(const std::string& word, std::uint32_t refusal) {
    const std::map<std::string, std::uint32_t> actions = {{"yes", SCMP_ACT_ALLOW},
                                                          {"some", refusal},
                                                          {"0", SCMP_ACT_ERRNO(0)},
                                                          {"EACCES", SCMP_ACT_ERRNO(EACCES)},
                                                          {"ENOSYS", SCMP_ACT_ERRNO(ENOSYS)}};
    const auto action = actions.find(word);
    if (action == actions.end()) {
      throw std::logic_error("docs/security.md: not a word of the tables: " + word);
    }
    return action->second;
  }

  std::uint32_t otherwise_;
  std::vector<std::pair<const DocumentedArguments*, std::uint32_t>> rows_;
};

class Comparison final {
 public:
  Comparison(const FilterProgram& filter, Architecture architecture, const NamedPolicy& policy)
      : filter_(filter),
        architecture_(architecture),
        calls_(ReadDocumentedCalls(policy.columns)),
        ends_on_refusal_(policy.ends_on_refusal) {}

  // Puts the calls of one number to the filter; returns whether all are treated as documented.
  [[nodiscard]] bool Agrees(std::uint32_t number) const {
    const std::string name = NameOf(architecture_, number);
    const Expectation expectation = ExpectationOf(number, name);
    bool agrees = true;
    UseCases(ArgumentsOf(calls_, name), [&](const Arguments& arguments) {
      const std::uint32_t expected = expectation.For(arguments);
      const std::uint32_t action = ActionOf(filter_, architecture_, number, arguments);
      agrees = action == expected;
      EXPECT_TRUE(agrees) << Describe(name, number, arguments) << std::hex << ": the filter says "
                          << action << ", docs/security.md says " << expected;
      return agrees;
    });
    return agrees;
  }

 private:
  [[nodiscard]] Expectation ExpectationOf(std::uint32_t number, const std::string& name) const {
    static const DocumentedCalls none;
    // The number -1 is no call of x32: a tracer replaces one that is not to be made with it.
    const bool x32 = architecture_ == SCMP_ARCH_X86_64 && number >= kX32 && number != ~0U;
    if (x32 || (calls_.killed.count(name) != 0 && ends_on_refusal_)) {
      return {none, name, SCMP_ACT_KILL_PROCESS};
    }
    return {calls_, name, ends_on_refusal_ ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(EPERM)};
  }

  const FilterProgram& filter_;
  Architecture architecture_;
  const DocumentedCalls calls_;
  bool ends_on_refusal_;
};

void ExpectKillsForeignCalls(const FilterProgram& filter, Architecture architecture) {
  for (const Architecture foreign : std::initializer_list<Architecture>{
           SCMP_ARCH_X86, SCMP_ARCH_X86_64, SCMP_ARCH_ARM, SCMP_ARCH_AARCH64, SCMP_ARCH_RISCV64}) {
    if (foreign != architecture) {
      EXPECT_EQ(ActionOf(filter, foreign, 0, {}), SCMP_ACT_KILL_PROCESS) << foreign;
    }
  }
}

}  // namespace

const std::map<std::string, Architecture>& TestedArchitectures() {
  static const std::map<std::string, Architecture> all = {{"x86_64", SCMP_ARCH_X86_64},
                                                          {"arm64", SCMP_ARCH_AARCH64}};
  return all;
}

void ExpectDocumentedFilter(const NamedPolicy& policy, Architecture architecture) {
  const Result<FilterProgram> filter = FilterProgram::Compile(policy.build, architecture);
  ASSERT_TRUE(filter) << filter.error().ToString();
  const Comparison comparison(*filter, architecture, policy);
  for (std::uint32_t number = 0; number < kNumbers; ++number) {
    (void)comparison.Agrees(number);
  }
  for (const std::uint32_t number : {kX32, kX32 + 1, kX32 + 520, 0x7fffffffU, 0x80000000U, ~0U}) {
    EXPECT_TRUE(comparison.Agrees(number));
  }
  ExpectKillsForeignCalls(*filter, architecture);
}

void ExpectSameOnArm64(const NamedPolicy& policy) {
  // By glibc. Nothing takes the place of the last ones (docs/security.md).
  static const std::map<std::string, std::string> successors = {{"access", "faccessat"},
                                                                {"epoll_wait", "epoll_pwait"},
                                                                {"mkdir", "mkdirat"},
                                                                {"poll", "ppoll"},
                                                                {"readlink", "readlinkat"},
                                                                {"rename", "renameat"},
                                                                {"unlink", "unlinkat"},
                                                                {"arch_prctl", ""},
                                                                {"lchown", ""}};
  const Result<FilterProgram> own = FilterProgram::Compile(policy.build, SCMP_ARCH_X86_64);
  const Result<FilterProgram> arm64 = FilterProgram::Compile(policy.build, SCMP_ARCH_AARCH64);
  ASSERT_TRUE(own && arm64);
  const DocumentedCalls calls = ReadDocumentedCalls(policy.columns);
  for (const auto& [call, word] : calls.words) {
    const int there = ::seccomp_syscall_resolve_name_arch(SCMP_ARCH_AARCH64, call.c_str());
    if (there >= 0 || word.empty() || word == "-") {
      continue;
    }
    ASSERT_EQ(successors.count(call), 1U) << call;
    const std::string& successor = successors.at(call);
    if (!successor.empty()) {
      EXPECT_EQ(ActionOf(*own, SCMP_ARCH_X86_64, NumberOf(SCMP_ARCH_X86_64, call), {}),
                ActionOf(*arm64, SCMP_ARCH_AARCH64, NumberOf(SCMP_ARCH_AARCH64, successor), {}))
          << call << " and " << successor;
    }
  }
}

void ExpectPassesSpawners(const NamedPolicy& child, Architecture architecture) {
  if (child.below.empty()) {
    return;
  }
  const Result<FilterProgram> own = FilterProgram::Compile(child.build, architecture);
  ASSERT_TRUE(own);
  std::map<std::string, FilterProgram> spawners;
  for (const std::string& name : child.below) {
    Result<FilterProgram> spawner = FilterProgram::Compile(PolicyNamed(name).build, architecture);
    ASSERT_TRUE(spawner);
    spawners.emplace(name, std::move(*spawner));
  }
  const DocumentedCalls calls = ReadDocumentedCalls(child.columns);
  for (std::uint32_t number = 0; number < kNumbers; ++number) {
    const std::string name = NameOf(architecture, number);
    const auto word = calls.words.find(name);
    const bool refused = word == calls.words.end() || word->second == "-" || word->second.empty();
    // Only the spawner's filter says that a thread is in no new namespace, which it cannot be.
    if (refused || name == "clone") {
      continue;
    }
    UseCases(ArgumentsOf(calls, name), [&](const Arguments& arguments) {
      if (ActionOf(*own, architecture, number, arguments) != SCMP_ACT_ALLOW) {
        return true;
      }
      return std::all_of(spawners.begin(), spawners.end(), [&](const auto& spawner) {
        const bool passes =
            ActionOf(spawner.second, architecture, number, arguments) == SCMP_ACT_ALLOW;
        EXPECT_TRUE(passes) << Describe(name, number, arguments) << " below " << spawner.first;
        return passes;
      });
    });
  }
}

}  // namespace baokms
