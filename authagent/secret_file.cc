#include "authagent/secret_file.h"

#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <utility>

#include "common/base/result.h"

namespace baokms::authagent {
namespace {

// U+FEFF as editors write it before UTF-8 and UTF-16 text. It is invisible, but a token or a server
// treats it as part of the secret.
constexpr std::array<std::string_view, 3> kByteOrderMarks = {"\xEF\xBB\xBF", "\xFF\xFE",
                                                             "\xFE\xFF"};

bool BeginsWithByteOrderMark(std::string_view text) {
  return std::ranges::any_of(kByteOrderMarks,
                             [text](std::string_view mark) { return text.starts_with(mark); });
}

// Fills `buffer` from the start of the file and returns the number of bytes read.
Result<std::size_t> ReadAll(int fd, std::span<std::uint8_t> buffer) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const ssize_t size =
        ::pread(fd, buffer.data() + filled, buffer.size() - filled, static_cast<off_t>(filled));
    if (size < 0 && errno == EINTR) {
      continue;
    }
    if (size < 0) {
      return Error(ErrorCode::kSystem, "cannot be read", errno);
    }
    if (size == 0) {
      break;
    }
    filled += static_cast<std::size_t>(size);
  }
  return filled;
}

Opened Open(const SecretPlace& place, const FileRules& rules) {
  struct stat info {};

  if (place.opened < 0 || ::fstat(place.opened, &info) != 0 || !S_ISREG(info.st_mode)) {
    return OpenFileByRules(place.path, rules);
  }
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size > rules.max_size) {
    return {UniqueFd(), 0, PathRefusal{.rule = PathRule::kSize, .max_size = rules.max_size}};
  }
  return {UniqueFd(::fcntl(place.opened, F_DUPFD_CLOEXEC, 0)), size, std::nullopt};
}

// Returns the word for the rule that a path broke (docs/authentication.md#credential-files).
std::string_view WordOf(const PathRefusal& refusal) {
  switch (refusal.rule) {
    case PathRule::kForm:
      return "absolute_path_required";
    case PathRule::kOpens:
      return refusal.sys_errno == ENOENT ? "file_missing" : "file_unreadable";
    case PathRule::kDirectory:
      return "file_missing";
    case PathRule::kNotWritable:
    case PathRule::kOwner:
    case PathRule::kMode:
      return "unsafe_permissions";
    case PathRule::kLink:
    case PathRule::kFinalLink:
    case PathRule::kLinks:
    case PathRule::kReadableLink:
      return "symlink_unsupported";
    case PathRule::kRegular:
      return "regular_file_required";
    case PathRule::kSize:
      return "file_too_large";
    case PathRule::kSame:
      break;
  }
  return "file_changed";
}

std::string Reason(std::string_view word, Literal key, std::string_view problem) {
  return std::string(word).append(": ").append(key.view()).append(": ").append(problem);
}

// Reads the `size` bytes of an open file, and one more to detect a file that is being written.
Result<SecretBuffer> ReadWhole(int fd, std::size_t size) {
  SecretBuffer raw = BAOKMS_TRY(SecretBuffer::Allocate(size + 1));
  if (BAOKMS_TRY(ReadAll(fd, raw.RevealMutable())) != size) {
    return Error(ErrorCode::kUnavailable, "changed while it was read; replace it with a rename");
  }
  return raw;
}

Result<SecretBuffer> Copy(std::span<const std::uint8_t> secret) {
  SecretBuffer copy = BAOKMS_TRY(SecretBuffer::Allocate(secret.size()));
  std::ranges::copy(secret, copy.RevealMutable().begin());
  return copy;
}

SecretRead Unreadable(const Error& error, const SecretForm& form) {
  const bool changed = error.code() == ErrorCode::kUnavailable;
  return {.reason =
              Reason(changed ? "file_changed" : "file_unreadable", form.key, error.Describe())};
}

}  // namespace

std::string RefusalReason(const PathRefusal& refusal, Literal key) {
  const bool before_file =
      refusal.rule == PathRule::kNotWritable || refusal.rule == PathRule::kDirectory;
  return Reason(WordOf(refusal), key,
                before_file ? "a part of its path " + refusal.Describe("DIRECTORY")
                            : refusal.Describe("FILE"));
}

std::string ContentReason(const SecretForm& form, std::string_view problem) {
  return Reason("invalid_content", form.key, problem).append("; ").append(form.remedy.view());
}

SecretRead ReadSecret(const SecretPlace& place, FileRules rules, const SecretForm& form) {
  rules.own_user = place.own_user;
  const Opened file = Open(place, rules);
  if (file.refusal) {
    return {.reason = RefusalReason(*file.refusal, form.key)};
  }
  const Result<SecretBuffer> raw = ReadWhole(file.fd.get(), file.size);
  if (!raw) {
    return Unreadable(raw.error(), form);
  }
  const auto unusable = [&form](std::string_view problem) {
    return SecretRead{.reason = ContentReason(form, problem), .is_content = true};
  };
  if (BeginsWithByteOrderMark(raw->RevealText().substr(0, file.size))) {
    return unusable("begins with a byte order mark");
  }
  const std::span<const std::uint8_t> secret = form.strip(raw->Reveal().first(file.size));
  if (secret.empty() || std::ranges::any_of(secret, form.forbidden)) {
    return unusable(secret.empty() ? "is empty" : form.problem.view());
  }
  Result<SecretBuffer> copy = Copy(secret);
  return copy ? SecretRead{.secret = *std::move(copy)} : Unreadable(copy.error(), form);
}

}  // namespace baokms::authagent
