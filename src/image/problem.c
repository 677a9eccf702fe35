/* Texts of what went wrong. */
#include "image/problem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool chainsi_problem_set(chainsi_problem *problem, const char *hint, const char *format, ...)
{
    va_list rest;
    va_start(rest, format);
    vsnprintf(problem->message, sizeof problem->message, format, rest);
    va_end(rest);
    snprintf(problem->hint, sizeof problem->hint, "%s", hint ? hint : "");
    return false;
}

bool chainsi_problem_file(chainsi_problem *problem, const char *doing, const char *path)
{
    bool full = errno == ENOSPC || errno == EDQUOT;
    return chainsi_problem_set(problem,
                               full ? "make room there, or name another folder with --output; what "
                                      "was there before is whole"
                                    : NULL,
                               "can't %s '%s': %s", doing, path, strerror(errno));
}
