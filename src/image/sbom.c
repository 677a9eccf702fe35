/* SPDX by tables. Ids are letters, digits, dots and hyphens. */
#include "image/sbom.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "control/digest.h"
#include "control/fields.h"
#include "schema/json.h"

typedef struct reference {
    const char *referenceCategory, *referenceType, *referenceLocator;
} reference;
typedef struct checksum {
    const char *algorithm, *checksumValue;
} checksum;
typedef struct spdx_item {
    const char *SPDXID, *name, *versionInfo, *downloadLocation, *licenseConcluded, *licenseDeclared,
        *copyrightText, *primaryPackagePurpose, *comment;
    bool filesAnalyzed;
    struct checksums {
        checksum *items;
        size_t count;
    } checksums;
    struct references {
        reference *items;
        size_t count;
    } externalRefs;
} spdx_item;
typedef struct relation {
    const char *spdxElementId, *relationshipType, *relatedSpdxElement;
} relation;
typedef struct spdx_document {
    const char *spdxVersion, *dataLicense, *SPDXID, *name, *documentNamespace;
    struct creation {
        const char *created;
        struct creators {
            const char **items;
            size_t count;
        } creators;
    } creationInfo;
    struct items {
        spdx_item *items;
        size_t count;
    } packages;
    struct relations {
        relation *items;
        size_t count;
    } relationships;
} spdx_document;

static const chainsi_field reference_fields[] = {
    CHAINSI_FIELD_TEXT(reference, referenceCategory),
    CHAINSI_FIELD_TEXT(reference, referenceType),
    CHAINSI_FIELD_TEXT(reference, referenceLocator),
};
static const chainsi_type reference_type = CHAINSI_STRUCT_OF(reference, reference_fields);
static const chainsi_type references_type = CHAINSI_LIST_OF(struct references, &reference_type);
static const chainsi_field checksum_fields[] = {
    CHAINSI_FIELD_TEXT(checksum, algorithm),
    CHAINSI_FIELD_TEXT(checksum, checksumValue),
};
static const chainsi_type checksum_type = CHAINSI_STRUCT_OF(checksum, checksum_fields);
static const chainsi_type checksums_type = CHAINSI_LIST_OF(struct checksums, &checksum_type);
static const chainsi_field item_fields[] = {
    CHAINSI_FIELD_TEXT(spdx_item, SPDXID),
    CHAINSI_FIELD_TEXT(spdx_item, name),
    CHAINSI_FIELD_TEXT(spdx_item, versionInfo),
    CHAINSI_FIELD_TEXT(spdx_item, downloadLocation),
    CHAINSI_FIELD_OF(spdx_item, filesAnalyzed, &chainsi_type_bool),
    CHAINSI_FIELD_TEXT(spdx_item, licenseConcluded),
    CHAINSI_FIELD_TEXT(spdx_item, licenseDeclared),
    CHAINSI_FIELD_TEXT(spdx_item, copyrightText),
    CHAINSI_FIELD_TEXT(spdx_item, primaryPackagePurpose),
    CHAINSI_FIELD_TEXT(spdx_item, comment),
    CHAINSI_FIELD_OF(spdx_item, checksums, &checksums_type),
    CHAINSI_FIELD_OF(spdx_item, externalRefs, &references_type),
};
static const chainsi_type item_type = CHAINSI_STRUCT_OF(spdx_item, item_fields);
static const chainsi_type items_type = CHAINSI_LIST_OF(struct items, &item_type);
static const chainsi_field relation_fields[] = {
    CHAINSI_FIELD_TEXT(relation, spdxElementId),
    CHAINSI_FIELD_TEXT(relation, relationshipType),
    CHAINSI_FIELD_TEXT(relation, relatedSpdxElement),
};
static const chainsi_type relation_type = CHAINSI_STRUCT_OF(relation, relation_fields);
static const chainsi_type relations_type = CHAINSI_LIST_OF(struct relations, &relation_type);
static const chainsi_type creators_type = CHAINSI_LIST_OF(struct creators, &chainsi_type_string);
static const chainsi_field creation_fields[] = {
    CHAINSI_FIELD_TEXT(struct creation, created),
    CHAINSI_FIELD_OF(struct creation, creators, &creators_type),
};
static const chainsi_type creation_type = CHAINSI_STRUCT_OF(struct creation, creation_fields);
static const chainsi_field document_fields[] = {
    CHAINSI_FIELD_TEXT(spdx_document, spdxVersion),
    CHAINSI_FIELD_TEXT(spdx_document, dataLicense),
    CHAINSI_FIELD_TEXT(spdx_document, SPDXID),
    CHAINSI_FIELD_TEXT(spdx_document, name),
    CHAINSI_FIELD_TEXT(spdx_document, documentNamespace),
    CHAINSI_FIELD_OF(spdx_document, creationInfo, &creation_type),
    CHAINSI_FIELD_OF(spdx_document, packages, &items_type),
    CHAINSI_FIELD_OF(spdx_document, relationships, &relations_type),
};
static const chainsi_type document_type = CHAINSI_STRUCT_OF(spdx_document, document_fields);

#define NO_WORD "NOASSERTION"
#define IMAGE   "SPDXRef-Image"

static int compare(const void *left, const void *right)
{
    const chainsi_package *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    order = order ? order : strcmp(a->version, b->version);
    return order ? order : strcmp(a->file ? a->file : "", b->file ? b->file : "");
}

