# One list for both compilers; every warning is an error. Third-party headers are SYSTEM.
add_compile_options(
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast
  -Wundef -Wcast-align -Wformat=2 -Wnull-dereference -Wimplicit-fallthrough -Werror)
