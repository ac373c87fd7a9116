# Writes version.cc from its template. Runs in every build and touches the file only when it changes.
#
# usage: cmake -DSOURCE_DIR= -DTEMPLATE= -DOUTPUT= -DPROJECT_VERSION= -DRELEASE_VERSION= -P version.cmake
#
# The same sources give the same file: the build date is SOURCE_DATE_EPOCH, else the time of the commit.
function(git_says variable)
  execute_process(
    COMMAND git -C ${SOURCE_DIR} ${ARGN}
    OUTPUT_VARIABLE text OUTPUT_STRIP_TRAILING_WHITESPACE
    RESULT_VARIABLE result ERROR_QUIET)
  if(NOT result EQUAL 0)
    set(text "unknown")
  endif()
  set(${variable} "${text}" PARENT_SCOPE)
endfunction()

set(COMMIT unknown)
set(BUILD_DATE unknown)
set(DIRTY unknown)
set(tag unknown)
# A checkout of ours, not one that this tree happens to lie in.
if(EXISTS ${SOURCE_DIR}/.git)
  git_says(COMMIT rev-parse HEAD)
  git_says(changes status --porcelain --untracked-files=no)
  git_says(tag describe --tags --exact-match --match v[0-9]* HEAD)
  if(changes STREQUAL "")
    set(DIRTY false)
  elseif(NOT changes STREQUAL "unknown")
    set(DIRTY true)
  endif()
endif()

if(DEFINED ENV{SOURCE_DATE_EPOCH})
  string(TIMESTAMP BUILD_DATE "%Y-%m-%dT%H:%M:%SZ" UTC)
elseif(NOT COMMIT STREQUAL "unknown")
  git_says(commit_time log -1 --format=%ct)
  if(commit_time MATCHES "^[0-9]+$")
    set(ENV{SOURCE_DATE_EPOCH} ${commit_time})
    string(TIMESTAMP BUILD_DATE "%Y-%m-%dT%H:%M:%SZ" UTC)
  endif()
endif()

if(RELEASE_VERSION)
  set(VERSION_TEXT ${RELEASE_VERSION})
elseif(NOT tag STREQUAL "unknown")
  set(VERSION_TEXT ${tag})
else()
  set(VERSION_TEXT ${PROJECT_VERSION}-dev)
endif()

configure_file(${TEMPLATE} ${OUTPUT} @ONLY)
