// Parsers of one short text each: identifiers of the contract, and values of the configuration. The
// first byte chooses the parser, the others are its text. Properties: what is accepted is within
// its limits, and is accepted again in the form that this project itself writes.

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "common/contract/encoding.h"
#include "common/contract/key_id.h"
#include "common/contract/limits.h"
#include "common/contract/transit_ciphertext.h"
#include "common/contract/utf8.h"
#include "common/setup/limits.h"
#include "common/setup/url.h"
#include "common/setup/value_rules.h"
#include "supervisor/config/listen_address.h"
#include "supervisor/config/number_text.h"
#include "supervisor/config/proxy_environment.h"
#include "supervisor/config/text_rules.h"
#include "supervisor/registry/pin_latch.h"
#include "tests/fuzz/require.h"

namespace baokms {
namespace {

void CheckKeyId(std::string_view text) {
  if (const auto key_id = contract::KeyId::Parse(text)) {
    Require(key_id->text() == text, "a key_id is written as it was read");
    Require(text.size() == 48, "a key_id has 48 characters");
  }
}

void CheckCiphertext(std::string_view text) {
  using contract::RequestVerdict;
  const auto version = contract::ParseCiphertextVersion(text);
  if (!version) {
    return;
  }
  Require(*version > 0 && text.size() <= contract::kMaxCiphertextBytes, "a version and a limit");
  Require(contract::CheckCiphertext(text, *version) == RequestVerdict::kAccepted, "one verdict");
  Require(contract::CheckCiphertext(text, *version - 1) == RequestVerdict::kMismatch,
          "a ciphertext has one version");
}

void CheckBase64(std::string_view text) {
  if (const auto bytes = contract::DecodeBase64(text)) {
    Require(contract::EncodeBase64(*bytes) == text, "bytes have one spelling in base64");
  }
  if (const auto bytes = contract::DecodeBase64Url(text)) {
    Require(contract::EncodeBase64Url(*bytes) == text, "bytes have one spelling in base64url");
  }
}

void CheckUtf8(std::string_view text) {
  const auto invalid = contract::FindInvalidUtf8(text);
  Require(!invalid || *invalid < text.size(), "the invalid byte is one of the text");
  Require(contract::IsValidUtf8(text.substr(0, invalid.value_or(text.size()))),
          "the text before it is valid");
  const std::string_view trimmed = contract::TrimSpace(text);
  Require(contract::TrimSpace(trimmed) == trimmed, "white space is removed at once");
}

// "host:port", with the host of an IPv6 address in brackets.
std::string Joined(std::string_view host, std::uint16_t port) {
  const bool brackets = host.find(':') != std::string_view::npos;
  return (brackets ? "[" : "") + std::string(host) + (brackets ? "]:" : ":") + std::to_string(port);
}

void CheckListenAddress(std::string_view text) {
  const auto address = supervisor::ParseListenAddress(text);
  if (!address) {
    return;
  }
  const auto again = supervisor::ParseListenAddress(Joined(address->host, address->port));
  Require(again && again->host == address->host && again->port == address->port,
          "a listen address says the same in its plain form");
  Require(address->host.size() <= setup::kMaxHostName, "a host is bounded");
  Require(supervisor::SameListener(*address, *again) == (address->port != 0),
          "a fixed port is the same as itself");
}

void CheckIp(std::string_view text) {
  const auto ip = supervisor::ParseIp(text);
  if (ip) {
    std::array<char, INET6_ADDRSTRLEN> written{};
    ::inet_ntop(AF_INET6, ip->data(), written.data(), written.size());
    Require(supervisor::ParseIp(written.data()) == ip, "an address survives being written");
  }
  Require(!supervisor::IsLoopback(text) || ip || text == supervisor::kLocalhost,
          "loopback is an address or localhost");
}

void CheckHttps(std::string_view text) {
  const auto address = setup::ParseHttpsAddress(text);
  if (!address) {
    return;
  }
  Require(static_cast<bool>(setup::CheckHost(address->host)), "the host of a URL is a host");
  Require(address->port != 0, "a URL has a port");
  const auto again =
      setup::ParseHttpsAddress("https://" + address->authority + address->prefix + "/");
  Require(again && again->host == address->host && again->port == address->port &&
              again->prefix == address->prefix,
          "a URL says the same when it is written again");
  (void)supervisor::IsExempt(text, *address);
}

void CheckOtherUrls(std::string_view text) {
  if (const auto domain = setup::ParseSpiffeId(text)) {
    Require(static_cast<bool>(setup::CheckAbsoluteUri(text)), "a SPIFFE ID is a URI");
    Require(text.find(*domain) != std::string_view::npos, "a domain is part of the ID");
  }
  if (setup::ParseTokenUrl(text)) {
    Require(static_cast<bool>(setup::CheckAbsoluteUri(text)), "a token URL is a URI");
  }
  if (setup::CheckSpiffeSocket(text)) {
    Require(text.size() > std::string_view("unix:///").size(), "a socket has a path");
  }
}

// The names that no_proxy lists before the first line end, and the URL of the target after it.
void CheckProxy(std::string_view text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const auto target = setup::ParseHttpsAddress(text.substr(std::min(end + 1, text.size())));
  const std::string proxy(text.substr(0, end));
  if (!target || proxy.find('\0') != std::string::npos) {
    return;
  }
  (void)supervisor::IsExempt(proxy, *target);
  const supervisor::ProxyChoice choice = supervisor::FindProxy(
      [&proxy](std::string_view name) -> std::optional<std::string> {
        return name == "HTTPS_PROXY" ? std::optional(proxy) : std::nullopt;
      },
      *target);
  Require(!choice.proxy || !choice.refusal, "a proxy is used or refused");
  Require(!choice.proxy || (!choice.proxy->host.empty() && choice.proxy->port != 0),
          "a proxy has a host and a port");
}

void CheckNumbers(std::string_view text) {
  (void)supervisor::ParseWholeNumber(text);
  if (const auto number = supervisor::ParseDecimal(text, 65535)) {
    Require(*number <= 65535, "a number is within its range");
    Require(supervisor::ParseDecimal(std::to_string(*number), 65535) == number, "one number");
  }
  if (const auto duration = supervisor::ParseDuration(text)) {
    const auto again = supervisor::ParseDuration(std::to_string(duration->count()) + "ns");
    Require(again && *again == *duration, "a duration survives being written");
  }
}

void CheckValueRules(std::string_view text) {
  for (const auto& check : {&setup::CheckIdentifier, &setup::CheckMountPath, &setup::CheckNamespace,
                            &setup::CheckKeyName, &setup::CheckServerName, &setup::CheckHost,
                            &setup::CheckPathPrefix, &setup::CheckTokenLabel, &setup::CheckScope}) {
    Require(
        !check(text) || std::ranges::none_of(text, [](char c) { return c == '\0' || c == '\n'; }),
        "no accepted value ends a line");
  }
  Require(!setup::CheckServerName(text) || static_cast<bool>(setup::CheckHost(text)),
          "a server name is a host");
  Require(!setup::CheckTokenLabel(text) || text.size() <= setup::kMaxTokenLabel,
          "labels are short");
  const std::string printable = supervisor::Printable(text);
  Require(printable.size() <= std::string_view("...").size() + 64 &&
              std::ranges::all_of(printable, [](char c) { return c >= ' ' && c <= '~'; }),
          "what is printed is short and printable");
}

void CheckPinRecord(std::string_view text) {
  if (const auto record = supervisor::ParsePinRecord(text)) {
    const auto again = supervisor::ParsePinRecord(supervisor::FormatPinRecord(*record));
    Require(again && *again == *record, "a record of a PIN survives its file");
  }
}

constexpr void (*kParsers[])(std::string_view) = {
    &CheckKeyId,         &CheckCiphertext, &CheckBase64,     &CheckUtf8,
    &CheckListenAddress, &CheckIp,         &CheckHttps,      &CheckOtherUrls,
    &CheckProxy,         &CheckNumbers,    &CheckValueRules, &CheckPinRecord};

}  // namespace
}  // namespace baokms

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  baokms::kParsers[(data[0] - 'a') % std::size(baokms::kParsers)](text);
  return 0;
}
