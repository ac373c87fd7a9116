#include "supervisor/cli/command_tree.h"

#include <cstddef>

namespace baokms::supervisor {

std::vector<CommandPath> Flatten(const CommandNode& root) {
  std::vector<CommandPath> list{{"", &root}};
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string prefix = list[i].path.empty() ? std::string() : list[i].path + " ";
    for (const CommandNode& child : list[i].node->children) {
      list.push_back({prefix + child.name, &child});
    }
  }
  return list;
}

}  // namespace baokms::supervisor
