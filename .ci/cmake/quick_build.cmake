# What makes a build from nothing quick: headers of others that most files include are compiled once,
# and several files of a target at a time. The clang preset builds without, so that no file of ours
# can do without its own includes for long.
option(BAOKMS_QUICK_BUILD "Precompile the headers of other projects and compile several files at a time" ON)
# More at a time would make the rebuild after a change slow.
set(baokms_files_at_a_time 6)
# GCC 12 starts to collect garbage at 128 MB by default, which nearly all of our files need: a quarter
# of their time. In KiB.
set(baokms_garbage 1000000)

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
  if(NOT BAOKMS_QUICK_BUILD)
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

# baokms_compile_together(TARGET)
function(baokms_compile_together target)
  if(BAOKMS_QUICK_BUILD)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${baokms_files_at_a_time})
  endif()
endfunction()

if(BAOKMS_QUICK_BUILD)
  add_compile_options("$<$<CXX_COMPILER_ID:GNU>:SHELL:--param ggc-min-heapsize=${baokms_garbage}>")
endif()
