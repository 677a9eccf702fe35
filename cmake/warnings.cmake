# The warnings that every file of the project is compiled with.
add_library(chains_warnings INTERFACE)
target_compile_options(chains_warnings INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Werror
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>)
