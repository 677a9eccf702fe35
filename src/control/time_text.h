/* Times of day as chainsd writes them everywhere, in logs, answers and its state: in UTC with
 * milliseconds, 2026-01-31T12:00:00.123Z. Texts of this form sort as the times do. */
#ifndef CHAINSI_CONTROL_TIME_TEXT_H
#define CHAINSI_CONTROL_TIME_TEXT_H

#include <stdbool.h>
#include <stdint.h>

enum { CHAINSI_TIME_TEXT = 25 /* 24 characters and a NUL */ };

/* Milliseconds since 1970, by the clock that people set. */
int64_t chainsi_unix_ms(void);
/* What unix_ms is as text; times before 1970 and after 9999 become the nearest that can be said. */
void chainsi_time_text_of(char text[CHAINSI_TIME_TEXT], int64_t unix_ms);
/* The way back. False if the text isn't exactly of that form; *unix_ms is untouched then. */
bool chainsi_time_text_parse(const char *text, int64_t *unix_ms);
/* Now. */
void chainsi_time_text(char text[CHAINSI_TIME_TEXT]);

#endif
