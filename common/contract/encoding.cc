#include "common/contract/encoding.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include <openssl/crypto.h>
#include <openssl/evp.h>

namespace baokms::contract {
namespace {

// Up to three bytes and the four characters that encode them. Wiped on destruction, because they
// may be part of a secret.
class Group {
 public:
  Group() = default;
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  ~Group() {
    OPENSSL_cleanse(bytes_.data(), bytes_.size());
    OPENSSL_cleanse(characters_.data(), characters_.size());
  }

  std::span<const std::uint8_t> Encode(std::span<const std::uint8_t> bytes) {
    EVP_EncodeBlock(characters_.data(), bytes.data(), static_cast<int>(bytes.size()));
    return std::span(characters_).first(4);
  }

  // Returns an empty span when `text` is not the encoding of any bytes.
  std::span<const std::uint8_t> Decode(std::span<const std::uint8_t, 4> text) {
    if (EVP_DecodeBlock(bytes_.data(), text.data(), 4) != 3) {
      return {};
    }
    const std::size_t padding = text[3] != '=' ? 0U : (text[2] != '=' ? 1U : 2U);
    const auto decoded = std::span(bytes_).first(3 - padding);
    return std::ranges::equal(Encode(decoded), text) ? decoded : std::span<std::uint8_t>();
  }

 private:
  std::array<std::uint8_t, 3> bytes_{};
  std::array<std::uint8_t, 5> characters_{};  // libcrypto appends a NUL
};

constexpr Error BadBase64() {
  return Error(ErrorCode::kInvalidArgument, "text is not canonical base64");
}

}  // namespace

std::span<const std::uint8_t> AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Sha256Digest Sha256(std::span<const std::uint8_t> bytes) {
  Sha256Digest digest{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1 ||
      size != digest.size()) {
    std::abort();
  }
  return digest;
}

std::string HashText(std::string_view text) {
  return EncodeBase64Url(Sha256(AsBytes(text)));
}

bool IsEncodedDigest(std::string_view text) {
  return text.size() == kEncodedDigestBytes && DecodeBase64Url(text);
}

Result<std::size_t> EncodeBase64Into(std::span<const std::uint8_t> bytes,
                                     std::span<std::uint8_t> out) {
  if (out.size() < Base64Size(bytes.size())) {
    return Error(ErrorCode::kResourceExhausted, "no room for the base64 text");
  }
  Group group;
  std::size_t written = 0;
  while (!bytes.empty()) {
    const auto next = bytes.first(std::min<std::size_t>(3, bytes.size()));
    std::ranges::copy(group.Encode(next), out.subspan(written, 4).begin());
    written += 4;
    bytes = bytes.subspan(next.size());
  }
  return written;
}

Result<std::size_t> DecodeBase64Into(std::string_view text, std::span<std::uint8_t> out) {
  if (text.size() % 4 != 0) {
    return BadBase64();
  }
  Group group;
  std::size_t written = 0;
  for (auto rest = AsBytes(text); !rest.empty(); rest = rest.subspan(4)) {
    const auto decoded = group.Decode(rest.first<4>());
    if (decoded.empty() || (decoded.size() < 3 && rest.size() > 4)) {
      return BadBase64();
    }
    if (out.size() - written < decoded.size()) {
      return Error(ErrorCode::kResourceExhausted, "no room for the decoded bytes");
    }
    std::ranges::copy(decoded, out.subspan(written).begin());
    written += decoded.size();
  }
  return written;
}

std::string EncodeBase64(std::span<const std::uint8_t> bytes) {
  std::vector<std::uint8_t> text(Base64Size(bytes.size()));
  text.resize(EncodeBase64Into(bytes, text).value());
  return {text.begin(), text.end()};
}

Result<std::vector<std::uint8_t>> DecodeBase64(std::string_view text) {
  std::vector<std::uint8_t> bytes(text.size() / 4 * 3);
  bytes.resize(BAOKMS_TRY(DecodeBase64Into(text, bytes)));
  return bytes;
}

std::string EncodeBase64Url(std::span<const std::uint8_t> bytes) {
  std::string text = EncodeBase64(bytes);
  text.erase(std::min(text.size(), text.find('=')));
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  return text;
}

Result<std::vector<std::uint8_t>> DecodeBase64Url(std::string_view text) {
  if (text.find_first_of("+/=") != std::string_view::npos || text.size() % 4 == 1) {
    return BadBase64();
  }
  std::string standard(text);
  std::ranges::replace(standard, '-', '+');
  std::ranges::replace(standard, '_', '/');
  standard.append((4 - text.size() % 4) % 4, '=');
  return DecodeBase64(standard);
}

Result<std::int64_t> ParsePositiveDecimal(std::string_view text) {
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  if (text.empty() || text.front() < '1' || text.front() > '9') {
    return Error(ErrorCode::kInvalidArgument, "not a positive decimal number");
  }
  const auto [stopped, failure] = std::from_chars(text.data(), end, value);
  if (failure != std::errc() || stopped != end) {
    return Error(ErrorCode::kInvalidArgument, "not a positive decimal number");
  }
  return value;
}

}  // namespace baokms::contract
