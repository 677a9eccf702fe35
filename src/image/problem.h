/* Why an image could not be made or pushed, and what to do about it. */
#ifndef CHAINSI_IMAGE_PROBLEM_H
#define CHAINSI_IMAGE_PROBLEM_H

#include <stdbool.h>

/* All zero: nothing is wrong. */
typedef struct chainsi_problem {
    char message[1536]; /* names the object: a file, a library, a registry */
    char hint[768];     /* the next step; "": none */
} chainsi_problem;

/* Notes what is wrong, with the next step (NULL: none); returns false, for `return chainsi_problem_set(…)`. */
bool chainsi_problem_set(chainsi_problem *problem, const char *hint, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a file that can't be read or written; why is in errno, and a full disk has its own hint. */
bool chainsi_problem_file(chainsi_problem *problem, const char *doing, const char *path);

#endif
