// The fixed values of the configuration as enumerations. They are compared as text only here: when
// the file is read, and when a value is shown.

#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/base/log.h"
#include "supervisor/observe/log_format.h"

namespace baokms::supervisor {

// kUnset: the key is missing or has an invalid value, which validation reports. In a validated
// configuration only keys that do not apply are unset.
enum class ConfigVersion : std::uint8_t { kUnset, kV1Alpha1 };
enum class RotationMode : std::uint8_t { kUnset, kObserved };
enum class JwtSource : std::uint8_t { kUnset, kFile, kOAuth2 };
enum class CertSource : std::uint8_t { kUnset, kPkcs11, kSpiffe };
enum class OAuth2ClientAuth : std::uint8_t { kUnset, kSecretBasic, kSecretPost };
enum class VerifyDecrypt : std::uint8_t { kOff, kSample, kAlways };
enum class ModuleNetwork : std::uint8_t { kNone, kUnix, kInet };
enum class LandlockUse : std::uint8_t { kBestEffort, kRequire, kOff };
enum class SeparateUsers : std::uint8_t { kAuto, kRequire, kOff };

template <typename E>
struct Choice {
  std::string_view word;
  E value;
};

// All values of an enumeration as text, in the order of the documentation: Choice<E>, or rows that
// have the same members and more (auth_method.h).
template <typename E>
inline constexpr auto kChoices = nullptr;

template <>
inline constexpr auto kChoices<ConfigVersion> =
    std::to_array<Choice<ConfigVersion>>({{"v1alpha1", ConfigVersion::kV1Alpha1}});

template <>
inline constexpr auto kChoices<RotationMode> =
    std::to_array<Choice<RotationMode>>({{"observed", RotationMode::kObserved}});

template <>
inline constexpr auto kChoices<JwtSource> =
    std::to_array<Choice<JwtSource>>({{"file", JwtSource::kFile}, {"oauth2", JwtSource::kOAuth2}});

template <>
inline constexpr auto kChoices<CertSource> = std::to_array<Choice<CertSource>>(
    {{"pkcs11", CertSource::kPkcs11}, {"spiffe", CertSource::kSpiffe}});

template <>
inline constexpr auto kChoices<OAuth2ClientAuth> = std::to_array<Choice<OAuth2ClientAuth>>(
    {{"client_secret_basic", OAuth2ClientAuth::kSecretBasic},
     {"client_secret_post", OAuth2ClientAuth::kSecretPost}});

template <>
inline constexpr auto kChoices<ModuleNetwork> =
    std::to_array<Choice<ModuleNetwork>>({{"none", ModuleNetwork::kNone},
                                          {"unix", ModuleNetwork::kUnix},
                                          {"inet", ModuleNetwork::kInet}});

template <>
inline constexpr auto kChoices<SeparateUsers> =
    std::to_array<Choice<SeparateUsers>>({{"auto", SeparateUsers::kAuto},
                                          {"require", SeparateUsers::kRequire},
                                          {"off", SeparateUsers::kOff}});

template <>
inline constexpr auto kChoices<LandlockUse> =
    std::to_array<Choice<LandlockUse>>({{"best-effort", LandlockUse::kBestEffort},
                                        {"require", LandlockUse::kRequire},
                                        {"off", LandlockUse::kOff}});

template <>
inline constexpr auto kChoices<VerifyDecrypt> =
    std::to_array<Choice<VerifyDecrypt>>({{"off", VerifyDecrypt::kOff},
                                          {"sample", VerifyDecrypt::kSample},
                                          {"always", VerifyDecrypt::kAlways}});

template <>
inline constexpr auto kChoices<LogLevel> =
    std::to_array<Choice<LogLevel>>({{"debug", LogLevel::kDebug},
                                     {"info", LogLevel::kInfo},
                                     {"warn", LogLevel::kWarn},
                                     {"error", LogLevel::kError}});

template <>
inline constexpr auto kChoices<LogFormat> =
    std::to_array<Choice<LogFormat>>({{"json", LogFormat::kJson}, {"text", LogFormat::kText}});

// Returns a value as text; "" for kUnset.
template <typename E>
constexpr std::string_view WordOf(E value) {
  const auto* found =
      std::ranges::find(kChoices<E>, value, [](const auto& choice) { return choice.value; });
  return found == kChoices<E>.end() ? std::string_view() : found->word;
}

template <typename E>
constexpr std::optional<E> ParseChoice(std::string_view word) {
  const auto* found =
      std::ranges::find(kChoices<E>, word, [](const auto& choice) { return choice.word; });
  return found == kChoices<E>.end() ? std::nullopt : std::optional(found->value);
}

}  // namespace baokms::supervisor
