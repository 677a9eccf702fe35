# CHAINS_SANITIZE=address,undefined or thread, for everything that is built.
if(CHAINS_SANITIZE)
    add_compile_options(-fsanitize=${CHAINS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${CHAINS_SANITIZE})
endif()
