# The warnings that every file of the project is compiled with.
add_library(chains_warnings INTERFACE)
target_compile_options(chains_warnings INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Werror
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>)
# At -O3 gcc inlines until it no longer sees that a value is only read where it was set, and until it sees that a sentence may be
# longer than the buffer that snprintf cuts it to on purpose. The dev preset keeps both warnings.
target_compile_options(chains_warnings INTERFACE
    "$<$<AND:$<CONFIG:Release>,$<C_COMPILER_ID:GNU>>:-Wno-maybe-uninitialized;-Wno-format-truncation>")
# assert(!"this does not happen") is meant so.
target_compile_options(chains_warnings INTERFACE $<$<C_COMPILER_ID:Clang>:-Wno-string-conversion>)
