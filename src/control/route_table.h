/* What the front door answers, but for the files of the status page: one table of paths and methods, from which
 * requests are routed, rights are asked for, and the OpenAPI document is written. */
#ifndef CHAINSI_CONTROL_ROUTE_TABLE_H
#define CHAINSI_CONTROL_ROUTE_TABLE_H

#include "control/route.h"

/* Whose right a request takes. */
typedef enum chainsi_access {
    CHAINSI_ACCESS_CHAIN, /* the scope, for the chain in the path; where none is, for any */
    CHAINSI_ACCESS_ALL,   /* the scope, for the chain in the path; where none is, for all */
    CHAINSI_ACCESS_LATER, /* the scope; the handler asks, as it finds out for which chain */
    CHAINSI_ACCESS_OPEN,  /* none */
} chainsi_access;

typedef struct chainsi_parameter {
    const char *name; /* of the query; with a capital letter: of a header */
    const char *type; /* of JSON Schema: "string" */
    const char *about;
} chainsi_parameter;

typedef struct chainsi_route_row {
    chainsi_http_method method; /* of GET also HEAD, unless `no_head` */
    const char *path; /* "/requests/{id}": what is in braces is a field of chainsi_names */
    chainsi_handler *answer;
    chainsi_access access;
    chainsi_scope scope;
    bool guarded; /* takes the home's token as long as there are no keys */
    bool no_head;

    /* For the document alone. */
    const char *id;                    /* unique */
    const char *about;                 /* a sentence */
    const chainsi_parameter *takes;    /* ended by one without name; NULL: none */
    const chainsi_type *body, *output; /* in JSON; NULL: none, or as `body_about` and `media` say */
    const char *body_about;            /* what a body without a type is; NULL: there is none */
    const char *media, *media_about;   /* of an answer that has no type */
    int status, other_status;          /* when it went well: 0 is 200, and no other */
} chainsi_route_row;

extern const chainsi_route_row chainsi_route_table[]; /* rows of one path are neighbours */
extern const size_t chainsi_route_count;

enum { CHAINSI_ROUTE_METHODS = 64 };

/* The row for the segments of a path, decoded, with what they name. NULL: there is none; then *allowed has the
 * methods that there are, and is empty where the path is none. names is written in any case. */
const chainsi_route_row *chainsi_route_find(chainsi_http_method method, const char *const *segments,
                                            size_t count, chainsi_names *names,
                                            char allowed[CHAINSI_ROUTE_METHODS]);

#endif
