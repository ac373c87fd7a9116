#include "supervisor/config/schema_table.h"

#include <algorithm>

namespace baokms::supervisor {
namespace {

bool IsBelow(std::string_view key, std::string_view section) {
  return section.empty() ||
         (key.size() > section.size() && key.starts_with(section) && key[section.size()] == '.');
}

}  // namespace

const SchemaRow* FindSchemaRow(std::string_view key) {
  const auto rows = SchemaTable();
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const SchemaRow& row) { return row.key == key; });
  return found == rows.end() ? nullptr : &*found;
}

bool IsSection(std::string_view key) {
  const auto rows = SchemaTable();
  return std::any_of(rows.begin(), rows.end(),
                     [&](const SchemaRow& row) { return IsBelow(row.key, key); });
}

std::vector<std::string_view> ChildNames(std::string_view section) {
  std::vector<std::string_view> names;
  const std::size_t skip = section.empty() ? 0 : section.size() + 1;
  for (const SchemaRow& row : SchemaTable()) {
    if (!IsBelow(row.key, section)) {
      continue;
    }
    const std::string_view rest = row.key.substr(skip);
    const std::string_view name = rest.substr(0, rest.find('.'));
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      names.push_back(name);
    }
  }
  return names;
}

std::string JoinKey(std::string_view section, std::string_view name) {
  std::string key(section);
  if (!key.empty()) {
    key.push_back('.');
  }
  return key.append(name);
}

std::string JoinWords(const std::vector<std::string_view>& words, std::string_view quote) {
  std::string text;
  for (const std::string_view word : words) {
    text.append(text.empty() ? "" : ", ").append(quote).append(word).append(quote);
  }
  return text;
}

}  // namespace baokms::supervisor
