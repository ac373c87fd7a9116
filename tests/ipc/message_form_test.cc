// What honest peers send passes, and each way to be malformed is a violation of its own.

#include "ipc/message_form.h"

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/error.h"
#include "common/base/result.h"
#include "ipc/child_descriptors.h"
#include "ipc/key_versions.h"
#include "ipc/limits.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"

namespace baokms::ipc {
namespace {

template <typename Message>
using Change = std::pair<const char*, std::function<void(Message&)>>;

// `good` has to pass, and no longer after any one of the changes.
template <typename Message>
void ExpectRefused(const Message& good, const std::vector<Change<Message>>& changes) {
  EXPECT_TRUE(CheckForm(good).has_value());
  for (const auto& [name, change] : changes) {
    SCOPED_TRACE(name);
    Message changed = good;
    change(changed);
    const Status checked = CheckForm(changed);
    ASSERT_FALSE(checked.has_value());
    EXPECT_EQ(checked.error().code(), ErrorCode::kProtocolViolation);
  }
}

constexpr auto kNoOutcome = OUTCOME_UNSPECIFIED;
constexpr auto kUnknownOutcome = static_cast<Outcome>(99);

OpenBaoCall GoodCall() {
  OpenBaoCall call;
  call.set_operation(OPERATION_JWT_LOGIN);
  call.set_outcome(OUTCOME_OK);
  call.set_request_id(std::string(kMaxRequestId, '.'));
  return call;
}

// Every way in which the calls of a message can be malformed.
template <typename Message>
std::vector<Change<Message>> BadCalls() {
  const auto call = [](auto change) {
    return [change](Message& message) {
      OpenBaoCall& added = *message.add_calls();
      added = GoodCall();
      change(added);
    };
  };
  return {
      {"too many calls",
       [](Message& m) {
         for (std::size_t i = 0; i <= kMaxCalls; ++i) {
           *m.add_calls() = GoodCall();
         }
       }},
      {"call without an operation", call([](OpenBaoCall& c) { c.clear_operation(); })},
      {"call of an unknown operation",
       call([](OpenBaoCall& c) { c.set_operation(static_cast<OpenBaoOperation>(99)); })},
      {"call without an outcome", call([](OpenBaoCall& c) { c.clear_outcome(); })},
      {"call with an unknown outcome",
       call([](OpenBaoCall& c) { c.set_outcome(kUnknownOutcome); })},
      {"call that takes longer than any may", call([](OpenBaoCall& c) {
         c.set_duration_us(static_cast<std::uint32_t>(kMaxCallDuration.count()) + 1);
       })},
      {"request ID that breaks a log line", call([](OpenBaoCall& c) { c.set_request_id("a\nb"); })},
      {"overlong request ID",
       call([](OpenBaoCall& c) { c.set_request_id(std::string(kMaxRequestId + 1, 'a')); })},
  };
}

TEST(MessageFormTest, Hello) {
  ipc::Hello hello;
  hello.set_protocol_version(kProtocolVersion);
  hello.set_role(ROLE_WORKER);
  ExpectRefused<ipc::Hello>(hello, {{"another version",
                                     [](auto& m) {
                                       m.set_protocol_version(kProtocolVersion + 1);
                                     }},
                                    {"unknown role", [](auto& m) {
                                       m.set_role(static_cast<Role>(9));
                                     }}});
}

TEST(MessageFormTest, HelloAnswer) {
  ipc::HelloAnswer answer;
  answer.set_protocol_version(kProtocolVersion);
  answer.set_role(ROLE_SUPERVISOR);
  ExpectRefused<ipc::HelloAnswer>(answer, {{"another version",
                                            [](auto& m) {
                                              m.set_protocol_version(kProtocolVersion + 1);
                                            }},
                                           {"another role", [](auto& m) {
                                              m.set_role(ROLE_WORKER);
                                            }}});
}

TEST(MessageFormTest, LogRecord) {
  ipc::LogRecord record;
  record.set_level(LogRecord::LEVEL_ERROR);
  record.set_event("auth.login");
  for (std::size_t i = 0; i < kMaxLogFields; ++i) {
    LogField& field = *record.add_fields();
    field.set_key(std::string(kMaxLogName, 'x'));
    field.set_text(std::string(kMaxLogText, 'x'));
  }
  ExpectRefused<ipc::LogRecord>(
      record, {{"no event",
                [](auto& m) {
                  m.clear_event();
                }},
               {"event that is no name",
                [](auto& m) {
                  m.set_event("auth login\n");
                }},
               {"overlong event",
                [](auto& m) {
                  m.set_event(std::string(kMaxLogName + 1, 'x'));
                }},
               {"unknown level",
                [](auto& m) {
                  m.set_level(static_cast<ipc::LogRecord::Level>(4));
                }},
               {"too many fields",
                [](auto& m) {
                  m.add_fields()->set_key("key");
                }},
               {"field without a key",
                [](auto& m) {
                  m.mutable_fields(0)->clear_key();
                }},
               {"overlong key",
                [](auto& m) {
                  m.mutable_fields(0)->set_key(std::string(kMaxLogName + 1, 'x'));
                }},
               {"key that is no name",
                [](auto& m) {
                  m.mutable_fields(0)->set_key("a b");
                }},
               {"overlong text", [](auto& m) {
                  m.mutable_fields(0)->set_text(std::string(kMaxLogText + 1, 'x'));
                }}});
}

TEST(MessageFormTest, ConfinementReport) {
  ipc::ConfinementReport report;
  report.set_filter_name(std::string(kMaxStatusWord, 'x'));
  ExpectRefused<ipc::ConfinementReport>(report,
                                        {{"overlong filter name",
                                          [](auto& m) {
                                            m.set_filter_name(std::string(kMaxStatusWord + 1, 'x'));
                                          }},
                                         {"filter name with a line break", [](auto& m) {
                                            m.set_filter_name("auth\nagent");
                                          }}});
}

TEST(MessageFormTest, StartFailure) {
  ipc::StartFailure failure;
  failure.set_code(static_cast<std::uint32_t>(ErrorCode::kSystem));
  failure.set_sys_errno(13);
  failure.set_step(std::string(kMaxStep, '~'));
  ExpectRefused<ipc::StartFailure>(failure, {{"no code",
                                              [](auto& m) {
                                                m.clear_code();
                                              }},
                                             {"unknown code",
                                              [](auto& m) {
                                                m.set_code(99);
                                              }},
                                             {"no step",
                                              [](auto& m) {
                                                m.clear_step();
                                              }},
                                             {"overlong step",
                                              [](auto& m) {
                                                m.set_step(std::string(kMaxStep + 1, 'x'));
                                              }},
                                             {"step with a line break",
                                              [](auto& m) {
                                                m.set_step("a\nb");
                                              }},
                                             {"step that is not ASCII", [](auto& m) {
                                                m.set_step("\xc3\xa4");
                                              }}});
}

TEST(MessageFormTest, TokenStatus) {
  ipc::TokenStatus status;
  status.set_last_outcome(OUTCOME_OK);
  status.set_status("ok");
  ExpectRefused<ipc::TokenStatus>(status, BadCalls<ipc::TokenStatus>());
  ExpectRefused<ipc::TokenStatus>(status, {{"no outcome",
                                            [](auto& m) {
                                              m.set_last_outcome(kNoOutcome);
                                            }},
                                           {"unknown outcome",
                                            [](auto& m) {
                                              m.set_last_outcome(kUnknownOutcome);
                                            }},
                                           {"status that is no word",
                                            [](auto& m) {
                                              m.set_status("OK\n");
                                            }},
                                           {"overlong status",
                                            [](auto& m) {
                                              m.set_status(std::string(kMaxStatusWord + 1, 'x'));
                                            }},
                                           {"end before boot", [](auto& m) {
                                              m.set_expires_boottime_ns(-1);
                                            }}});
}

TEST(MessageFormTest, AgentStatus) {
  ipc::AgentStatus status;
  status.set_status("jwt_expired");
  status.set_credential_status(std::string(kMaxStatusWord, 'x'));
  status.set_credential_ends_unix(kMaxUnixTime);
  status.set_credential_due_unix(-kMaxUnixTime);
  status.set_last_outcome(OUTCOME_AUTH_FAILED);
  ExpectRefused<ipc::AgentStatus>(status, BadCalls<ipc::AgentStatus>());
  ExpectRefused<ipc::AgentStatus>(status,
                                  {{"unknown outcome",
                                    [](auto& m) {
                                      m.set_last_outcome(kUnknownOutcome);
                                    }},
                                   {"status that is no word",
                                    [](auto& m) {
                                      m.set_status("OK\n");
                                    }},
                                   {"overlong status",
                                    [](auto& m) {
                                      m.set_status(std::string(kMaxStatusWord + 1, 'x'));
                                    }},
                                   {"credential status that is no word",
                                    [](auto& m) {
                                      m.set_credential_status("a b");
                                    }},
                                   {"overlong credential status",
                                    [](auto& m) {
                                      m.set_credential_status(std::string(kMaxStatusWord + 1, 'x'));
                                    }},
                                   {"end after the year 9999",
                                    [](auto& m) {
                                      m.set_credential_ends_unix(kMaxUnixTime + 1);
                                    }},
                                   {"end before all years",
                                    [](auto& m) {
                                      m.set_credential_ends_unix(INT64_MIN);
                                    }},
                                   {"due after the year 9999",
                                    [](auto& m) {
                                      m.set_credential_due_unix(INT64_MAX);
                                    }},
                                   {"due before all years", [](auto& m) {
                                      m.set_credential_due_unix(-kMaxUnixTime - 1);
                                    }}});
}

TEST(MessageFormTest, ConnectAnswer) {
  ipc::ConnectAnswer answer;
  answer.set_outcome(OUTCOME_DNS_FAILED);
  ExpectRefused<ipc::ConnectAnswer>(answer, {{"no outcome",
                                              [](auto& m) {
                                                m.clear_outcome();
                                              }},
                                             {"unknown outcome", [](auto& m) {
                                                m.set_outcome(kUnknownOutcome);
                                              }}});
}

TEST(MessageFormTest, Tunables) {
  ipc::Tunables tunables;
  tunables.set_log_level(3);
  tunables.set_refresh_before_ns(kMaxLeaseSeconds * 1'000'000'000);
  ExpectRefused<ipc::Tunables>(tunables,
                               {{"unknown log level",
                                 [](auto& m) {
                                   m.set_log_level(4);
                                 }},
                                {"no time",
                                 [](auto& m) {
                                   m.clear_refresh_before_ns();
                                 }},
                                {"negative time",
                                 [](auto& m) {
                                   m.set_refresh_before_ns(-1);
                                 }},
                                {"longer than any lease", [](auto& m) {
                                   m.set_refresh_before_ns(kMaxLeaseSeconds * 1'000'000'000 + 1);
                                 }}});
}

TEST(MessageFormTest, MetadataAnswer) {
  ipc::MetadataAnswer metadata;
  metadata.set_outcome(OUTCOME_SEALED);
  EXPECT_TRUE(CheckForm(metadata).has_value()) << "config/keys was not read either";
  metadata.set_outcome(OUTCOME_OK);
  EXPECT_FALSE(CheckForm(metadata).has_value()) << "config/keys was left out";
  metadata.set_upsert_outcome(OUTCOME_PERMISSION_DENIED);
  metadata.set_type("aes256-gcm96");
  ExpectRefused<ipc::MetadataAnswer>(metadata, BadCalls<ipc::MetadataAnswer>());
  ExpectRefused<ipc::MetadataAnswer>(metadata,
                                     {{"unknown outcome",
                                       [](auto& m) {
                                         m.set_outcome(kUnknownOutcome);
                                       }},
                                      {"overlong type",
                                       [](auto& m) {
                                         m.set_type(std::string(kMaxKeyTypeName + 1, 'a'));
                                       }},
                                      {"too many versions", [](auto& m) {
                                         for (std::size_t i = 0; i <= kMaxKeyVersions; ++i) {
                                           (void)ipc::AppendVersion(1, 1, *m.mutable_versions());
                                         }
                                       }}});
}

TEST(MessageFormTest, DecryptAnswer) {
  ipc::DecryptAnswer answer;
  answer.set_outcome(OUTCOME_OK);
  for (std::size_t i = 0; i < kMaxCalls; ++i) {
    *answer.add_calls() = GoodCall();
  }
  EXPECT_TRUE(CheckForm(answer).has_value());
  answer.clear_calls();
  ExpectRefused<ipc::DecryptAnswer>(answer, BadCalls<ipc::DecryptAnswer>());
  ExpectRefused<ipc::DecryptAnswer>(answer, {{"no outcome", [](auto& m) {
                                                m.clear_outcome();
                                              }}});
}

TEST(MessageFormTest, LoginRequest) {
  ipc::LoginRequest request;
  request.set_request_id(std::string(kLoginRequestIdSize, 'r'));
  request.set_deadline_ns(1);
  ExpectRefused<ipc::LoginRequest>(request,
                                   {{"no ID",
                                     [](auto& m) {
                                       m.clear_request_id();
                                     }},
                                    {"short ID",
                                     [](auto& m) {
                                       m.set_request_id(std::string(kLoginRequestIdSize - 1, 'r'));
                                     }},
                                    {"long ID",
                                     [](auto& m) {
                                       m.set_request_id(std::string(kLoginRequestIdSize + 1, 'r'));
                                     }},
                                    {"no deadline",
                                     [](auto& m) {
                                       m.set_deadline_ns(0);
                                     }},
                                    {"deadline before boot", [](auto& m) {
                                       m.set_deadline_ns(-1);
                                     }}});
}

TEST(MessageFormTest, LoginFailed) {
  ipc::LoginFailed failed;
  failed.set_request_id(std::string(kLoginRequestIdSize, 'r'));
  failed.set_outcome(OUTCOME_SEALED);
  failed.set_status("error");
  ExpectRefused<ipc::LoginFailed>(failed, {{"short ID",
                                            [](auto& m) {
                                              m.set_request_id("short");
                                            }},
                                           {"success",
                                            [](auto& m) {
                                              m.set_outcome(OUTCOME_OK);
                                            }},
                                           {"no outcome",
                                            [](auto& m) {
                                              m.clear_outcome();
                                            }},
                                           {"unknown outcome",
                                            [](auto& m) {
                                              m.set_outcome(kUnknownOutcome);
                                            }},
                                           {"no status",
                                            [](auto& m) {
                                              m.clear_status();
                                            }},
                                           {"status with a space",
                                            [](auto& m) {
                                              m.set_status("has space");
                                            }},
                                           {"overlong status",
                                            [](auto& m) {
                                              m.set_status(std::string(kMaxStatusWord + 1, 'a'));
                                            }},
                                           {"negative wait", [](auto& m) {
                                              m.set_budget_wait_ns(-1);
                                            }}});
}

TEST(MessageFormTest, PinAttempts) {
  PinAttemptBegin begin;
  begin.set_tag(0xf000);
  ExpectRefused<PinAttemptBegin>(begin, {{"more than 16 bits",
                                          [](auto& m) {
                                            m.set_tag(65'536);
                                          }},
                                         {"more of the hash than four bits", [](auto& m) {
                                            m.set_tag(0xf800);
                                          }}});
  PinAttemptEnd end;
  end.set_result(PinAttemptEnd::RESULT_REFUSED);
  ExpectRefused<PinAttemptEnd>(end, {{"no result",
                                      [](auto& m) {
                                        m.clear_result();
                                      }},
                                     {"unknown result", [](auto& m) {
                                        m.set_result(static_cast<PinAttemptEnd::Result>(9));
                                      }}});
  PinAttemptAnswer answer;
  answer.set_verdict(PinAttemptAnswer::VERDICT_ALLOWED);
  ExpectRefused<PinAttemptAnswer>(answer,
                                  {{"no verdict",
                                    [](auto& m) {
                                      m.clear_verdict();
                                    }},
                                   {"unknown verdict", [](auto& m) {
                                      m.set_verdict(static_cast<PinAttemptAnswer::Verdict>(9));
                                    }}});
}

TEST(MessageFormTest, MessagesAboutChildren) {
  ipc::Spawned spawned;
  spawned.set_role(ROLE_WORKER);
  spawned.set_slot(kMaxWorkers - 1);
  spawned.set_pid(7);
  ExpectRefused<ipc::Spawned>(spawned, {{"slot that no configuration has",
                                         [](auto& m) {
                                           m.set_slot(kMaxWorkers);
                                         }},
                                        {"second agent",
                                         [](auto& m) {
                                           m.set_role(ROLE_AUTH_AGENT);
                                           m.set_slot(1);
                                         }},
                                        {"role of no child",
                                         [](auto& m) {
                                           m.set_role(ROLE_SUPERVISOR);
                                         }},
                                        {"neither process nor error",
                                         [](auto& m) {
                                           m.clear_pid();
                                         }},
                                        {"process and error",
                                         [](auto& m) {
                                           m.set_error(11);
                                         }},
                                        {"negative process ID", [](auto& m) {
                                           m.set_pid(-7);
                                         }}});
  ipc::PeerChannel peer;
  peer.set_slot(kMaxWorkers - 1);
  ExpectRefused<ipc::PeerChannel>(peer, {{"slot that no configuration has", [](auto& m) {
                                            m.set_slot(kMaxWorkers);
                                          }}});
}

}  // namespace
}  // namespace baokms::ipc
