# The hardening of every program, in every build type. No option turns it off.
include(CheckPIESupported)
check_pie_supported()

# The compiler sees the source folder by its absolute path, or by a relative one where ccache rewrites it.
file(RELATIVE_PATH baokms_source_from_build ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR})
add_compile_options(
  -fstack-protector-strong -fstack-clash-protection -fcf-protection -fno-strict-aliasing
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -ffile-prefix-map=${baokms_source_from_build}=)
add_compile_definitions(_GLIBCXX_ASSERTIONS)
# As Debian builds its own: -O3 makes larger programs that are no faster, and takes longer.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code -Wl,--as-needed)

if(BAOKMS_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)  # coverage of the libraries, which is what fuzzers follow
endif()

if(BAOKMS_SANITIZE)
  add_compile_options(-fsanitize=${BAOKMS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${BAOKMS_SANITIZE})
  add_compile_definitions(BAOKMS_SANITIZED=1)
else()
  # Fortify needs an optimised build; sanitizers replace its checks with their own.
  add_compile_options($<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE> $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
endif()
