/* The files of examples/hello, which `chains init` writes. They are embedded when the program is
 * built, so that there is one copy of them. */
#ifndef CHAINSI_CLI_HELLO_FILES_H
#define CHAINSI_CLI_HELLO_FILES_H

#include <stddef.h>

typedef struct chainsi_hello_file {
    const char *path; /* relative to the chain's folder */
    const unsigned char *data;
    size_t size;
} chainsi_hello_file;

/* Ends with a NULL path. */
extern const chainsi_hello_file chainsi_hello_files[];

#endif
