/* What a chain was built from, as one digest: by it people see whether two versions are of one source. */
#ifndef CHAINSI_CLI_SNAPSHOT_H
#define CHAINSI_CLI_SNAPSHOT_H

#include "cli/chain.h"
#include "control/digest.h"

/* SHA-256 of the names and contents of the headers and sources below the chain's folder (with the options
 * of its Chainlets, which stand in the headers), of `.sources` that lie elsewhere, and of the fakes. Not of
 * what it links with. Reads files; blocks. False: a file can't be read (errno). */
bool chainsi_snapshot_digest(const chainsi_model *model, const chainsi_words *fakes,
                             char digest[CHAINSI_DIGEST_TEXT]);

#endif
