/* The OpenAPI document of a Chainlet, kept beside its program: so it is there at once, also when no replica is,
 * and after the daemon has been started again. A replica tells it once, when one is ready. Belongs to the thread
 * of the loop. */
#ifndef CHAINSI_CONTROL_DOCUMENT_H
#define CHAINSI_CONTROL_DOCUMENT_H

#include "control/deployment.h"

enum { CHAINSI_DOCUMENT_MOST = 4 * 1024 * 1024 /* bytes */ };

/* A Chainlet's document being asked for. */
typedef struct chainsi_document chainsi_document;

/* Asks a replica for it, if one is ready, and it isn't there. */
void chainsi_document_keep(chainsi_chainlet *chainlet);
/* It is another one from now on: the Chainlet has another program. */
void chainsi_document_forget(chainsi_chainlet *chainlet);
/* No more is asked. */
void chainsi_document_close(chainsi_chainlet *chainlet);
/* As it is kept, with a NUL behind it; NULL: it isn't. The caller frees it. */
char *chainsi_document_read(const chainsi_chainlet *chainlet, size_t *size);

#endif
