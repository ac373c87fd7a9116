# The three kinds of target this project has. One folder = one static library; a program adds a main.cc.

# baokms_library(NAME SRCS... DEPS... [PRIVATE_DEPS...]) -> baokms::NAME
function(baokms_library name)
  cmake_parse_arguments(arg "" "" "SRCS;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(baokms_${name} STATIC ${arg_SRCS})
  add_library(baokms::${name} ALIAS baokms_${name})
  target_include_directories(baokms_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(baokms_${name} PUBLIC ${arg_DEPS} PRIVATE ${arg_PRIVATE_DEPS})
  baokms_compile_together(baokms_${name})
  baokms_precompile(baokms_${name} libraries ${baokms_std_headers} ${baokms_protobuf_headers})
endfunction()

# baokms_binary(NAME SRCS... DEPS... NEEDED... [INNER])   NEEDED: the only shared libraries the program may link. An
# INNER program is one that another one starts: in bin/ nobody may read it, as in an installation (docs/install.md);
# inner/ has what a debugger can read.
function(baokms_binary name)
  cmake_parse_arguments(arg "INNER" "" "SRCS;DEPS;NEEDED" ${ARGN})
  add_executable(${name} ${arg_SRCS})
  target_link_libraries(${name} PRIVATE ${arg_DEPS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  if(arg_INNER)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/inner)
    add_custom_command(TARGET ${name} POST_BUILD
      COMMAND install -D -m 0111 $<TARGET_FILE:${name}> ${CMAKE_BINARY_DIR}/bin/${name}
      BYPRODUCTS ${CMAKE_BINARY_DIR}/bin/${name})
  endif()
  if(NOT BAOKMS_SANITIZE AND BAOKMS_TESTS)
    string(REPLACE ";" "," allowed "${arg_NEEDED}")
    add_test(NAME needed.${name} COMMAND ${CMAKE_SOURCE_DIR}/.ci/needed.py $<TARGET_FILE:${name}> ${allowed})
    set_tests_properties(needed.${name} PROPERTIES LABELS "unit;boundary")
  endif()
endfunction()

# The tests with THREADS, which is what the lane tsan builds.
add_custom_target(threads_tests)

# baokms_test(NAME SRCS... DEPS... [LABELS...] [TOPIC] [OPTIMIZED] [THREADS])   One program of the *_test.cc that need
# the same; LABELS default to "unit"; with a TOPIC the test is called TOPIC.NAME, so that a filter finds what belongs
# together. OPTIMIZED is for a test that itself computes for seconds. THREADS is for a test in which several threads
# run code of ours: it also has the label "threads". The time limit is that of whoever runs ctest: a property here would
# win over it.
function(baokms_test name)
  cmake_parse_arguments(arg "OPTIMIZED;THREADS" "TOPIC" "SRCS;DEPS;LABELS" ${ARGN})
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  if(arg_THREADS)
    list(APPEND arg_LABELS threads)
  endif()
  add_executable(${name} ${arg_SRCS})
  target_link_libraries(${name} PRIVATE ${arg_DEPS} baokms_test_data GTest::gmock GTest::gtest_main)
  # Most tests are built for quick compiling; what they test is built as it is shipped. Fortify needs
  # an optimized build. A precompiled header serves only those who are compiled with the same options.
  if(NOT arg_OPTIMIZED)
    target_compile_options(${name} PRIVATE -O0 -U_FORTIFY_SOURCE)
    baokms_precompile(${name} tests ${baokms_std_headers} ${baokms_protobuf_headers} ${baokms_test_headers})
  endif()
  baokms_compile_together(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  set(test ${name})
  if(arg_TOPIC)
    set(test ${arg_TOPIC}.${name})
  endif()
  add_test(NAME ${test} COMMAND ${name})
  set_tests_properties(${test} PROPERTIES LABELS "${arg_LABELS}")
  if(arg_THREADS)
    add_dependencies(threads_tests ${name})
  endif()
endfunction()
