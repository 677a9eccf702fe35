/* Catching what is written to stderr, by this process and by those that it starts meanwhile: for verbs that print JSON
 * and run compilers. Has to do with the whole process: one at a time. */
#ifndef CHAINSI_CLI_CAPTURE_H
#define CHAINSI_CLI_CAPTURE_H

/* All zero: catches nothing. */
typedef struct chainsi_capture {
    int file, kept; /* owned; what was caught, and stderr as it was; 0: nothing is caught */
} chainsi_capture;

/* From now on. Where it can't be, all goes to stderr as before. */
void chainsi_capture_begin(chainsi_capture *capture);
/* What was written since then, or since this was called, as text that may stand in JSON; the caller frees it. NULL:
 * nothing was. */
char *chainsi_capture_take(chainsi_capture *capture);
/* stderr is as it was. What wasn't taken goes there. */
void chainsi_capture_end(chainsi_capture *capture);

#endif
