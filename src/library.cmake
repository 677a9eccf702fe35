# What programs of authors are built with, laid out in the build tree as it is below an installation's prefix:
#   include/chains.h            the authors' API
#   lib/libchains.a             base, schema, rpc and runtime in one archive
#   lib/libchains_tls.a         TLS for external services; only those who call one by https link it
#   lib/chains/include/         the headers of generated code
#   lib/pkgconfig/chains.pc     (build tree: chains.pc) for programs built by hand
# `chains` finds them relative to itself.
include(GNUInstallDirs)

set(parts base schema rpc runtime)
set(objects)
foreach(part ${parts})
    list(APPEND objects $<TARGET_OBJECTS:chains_${part}>)
    # So that programs of authors keep only what they use.
    target_compile_options(chains_${part} PRIVATE -ffunction-sections -fdata-sections)
endforeach()
add_library(chains_library STATIC ${objects})
set_target_properties(chains_library PROPERTIES OUTPUT_NAME chains LINKER_LANGUAGE C
    ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)

if(CHAINS_SANITIZE)
    set(CHAINS_PC_SANITIZE "-fsanitize=${CHAINS_SANITIZE}")
    target_compile_definitions(chains_compiler PRIVATE CHAINSI_LIBRARY_LINK_WORDS=" ${CHAINS_PC_SANITIZE}")
endif()

if(TARGET chains_tls)
    set_target_properties(chains_tls PROPERTIES OUTPUT_NAME chains_tls
        ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
    install(TARGETS chains_tls ARCHIVE DESTINATION lib)
    add_dependencies(chains chains_tls)
endif()

file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/include ${PROJECT_BINARY_DIR}/lib/chains/include/runtime
    ${PROJECT_BINARY_DIR}/lib/chains/include/schema ${PROJECT_BINARY_DIR}/lib/chains/include/rpc)
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/include/chains.h ${PROJECT_BINARY_DIR}/include/chains.h SYMBOLIC)
foreach(header runtime/glue.h schema/type.h rpc/tls.h)
    file(CREATE_LINK ${PROJECT_SOURCE_DIR}/src/${header} ${PROJECT_BINARY_DIR}/lib/chains/include/${header} SYMBOLIC)
    get_filename_component(header_folder ${header} DIRECTORY)
    install(FILES ${PROJECT_SOURCE_DIR}/src/${header} DESTINATION lib/chains/include/${header_folder})
endforeach()

# Relative to where the file lies, so that an installation may be moved.
set(CHAINS_PC_PREFIX "\${pcfiledir}")
configure_file(${PROJECT_SOURCE_DIR}/src/chains.pc.in ${PROJECT_BINARY_DIR}/chains.pc @ONLY)
set(CHAINS_PC_PREFIX "\${pcfiledir}/../..")
configure_file(${PROJECT_SOURCE_DIR}/src/chains.pc.in ${PROJECT_BINARY_DIR}/installed/chains.pc @ONLY)

install(TARGETS chains RUNTIME DESTINATION bin)
install(TARGETS chains_library ARCHIVE DESTINATION lib)
install(FILES ${PROJECT_SOURCE_DIR}/include/chains.h DESTINATION include)
install(FILES ${PROJECT_BINARY_DIR}/installed/chains.pc DESTINATION lib/pkgconfig)

add_dependencies(chains chains_library)