static spdx_item new_item(const char *id, const char *name, const char *version)
{
    return (spdx_item){ .SPDXID = id,
                        .name = name,
                        .versionInfo = version,
                        .downloadLocation = NO_WORD,
                        .licenseConcluded = NO_WORD,
                        .licenseDeclared = NO_WORD,
                        .copyrightText = NO_WORD };
}

static const char *new_id(chainsi_arena *arena, size_t place, const char *name)
{
    char *id = chainsi_arena_printf(arena, "SPDXRef-Package-%zu-%s", place, name);
    for (char *at = id; *at; at++)
        if (!isalnum((unsigned char)*at) && *at != '.' && *at != '-')
            *at = '-';
    return id;
}

/* A package URL: what isn't unreserved is escaped. */
static const char *package_url(chainsi_arena *arena, const chainsi_package *package)
{
    chainsi_buffer out = { 0 };
    chainsi_buffer_printf(&out, "pkg:deb/debian/%s@", package->name);
    for (const char *at = package->version; *at; at++)
        chainsi_buffer_printf(
            &out, isalnum((unsigned char)*at) || strchr("-._~", *at) ? "%c" : "%%%02X", *at);
    chainsi_buffer_printf(&out, "?arch=%s", package->architecture);
    const char *text = chainsi_arena_copy(arena, out.data, out.size);
    chainsi_buffer_done(&out);
    return text;
}

static void add_package(chainsi_arena *arena, spdx_document *document,
                        const chainsi_package *package)
{
    struct items *list = &document->packages;
    spdx_item *last = list->count > 1 ? &list->items[list->count - 1] : NULL;
    if (last && !package->digest && !last->checksums.count && !strcmp(last->name, package->name) &&
        !strcmp(last->versionInfo, package->version)) {
        if (package->file)
            last->comment =
                *last->comment ? chainsi_arena_printf(arena, "%s, %s", last->comment, package->file)
                               : package->file;
        return;
    }
    const char *id = new_id(arena, list->count, package->name);
    spdx_item *item = &list->items[list->count++];
    *item = new_item(id, package->name, package->version);
    item->primaryPackagePurpose = package->digest ? "FILE" : "LIBRARY";
    item->comment = package->file ? package->file : "";
    if (package->digest) {
        item->checksums.items = chainsi_arena_alloc(arena, sizeof *item->checksums.items);
        item->checksums.items[0] = (checksum){ "SHA256", package->digest };
        item->checksums.count = 1;
    } else {
        item->externalRefs.items = chainsi_arena_alloc(arena, sizeof *item->externalRefs.items);
        item->externalRefs.items[0] =
            (reference){ "PACKAGE-MANAGER", "purl", package_url(arena, package) };
        item->externalRefs.count = 1;
    }
    document->relationships.items[document->relationships.count++] =
        (relation){ IMAGE, "CONTAINS", id };
}

bool chainsi_sbom_write(const chainsi_sbom *sbom, chainsi_buffer *out, chainsi_problem *problem)
{
    chainsi_arena arena = { 0 };
    size_t count = sbom->package_count;
    chainsi_package *sorted = chainsi_arena_array(&arena, count + 1, sizeof *sorted);
    if (count)
        memcpy(sorted, sbom->packages, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare);

    spdx_document document = { .spdxVersion = "SPDX-2.3",
                               .dataLicense = "CC0-1.0",
                               .SPDXID = "SPDXRef-DOCUMENT",
                               .name = sbom->name,
                               .documentNamespace = "" };
    const char *creator = chainsi_arena_printf(&arena, "Tool: chains-%s", sbom->version);
    document.creationInfo.created = sbom->created;
    document.creationInfo.creators.items = &creator;
    document.creationInfo.creators.count = 1;
    document.packages.items =
        chainsi_arena_array(&arena, count + 1, sizeof *document.packages.items);
    document.relationships.items =
        chainsi_arena_array(&arena, count + 1, sizeof *document.relationships.items);
    spdx_item *image = &document.packages.items[document.packages.count++];
    *image = new_item(IMAGE, sbom->name, sbom->version);
    image->primaryPackagePurpose = "CONTAINER";
    image->comment = "the service of a Chainlet, linked with libchains of this version";
    document.relationships.items[document.relationships.count++] =
        (relation){ document.SPDXID, "DESCRIBES", IMAGE };
    for (size_t i = 0; i < count; i++)
        add_package(&arena, &document, &sorted[i]);

    /* Its name is to be unique, and the same for the same contents. */
    chainsi_codec_error error;
    size_t before = out->size;
    bool good = chainsi_json_encode(&document_type, &document, out, &error) == CHAINS_OK;
    if (good) {
        char digest[CHAINSI_DIGEST_TEXT];
        chainsi_digest_text(out->data + before, out->size - before, digest);
        out->size = before;
        document.documentNamespace =
            chainsi_arena_printf(&arena, "urn:chains:sbom:sha256:%s", digest);
        good = chainsi_json_encode(&document_type, &document, out, &error) == CHAINS_OK;
    }
    chainsi_arena_done(&arena);
    return good || chainsi_problem_set(problem, "write it in UTF-8, without other bytes",
                                       "the list of packages can't be written: %s: %s", error.path,
                                       error.message);
}
