/* libpq, loaded with the first connection: it brings libraries for LDAP, Kerberos and TLS, whose pages each
 * process that has them pays for, and a daemon that keeps its state in a file needs none of them. */
#ifndef CHAINSI_CONTROL_POSTGRES_LATE_H
#define CHAINSI_CONTROL_POSTGRES_LATE_H

#include <stddef.h>

#include <libpq-fe.h>

#define CHAINSI_PQ_FUNCTIONS(F)                                                                    \
    F(PQconninfoParse)                                                                             \
    F(PQconninfoFree)                                                                              \
    F(PQfreemem)                                                                                   \
    F(PQconnectStartParams)                                                                        \
    F(PQconnectPoll)                                                                               \
    F(PQstatus)                                                                                    \
    F(PQsocket)                                                                                    \
    F(PQhost)                                                                                      \
    F(PQport)                                                                                      \
    F(PQdb)                                                                                        \
    F(PQerrorMessage)                                                                              \
    F(PQfinish)                                                                                    \
    F(PQsetnonblocking)                                                                            \
    F(PQsetNoticeReceiver)                                                                         \
    F(PQtransactionStatus)                                                                         \
    F(PQserverVersion)                                                                             \
    F(PQflush)                                                                                     \
    F(PQconsumeInput)                                                                              \
    F(PQisBusy)                                                                                    \
    F(PQgetResult)                                                                                 \
    F(PQsendQuery)                                                                                 \
    F(PQsendPrepare)                                                                               \
    F(PQsendQueryParams)                                                                           \
    F(PQsendQueryPrepared)                                                                         \
    F(PQresultStatus)                                                                              \
    F(PQresultErrorField)                                                                          \
    F(PQresultErrorMessage)                                                                        \
    F(PQcmdStatus)                                                                                 \
    F(PQcmdTuples)                                                                                 \
    F(PQntuples)                                                                                   \
    F(PQnfields)                                                                                   \
    F(PQfname)                                                                                     \
    F(PQgetisnull)                                                                                 \
    F(PQgetvalue)                                                                                  \
    F(PQgetlength)                                                                                 \
    F(PQclear)

/* libpq's functions, under their names. */
typedef struct chainsi_pq {
#define F(name) __typeof__(&name) name;
    CHAINSI_PQ_FUNCTIONS(F)
#undef F
} chainsi_pq;

/* Any thread; loads once. NULL with a reason: it isn't installed. */
const chainsi_pq *chainsi_pq_load(char *why, size_t why_size);

#endif
