#include "supervisor/registry/pin_latch.h"

#include <sys/random.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <utility>

#include "common/base/error.h"
#include "common/base/hex.h"
#include "ipc/limits.h"

namespace baokms::supervisor {
namespace {

constexpr std::string_view kSuffix = ".pin-latch";
constexpr std::string_view kFormat = "pin-latch/v1 ";
constexpr std::string_view kAttempting = "attempting ";
constexpr std::string_view kRefused = "refused ";

// The single line has at most 64 bytes.
constexpr std::size_t kMaxLatchFile = 128;

bool Skip(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) {
    return false;
  }
  text.remove_prefix(word.size());
  return true;
}

bool IsSameTag(std::uint16_t a, std::uint16_t b) {
  return ((a ^ b) & ipc::kPinTagBits) == 0;
}

}  // namespace

std::string FormatPinRecord(const PinRecord& record) {
  const std::array<std::uint8_t, 2> tag = {static_cast<std::uint8_t>(record.tag >> 8U),
                                           static_cast<std::uint8_t>(record.tag & 0xffU)};
  std::string text(kFormat);
  text.append(record.kind == PinRecord::Kind::kRefused ? kRefused : kAttempting);
  return text.append(ToHex(tag)).append(" ").append(ToHex(record.salt)).append("\n");
}

Result<PinRecord> ParsePinRecord(std::string_view text) {
  const Error broken(ErrorCode::kInvalidArgument, "PIN latch is not readable: clear it");
  PinRecord record;
  if (!Skip(text, kFormat)) {
    return broken;
  }
  if (Skip(text, kRefused)) {
    record.kind = PinRecord::Kind::kRefused;
  } else if (!Skip(text, kAttempting)) {
    return broken;
  }
  constexpr std::size_t kTagSize = 4;
  std::array<std::uint8_t, 2> tag{};
  if (!text.ends_with('\n') || text.size() < kTagSize + 2 || text[kTagSize] != ' ' ||
      !FromHex(text.substr(0, kTagSize), tag) ||
      !FromHex(text.substr(kTagSize + 1, text.size() - kTagSize - 2), record.salt)) {
    return broken;
  }
  record.tag = static_cast<std::uint16_t>(tag[0] << 8U | tag[1]);
  return record;
}

Result<PinLatch> PinLatch::Open(FileOps& ops, const std::string& state_path) {
  return PinLatch(ops, BAOKMS_TRY(StateDirectory::Open(ops, state_path)));
}

PinLatch::PinLatch(FileOps& ops, StateDirectory directory)
    : ops_(&ops),
      directory_(std::move(directory)),
      name_(directory_.base_name() + std::string(kSuffix)) {
}

Result<std::optional<PinRecord>> PinLatch::Read() const {
  const std::optional<std::string> text = BAOKMS_TRY(directory_.ReadFile(name_, kMaxLatchFile));
  if (!text) {
    return std::optional<PinRecord>();
  }
  return std::optional<PinRecord>(BAOKMS_TRY(ParsePinRecord(*text)));
}

Result<PinSalt> PinLatch::Salt() const {
  const Result<std::optional<PinRecord>> record = Read();
  if (record && record->has_value()) {
    return (*record)->salt;
  }
  // An unreadable latch keeps every PIN from being tried, so any salt serves until it is cleared.
  PinSalt salt{};
  if (::getrandom(salt.data(), salt.size(), 0) != static_cast<ssize_t>(salt.size())) {
    return Error(ErrorCode::kSystem, "getrandom", errno);
  }
  return salt;
}

PinPermission PinLatch::Begin(const PinSalt& salt, std::uint16_t tag) const {
  const Result<std::optional<PinRecord>> record = Read();
  if (!record) {
    return PinPermission::kNoLatch;
  }
  // Tags with different salts cannot be compared: another salt was not written by this process.
  if (record->has_value() && (IsSameTag((*record)->tag, tag) || (*record)->salt != salt)) {
    return (*record)->kind == PinRecord::Kind::kRefused ? PinPermission::kRefusedBefore
                                                        : PinPermission::kUnfinishedBefore;
  }
  const PinRecord attempt{.kind = PinRecord::Kind::kAttempting, .tag = tag, .salt = salt};
  return directory_.ReplaceFile(name_, FormatPinRecord(attempt)) ? PinPermission::kAllowed
                                                                 : PinPermission::kNoLatch;
}

Status PinLatch::Refuse(const PinSalt& salt, std::uint16_t tag) const {
  return directory_.ReplaceFile(
      name_, FormatPinRecord({.kind = PinRecord::Kind::kRefused, .tag = tag, .salt = salt}));
}

Status PinLatch::Clear() const {
  const Status removed = ops_->Remove(directory_.fd(), name_);
  if (!removed && removed.error().sys_errno() != ENOENT) {
    return removed;
  }
  return {};
}

}  // namespace baokms::supervisor
