# Makes clean builds fast: third-party headers that most files include are precompiled, and several
# files of a target are compiled together. The clang preset does neither, so that a file that lacks
# an include of its own is found.
option(BAOKMS_QUICK_BUILD "Precompile the headers of other projects and compile several files at a time" ON)
# With more files at a time, a rebuild after a change would be slow.
set(baokms_files_at_a_time 6)
# In KiB. By default GCC 12 collects garbage from 128 MB on, which nearly every file of ours needs and
# which takes a quarter of its compile time.
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
  # ccache needs this to detect changes of the precompiled header.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
endfunction()

# baokms_compile_together(TARGET)   Replaces the target's sources by files that include several of them each.
# CMake's own UNITY_BUILD writes absolute paths into those files, which would hide from ccache that two clones
# compile the same.
function(baokms_compile_together target)
  if(NOT BAOKMS_QUICK_BUILD)
    return()
  endif()
  get_target_property(sources ${target} SOURCES)
  set(together "")
  set(batch "")
  set(number 0)
  foreach(source IN LISTS sources)
    cmake_path(ABSOLUTE_PATH source OUTPUT_VARIABLE absolute)
    cmake_path(IS_PREFIX CMAKE_BINARY_DIR ${absolute} generated)
    if(generated)
      list(APPEND together ${source})
      continue()
    endif()
    cmake_path(RELATIVE_PATH absolute BASE_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE below_root)
    string(APPEND batch "#include \"${below_root}\"\n")
    set_source_files_properties(${source} PROPERTIES HEADER_FILE_ONLY ON)
    list(APPEND together ${source})
    math(EXPR number "${number} + 1")
    math(EXPR full "${number} % ${baokms_files_at_a_time}")
    if(full EQUAL 0)
      baokms_write_batch(${target} ${number} "${batch}" together)
      set(batch "")
    endif()
  endforeach()
  if(NOT batch STREQUAL "")
    baokms_write_batch(${target} ${number} "${batch}" together)
  endif()
  set_target_properties(${target} PROPERTIES SOURCES "${together}")
endfunction()

# Writes one file of a batch, only when it changed, and adds it to the list of the caller.
function(baokms_write_batch target number content list)
  set(file ${CMAKE_CURRENT_BINARY_DIR}/${target}_together_${number}.cc)
  file(CONFIGURE OUTPUT ${file} CONTENT "${content}" @ONLY)
  set(${list} ${${list}} ${file} PARENT_SCOPE)
endfunction()

if(BAOKMS_QUICK_BUILD)
  add_compile_options("$<$<CXX_COMPILER_ID:GNU>:SHELL:--param ggc-min-heapsize=${baokms_garbage}>")
endif()
