/* What pods may do: as little as there is, so that a namespace that enforces the "restricted" standard takes them. */
#include "kubernetes/manifest_state.h"

enum { NOBODY = 65532 }; /* the user that images without a shell commonly have, and ours */

static void write_user(chainsi_document *d)
{
    chainsi_document_truth(d, "runAsNonRoot", true);
    chainsi_document_number(d, "runAsUser", NOBODY);
    chainsi_document_number(d, "runAsGroup", NOBODY);
    chainsi_document_open_map(d, "seccompProfile");
    chainsi_document_text(d, "type", "RuntimeDefault");
    chainsi_document_close(d);
}

void chainsi_manifest_pod_security(chainsi_manifest *manifest)
{
    chainsi_document *d = &manifest->document;
    chainsi_document_open_map(d, "securityContext");
    write_user(d);
    chainsi_document_number(d, "fsGroup", NOBODY); /* secrets and assets are read by the group */
    chainsi_document_text(d, "fsGroupChangePolicy", "OnRootMismatch");
    chainsi_document_close(d);
}

void chainsi_manifest_container_security(chainsi_manifest *manifest)
{
    chainsi_document *d = &manifest->document;
    chainsi_document_open_map(d, "securityContext");
    if (chainsi_manifest_is_knative(manifest))
        write_user(d);
    chainsi_document_truth(d, "allowPrivilegeEscalation", false);
    chainsi_document_truth(d, "readOnlyRootFilesystem", true);
    chainsi_document_open_map(d, "capabilities");
    chainsi_document_open_list(d, "drop");
    chainsi_document_text(d, NULL, "ALL");
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
}
