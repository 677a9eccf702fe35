# chains_unit_tests(FOLDER_LIBRARY libraries...): every *_test.c beside the sources of this folder becomes a cmocka program and a
# test of its own, linked with the folder's library and the given ones.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)

function(chains_unit_tests library)
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.c)
    get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
    foreach(source ${sources})
        get_filename_component(name ${source} NAME_WE)
        set(target ${folder}_${name})
        add_executable(${target} ${source})
        target_link_libraries(${target} PRIVATE ${library} ${ARGN} PkgConfig::CMOCKA chains_warnings)
        target_compile_definitions(${target} PRIVATE CHAINS_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
            CHAINS_BINARY_DIR="${PROJECT_BINARY_DIR}")
        add_test(NAME unit/${folder}/${name} COMMAND ${target})
        set_tests_properties(unit/${folder}/${name} PROPERTIES LABELS unit TIMEOUT 120
            SKIP_RETURN_CODE 77)
    endforeach()
endfunction()

# chains_note_slots(TARGET): a program with rpc/slots_test_support.h, which stands around the board's functions.
function(chains_note_slots target)
    foreach(name board_join board_claim board_claim_many board_withdraw seat_leave seat_take seat_free)
        target_link_options(${target} PRIVATE -Wl,--wrap=chainsi_${name})
    endforeach()
endfunction()
