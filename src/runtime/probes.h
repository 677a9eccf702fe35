/* What a service says of itself to whoever looks after it, beside its calls:
 *
 *   GET /healthz, /livez, /readyz   whether it lives, and is ready
 *   GET /metrics                    what it has counted, for Prometheus
 *   GET /openapi.json               how it is called
 *
 * and, on a socket of probes alone, for a controller on another machine:
 *
 *   GET /demand          {"running":2,"waiting":1,"slots":4,"calls":1234,"waits":{"phi_llm":3}}
 *                        running: slots in use. waiting: whole requests, and wants of callers (rpc/grants.h),
 *                        that wait in this process. slots: 0 before it is ready. calls: begun so far.
 *                        waits: for each dependency over TCP, calls of this process that wait for a slot or
 *                        an address of it. Of such calls each replica that is there has a want, one for
 *                        each of its slots at most: these are the same calls, not more of them
 *   GET /spans?after=N   what it has told of calls since number N (runtime/span_batch.h), where it keeps that
 *                        itself: 404 where another process reads it from the ring that it handed over */
#ifndef CHAINSI_RUNTIME_PROBES_H
#define CHAINSI_RUNTIME_PROBES_H

#include "runtime/service.h"

/* Answers whatever isn't a call. calls: they are taken on the same socket, which then tells no more than
 * callers may know. */
void chainsi_probe_answer(chainsi_service *service, chainsi_server_request *request, bool calls,
                          chainsi_server_response *response);

#endif
