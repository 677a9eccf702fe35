/* How codecs put a chainsi_codec_error together: the place at fault writes message and offset, and
 * every level adds its step to the front of the path on the way out. Success costs nothing. */
#ifndef CHAINSI_SCHEMA_REPORT_H
#define CHAINSI_SCHEMA_REPORT_H

#include "schema/codec.h"

enum { CHAINSI_EXCERPT = 48 }; /* bytes of a value that a message shows */

typedef struct chainsi_report {
    chainsi_codec_error *error; /* never NULL; its path is filled from the back */
    size_t path_start;          /* of what is there of the path */
    bool cut;                   /* steps no longer fit */
} chainsi_report;

/* Begins: error is written to only by the functions below. */
static inline void chainsi_report_init(chainsi_report *report, chainsi_codec_error *error)
{
    report->error = error;
    report->path_start = CHAINSI_CODEC_PATH - 1;
    report->cut = false;
}

/* The message, with an empty path. Always false, to be returned. */
bool chainsi_report_fail(chainsi_report *report, size_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));
/* One step outwards: a field of a struct, an item of a list, an entry of a map. */
void chainsi_report_field(chainsi_report *report, const char *name) __attribute__((cold));
void chainsi_report_index(chainsi_report *report, size_t index) __attribute__((cold));
void chainsi_report_key(chainsi_report *report, const char *key) __attribute__((cold));
/* Moves the finished path to its place. Returns CHAINS_INVALID_ARGUMENT. */
chains_status chainsi_report_finish(chainsi_report *report) __attribute__((cold));

/* Writes text as a message shows it: in quotes, escaped, cut to CHAINSI_EXCERPT bytes at a whole code
 * point. Returns out, which has CHAINSI_EXCERPT_SIZE bytes. */
enum { CHAINSI_EXCERPT_SIZE = CHAINSI_EXCERPT * 6 + 8 };
const char *chainsi_excerpt(char *out, const char *text, size_t size) __attribute__((cold));

/* What a value of a type is called after "expected", such as "a string" or "an integer from -128 to
 * 127". Returns out or a constant; out has CHAINSI_EXPECTED_SIZE bytes. */
enum { CHAINSI_EXPECTED_SIZE = 160 };
const char *chainsi_expected(char *out, const chainsi_type *type) __attribute__((cold));

#endif
