# Headers that most files include, compiled once: on two cores this is a third of a build from nothing.
# Only headers of others, so that no file of ours can do without its own includes for long: the clang
# preset builds without this.
option(BAOKMS_PRECOMPILE "Precompile the headers of other projects that most files include" ON)

set(baokms_std_headers
  <algorithm> <array> <chrono> <cstddef> <cstdint> <deque> <functional> <map> <memory> <mutex> <optional> <set>
  <span> <string> <string_view> <unordered_map> <utility> <variant> <vector>)
set(baokms_protobuf_headers
  <google/protobuf/arena.h> <google/protobuf/arenastring.h> <google/protobuf/generated_enum_util.h>
  <google/protobuf/extension_set.h> <google/protobuf/generated_message_util.h> <google/protobuf/io/coded_stream.h>
  <google/protobuf/message_lite.h>
  <google/protobuf/metadata_lite.h> <google/protobuf/repeated_field.h>)
set(baokms_test_headers <gmock/gmock.h> <gtest/gtest.h>)

# baokms_precompile(TARGET OWNER HEADERS...)   The first target of an OWNER compiles, the others reuse.
function(baokms_precompile target owner)
  if(NOT BAOKMS_PRECOMPILE)
    return()
  endif()
  get_property(first GLOBAL PROPERTY baokms_precompiled_${owner})
  if(first)
    target_precompile_headers(${target} REUSE_FROM ${first})
  else()
    set_property(GLOBAL PROPERTY baokms_precompiled_${owner} ${target})
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
  # For ccache: shows it the precompiled file.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
endfunction()
