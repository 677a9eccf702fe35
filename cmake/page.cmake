# chains_page(TARGET): the status page of web/ becomes part of a program, or the plain page where it can't be built; see
# cmake/build_page. It is built in BUILD/page, from a copy; what Vite makes of it is in BUILD/web.
option(CHAINS_PAGE "Build the status page (node and npm; else chainsd gets a plain one)" ON)

function(chains_page target)
    find_package(Python3 REQUIRED COMPONENTS Interpreter)
    set(tools)
    if(CHAINS_PAGE)
        find_program(CHAINS_NODE NAMES node nodejs)
        find_program(CHAINS_NPM npm)
        if(CHAINS_NODE AND CHAINS_NPM)
            set(tools --node ${CHAINS_NODE} --npm ${CHAINS_NPM})
        endif()
    endif()
    set(web ${PROJECT_SOURCE_DIR}/web)
    set(table ${CMAKE_CURRENT_BINARY_DIR}/page_files.c)
    set(done ${CMAKE_CURRENT_BINARY_DIR}/page.done)
    set(plain ${PROJECT_SOURCE_DIR}/src/control/page_plain.html)
    file(GLOB sources CONFIGURE_DEPENDS ${web}/*.json ${web}/*.ts ${web}/*.js ${web}/*.html ${web}/.npmrc)
    file(GLOB_RECURSE more CONFIGURE_DEPENDS ${web}/src/* ${web}/public/*)
    add_custom_command(OUTPUT ${table} ${done}
        COMMAND ${Python3_EXECUTABLE} -B ${PROJECT_SOURCE_DIR}/cmake/build_page --source ${web}
            --work ${PROJECT_BINARY_DIR}/page --out ${PROJECT_BINARY_DIR}/web --table ${table} --done ${done}
            --plain ${plain} ${tools}
        DEPENDS ${PROJECT_SOURCE_DIR}/cmake/build_page ${plain} ${sources} ${more}
        COMMENT "Building the status page" VERBATIM)
    target_sources(${target} PRIVATE ${table})
endfunction()
