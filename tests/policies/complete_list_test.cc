// No process enters a filter that is not in AllPolicies(), whatever its set-up says.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>
#include <gtest/gtest.h>

#include "authagent/sandbox.h"
#include "supervisor/serve/sandbox.h"
#include "supervisor/spawner/sandbox.h"
#include "tests/base/test_data.h"
#include "tests/policies/all_policies.h"

namespace baokms {
namespace {

using google::protobuf::internal::WireFormatLite;

std::string TextOf(const Result<SeccompPolicy>& policy) {
  const Result<std::string> text = policy ? policy->ToText() : policy.error();
  return text ? *text : text.error().ToString();
}

bool IsInTheList(const Result<SeccompPolicy>& policy) {
  static const std::set<std::string> all = [] {
    std::set<std::string> texts;
    for (const NamedPolicy& named : AllPolicies()) {
      texts.insert(TextOf(named.build()));
    }
    return texts;
  }();
  return all.count(TextOf(policy)) != 0;
}

using WriteField = std::function<void(google::protobuf::io::CodedOutputStream*)>;

// A field as it is transferred.
std::string Transferred(const WriteField& write) {
  std::string bytes;
  google::protobuf::io::StringOutputStream target(&bytes);
  google::protobuf::io::CodedOutputStream output(&target);
  write(&output);
  output.Trim();
  return bytes;
}

std::string FieldOf(int number, const std::string& value) {
  return Transferred([&](auto* output) { WireFormatLite::WriteString(number, value, output); });
}

// From `first` on, also the numbers that a later version may give a meaning.
std::vector<std::string> EachField(int first) {
  std::vector<std::string> fields;
  for (int number = first; number < 20; ++number) {
    for (std::uint64_t value = 0; value < 6; ++value) {
      fields.push_back(
          Transferred([&](auto* output) { WireFormatLite::WriteUInt64(number, value, output); }));
    }
    fields.push_back(FieldOf(number, ""));
    fields.push_back(FieldOf(number, "/state"));
  }
  return fields;
}

template <typename Message>
void ForEachExtended(const Message& message,
                     const std::vector<std::string>& fields,
                     const std::function<void(const Message&)>& use) {
  for (const std::string& field : fields) {
    Message extended;
    if (extended.ParseFromString(message.SerializeAsString() + field)) {
      use(extended);
    }
  }
}

// Of the message that is the field `number` of another one.
std::vector<std::string> EachFieldInside(int number, int first) {
  std::vector<std::string> fields = EachField(first);
  for (std::string& field : fields) {
    field = FieldOf(number, field);
  }
  return fields;
}

void ExpectSpawnersAreInTheList(const ipc::SpawnerSetup& setup,
                                const std::vector<std::string>& fields) {
  ForEachExtended<ipc::SpawnerSetup>(setup, fields, [](const ipc::SpawnerSetup& extended) {
    EXPECT_TRUE(IsInTheList(supervisor::BuildSpawnerPolicy(extended)))
        << "a field of SpawnerSetup leads to another policy: "
        << testing::PrintToString(extended.SerializeAsString());
  });
}

TEST(CompleteListTest, NoFieldOfASpawnersSetUpLeadsToAnotherPolicy) {
  const int module = ipc::SpawnerSetup::kModuleFieldNumber;
  const int users = ipc::SpawnerSetup::kUsersFieldNumber;
  ipc::SpawnerSetup none;
  ipc::SpawnerSetup with_both = DocumentedUsers();
  with_both.mutable_module();
  for (const ipc::SpawnerSetup& setup : {none, DocumentedUsers(), with_both}) {
    ExpectSpawnersAreInTheList(setup, EachFieldInside(module, 1));
  }
  for (const ipc::SpawnerSetup& setup : {DocumentedUsers(), with_both}) {
    ExpectSpawnersAreInTheList(setup, EachField(1));
    // The first two are the users themselves.
    ExpectSpawnersAreInTheList(setup,
                               EachFieldInside(users, ipc::SeparateUsers::kAgentGroupsFieldNumber));
  }
}

TEST(CompleteListTest, NoModuleLeadsToAnotherPolicy) {
  for (unsigned stage = 0; stage <= std::numeric_limits<std::uint8_t>::max(); ++stage) {
    EXPECT_TRUE(
        IsInTheList(authagent::BuildModulePolicy({}, static_cast<authagent::ModuleStage>(stage))))
        << stage;
  }
  ipc::ModuleAccess writing;
  writing.set_state_directory("/state");
  for (const auto stage : {authagent::ModuleStage::kLoading, authagent::ModuleStage::kServing}) {
    for (const ipc::ModuleAccess& access : {ipc::ModuleAccess(), writing}) {
      ForEachExtended<ipc::ModuleAccess>(
          access, EachField(1), [&](const ipc::ModuleAccess& extended) {
            EXPECT_TRUE(IsInTheList(authagent::BuildModulePolicy(extended, stage)))
                << testing::PrintToString(extended.SerializeAsString());
          });
    }
  }
}

TEST(CompleteListTest, NoRightsOfASupervisorLeadToAnotherPolicy) {
  for (unsigned rights = 0; rights <= std::numeric_limits<std::uint8_t>::max(); ++rights) {
    EXPECT_TRUE(IsInTheList(supervisor::BuildSupervisorPolicy(
        static_cast<supervisor::ListenerRights>(rights), kDocumentedPid)))
        << rights;
  }
}

TEST(CompleteListTest, EveryDocumentedColumnBelongsToAFilter) {
  std::set<DocumentedColumn> unused = AllDocumentedColumns();
  for (const NamedPolicy& policy : AllPolicies()) {
    for (const DocumentedColumn& column : policy.columns) {
      unused.erase(column);
    }
  }
  for (const DocumentedColumn& column : unused) {
    ADD_FAILURE() << column.section << ": " << column.title;
  }
}

// The files of the programs that have to do with filters, but for those that define what a policy
// is: their names and contents.
std::map<std::string, std::string> FilesAboutFilters() {
  const std::filesystem::path root = TestDataPath("..");
  std::map<std::string, std::string> files;
  for (const char* folder : {"authagent", "common", "ipc", "supervisor", "worker"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      std::ostringstream content;
      if (entry.is_regular_file()) {
        content << std::ifstream(entry.path()).rdbuf();
      }
      if (content.str().find("eccomp") != std::string::npos) {
        files[entry.path().lexically_relative(root).string()] = content.str();
      }
    }
  }
  for (const char* own :
       {"seccomp_policy.cc", "seccomp_policy.h", "sanitizer_needs.cc", "sanitizer_needs.h"}) {
    files.erase(std::string("common/base/") + own);
  }
  return files;
}

std::set<std::string> FilesWith(const std::string& pattern) {
  static const std::map<std::string, std::string> all = FilesAboutFilters();
  std::set<std::string> files;
  for (const auto& [name, content] : all) {
    if (std::regex_search(content, std::regex(pattern))) {
      files.insert(name);
    }
  }
  return files;
}

using Files = std::set<std::string>;

const Files& Builders() {
  static const Files builders = {"authagent/sandbox.cc", "supervisor/serve/sandbox.cc",
                                 "supervisor/spawner/sandbox.cc", "worker/sandbox.cc"};
  return builders;
}

TEST(CompleteListTest, NoOtherCodeMakesAPolicy) {
  EXPECT_EQ(FilesWith("SeccompPolicy::Create"), Builders());
  EXPECT_EQ(FilesWith("seccomp_(load|init|rule_add)|PR_SET_SECCOMP|SYS_seccomp"), Files());
}

// What a builder returns is entered as it is: there, only that is done with it.
TEST(CompleteListTest, NoOtherCodeWidensAPolicy) {
  Files users = FilesWith("\\bSeccompPolicy [a-z]");
  for (const std::string& builder : Builders()) {
    users.erase(builder);
  }
  EXPECT_EQ(users, (Files{"supervisor/etcd/scan_program.cc", "supervisor/spawner/spawner.cc"}));
  for (const std::string& other : FilesWith("\\bpolicy\\.(?!Install\\()")) {
    EXPECT_EQ(users.count(other), 0U) << other;
  }
}

}  // namespace
}  // namespace baokms
