// One JSON object of a fixed shape, read into a plain struct. The table of members is the shape:
// unknown and repeated names, wrong types and missing required members are refused, and so are
// optional members written out as "" or 0, because no writer does that.

#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace baokms::contract {

enum class Presence : std::uint8_t { kRequired, kOmittedWhenEmpty };

template <typename T>
struct JsonMember {
  std::string_view name;
  std::variant<std::string T::*, std::uint64_t T::*> slot;
  Presence presence = Presence::kRequired;
};

template <typename T>
class MemberReader {
 public:
  explicit MemberReader(std::span<const JsonMember<T>> members) : members_(members) {}

  // False when there is no such member or it was there before.
  bool Key(std::string_view name) {
    current_ = 0;
    while (current_ < members_.size() && members_[current_].name != name) {
      ++current_;
    }
    if (current_ == members_.size() || seen_.test(current_)) {
      return false;
    }
    seen_.set(current_);
    return true;
  }

  // Stores the value of the member that Key() named last. False when it is of the other type.
  bool Text(T& object, std::string value) {
    const bool present = !value.empty();
    return Store<std::string>(object, std::move(value), present);
  }

  bool Number(T& object, std::uint64_t value) {
    return Store<std::uint64_t>(object, value, value != 0);
  }

  [[nodiscard]] bool Complete() const {
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (members_[i].presence == Presence::kRequired && !seen_.test(i)) {
        return false;
      }
    }
    return true;
  }

 private:
  static constexpr std::size_t kMaxMembers = 16;

  template <typename Value>
  bool Store(T& object, Value value, bool present) {
    if (current_ >= members_.size()) {
      return false;
    }
    const JsonMember<T>& member = members_[current_];
    const auto* slot = std::get_if<Value T::*>(&member.slot);
    if (slot == nullptr || (!present && member.presence == Presence::kOmittedWhenEmpty)) {
      return false;
    }
    object.** slot = std::move(value);
    return true;
  }

  std::span<const JsonMember<T>> members_;
  std::bitset<kMaxMembers> seen_;
  std::size_t current_ = kMaxMembers;
};

}  // namespace baokms::contract
