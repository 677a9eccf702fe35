/* The API server says a Status (reason, message, details) for most failures; what stands before it (a proxy, a load
 * balancer) says anything. What its sentences leave open is added: the rule that a Role lacks, the quota's name, the day on
 * which a certificate ended. */
#include "cluster/refusal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "schema/fields.h"
#include "schema/json.h"

typedef struct status_details {
    const char *name, *kind;
} status_details;
static const chainsi_field details_fields[] = {
    CHAINSI_FIELD_NAMED(status_details, name, "name"),
    CHAINSI_FIELD_NAMED(status_details, kind, "kind"),
};
static const chainsi_type details_struct_type = CHAINSI_STRUCT_OF(status_details, details_fields);
static const chainsi_type details_type = CHAINSI_POINTER_TO(&details_struct_type);

typedef struct status_object {
    const char *kind, *reason, *message;
    const status_details *details;
} status_object;
static const chainsi_field object_fields[] = {
    CHAINSI_FIELD_NAMED(status_object, kind, "kind"),
    CHAINSI_FIELD_NAMED(status_object, reason, "reason"),
    CHAINSI_FIELD_NAMED(status_object, message, "message"),
    CHAINSI_FIELD_OPTIONAL(status_object, details, &details_type),
};
static const chainsi_type object_type = CHAINSI_STRUCT_OF(status_object, object_fields);

/* One refusal while it is put into words. */
typedef struct refusal {
    const chainsi_cluster_settings *settings;
    const chainsi_credentials_now *now;
    const char *method, *path;
    chainsi_cluster_answer *answer;
    status_object said;
    char what[400]; /* "deployment 'x' in namespace 'ns'" */
    bool named;     /* it is one object */
} refusal;

/* What is too long is cut. */
__attribute__((format(printf, 2, 3))) static void put(refusal *r, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->answer->why, sizeof r->answer->why, format, arguments);
    va_end(arguments);
}

/* The next part of a path, without what asks for more; false at its end. */
static bool next_part(const char **at, char part[128])
{
    if (**at != '/')
        return false;
    const char *from = *at + 1;
    size_t size = strcspn(from, "/?");
    snprintf(part, 128, "%.*s", (int)(size < 127 ? size : 127), from);
    *at = from + size;
    return size > 0;
}

/* One of them: "pod" of "pods", "policy" of "policies". */
static void make_single(char *resource)
{
    size_t size = strlen(resource);
    if (size > 3 && !strcmp(resource + size - 3, "ies"))
        strcpy(resource + size - 3, "y");
    else if (size > 4 &&
             (!strcmp(resource + size - 4, "sses") || !strcmp(resource + size - 3, "xes")))
        resource[size - 2] = '\0';
    else if (size > 1 && resource[size - 1] == 's' && strcmp(resource, "endpoints") != 0)
        resource[size - 1] = '\0';
}

static void name_what(refusal *r)
{
    const char *at = r->path;
    char part[128], name_space[128] = "", resource[128] = "", name[128] = "";
    bool good = next_part(&at, part);
    if (good && !strcmp(part, "apis"))
        good = next_part(&at, part);
    good = good && next_part(&at, part) && next_part(&at, resource);
    if (!good) {
        snprintf(r->what, sizeof r->what, "%.300s", r->path);
        return;
    }
    bool named = next_part(&at, name);
    if (named && !strcmp(resource, "namespaces") && next_part(&at, part)) {
        snprintf(name_space, sizeof name_space, "%s", name);
        snprintf(resource, sizeof resource, "%s", part);
        name[0] = '\0';
        named = next_part(&at, name);
    }
    const status_details *details = r->said.details;
    if (!named && details && details->name && !strcmp(r->method, "POST"))
        snprintf(name, sizeof name, "%.127s", details->name);
    r->named = *name != '\0';
    if (r->named)
        make_single(resource);
    snprintf(r->what, sizeof r->what, "%s%s%s%s%s%s%s", resource, *name ? " '" : "", name,
             *name ? "'" : "", *name_space ? " in namespace '" : "", name_space,
             *name_space ? "'" : "");
}

/* What stands in quotes behind the words; false: nothing. */
static bool quoted(const char *text, const char *words, char out[256])
{
    const char *at = strstr(text, words);
    const char *end = at ? strchr(at += strlen(words), '"') : NULL;
    if (!end)
        return false;
    snprintf(out, 256, "%.*s", (int)(end - at < 255 ? end - at : 255), at);
    return true;
}

/* --------------------------------------------------------------------------------------------
 * 401 */

/* Whether the certificate has ended, and when. */
static bool has_expired(const chainsi_pem *pem, char when[64])
{
    chainsi_arena arena = { 0 };
    const char *text = pem->text;
    if (!text && pem->file)
        text = chainsi_cluster_read_file(&arena, pem->file);
    BIO *in = text ? BIO_new_mem_buf(text, -1) : NULL;
    X509 *certificate = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
    struct tm end;
    bool expired = certificate && X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0 &&
                   ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1;
    if (expired)
        strftime(when, 64, "%Y-%m-%d %H:%M UTC", &end);
    X509_free(certificate);
    BIO_free(in);
    ERR_clear_error();
    chainsi_arena_done(&arena);
    return expired;
}

static void say_unauthorized(refusal *r)
{
    const chainsi_cluster_settings *settings = r->settings;
    const char *server = settings->server, *origin = settings->origin;
    char when[64];
    bool file = settings->certificate.file && !r->now->certificate.text;
    if (!r->now->authorization && has_expired(&r->now->certificate, when))
        put(r, "the client certificate of %s (%s%s%s) ended on %s: get a new one", settings->user,
            origin, file ? ", " : "", file ? settings->certificate.file : "", when);
    else if (!r->now->authorization && !r->now->certificate.text && !r->now->certificate.file)
        put(r, "%s wants to know who asks, and %s has no credentials: give its user some", server,
            origin);
    else if (settings->exec)
        put(r,
            "%s doesn't accept what the program '%s' says of %s (%s): log in again with its tool",
            server, settings->exec->command, settings->user, origin);
    else
        put(r,
            "%s doesn't accept the credentials of %s (%s): they have ended, or are another "
            "cluster's; log in again",
            server, settings->user, origin);
}

/* --------------------------------------------------------------------------------------------
 * 403 */

static chains_status say_quota(refusal *r, const char *quota)
{
    size_t name = strcspn(quota, ",");
    const char *numbers = quota + name;
    numbers += strspn(numbers, ", ");
    put(r,
        "the quota '%.*s' forbids %s: %.400s; raise it (kubectl describe quota), or ask for less",
        (int)name, quota, r->what, numbers);
    snprintf(r->answer->reason, sizeof r->answer->reason, "QuotaExceeded");
    return CHAINS_RESOURCE_EXHAUSTED;
}

static chains_status say_forbidden(refusal *r)
{
    static const char quota_words[] = "exceeded quota: ";
    const char *message = r->said.message ? r->said.message : "";
    const char *quota = strstr(message, quota_words);
    char user[256], resource[256], group[256], where[256], verb[64];
    if (quota)
        return say_quota(r, quota + strlen(quota_words));
    const char *cannot = strstr(message, " cannot ");
    if (cannot && sscanf(cannot, " cannot %63s resource", verb) == 1 &&
        quoted(message, "User \"", user) && quoted(message, " resource \"", resource) &&
        quoted(message, " API group \"", group)) {
        bool spaced = quoted(message, " in the namespace \"", where);
        put(r,
            "%.160s may not %s %.80s%s%.80s%s%s%.180s%s: a %s bound to it must allow {apiGroups: "
            "[\"%.80s\"], resources: [\"%.80s\"], verbs: [\"%s\"]}",
            user, verb, resource, spaced ? " in namespace '" : "", spaced ? where : "",
            spaced ? "'" : "", r->named ? " (" : "", r->named ? r->what : "", r->named ? ")" : "",
            spaced ? "Role" : "ClusterRole", group, resource, verb);
    } else {
        put(r, "%s is forbidden: %.600s", r->what,
            *message ? message : "the API server doesn't say why");
    }
    return CHAINS_PERMISSION_DENIED;
}

/* --------------------------------------------------------------------------------------------
 * the rest */

static chains_status say_absent(refusal *r)
{
    const status_details *details = r->said.details;
    if (!r->said.reason) /* "404 page not found" */
        put(r,
            "%s doesn't know %.300s: its Kubernetes has no such kind of objects, or its address is "
            "another's",
            r->settings->server, r->path);
    else if (details && details->kind && details->name && !strcmp(details->kind, "namespaces"))
        put(r, "there is no namespace '%.200s': kubectl create namespace %.200s", details->name,
            details->name);
    else
        put(r, "there is no %s", r->what);
    return CHAINS_NOT_FOUND;
}

static chains_status say_conflict(refusal *r)
{
    const char *message = r->said.message ? r->said.message : "";
    if (r->said.reason && !strcmp(r->said.reason, "AlreadyExists")) {
        put(r, "there is a %s already", r->what);
        return CHAINS_ALREADY_EXISTS;
    }
    put(r, "%s was changed by somebody else meanwhile: %.600s", r->what, message);
    return CHAINS_ABORTED;
}

/* What isn't a Status: its beginning. */
static const char *plain(refusal *r, char text[200])
{
    size_t size = r->answer->body.size < 199 ? r->answer->body.size : 199;
    if (size)
        memcpy(text, r->answer->body.data, size);
    text[size] = '\0';
    return text;
}

static chains_status say(refusal *r)
{
    char text[200];
    int status = r->answer->status;
    const char *message = r->said.message ? r->said.message : plain(r, text);
    switch (status) {
    case 401:
        say_unauthorized(r);
        return CHAINS_UNAUTHENTICATED;
    case 403:
        return say_forbidden(r);
    case 404:
        return say_absent(r);
    case 409:
        return say_conflict(r);
    case 410:
        put(r, "%s: the API server no longer has what changed since then: %.400s", r->what,
            message);
        return CHAINS_OUT_OF_RANGE;
    case 429:
        put(r, "the API server %s lets %s wait: %.400s", r->settings->server, r->what, message);
        return CHAINS_RESOURCE_EXHAUSTED;
    default:
        break;
    }
    if (status >= 300 && status < 400)
        put(r, "%s sends elsewhere (%d) where an API server would answer: see the server of %s",
            r->settings->server, status, r->settings->origin);
    else if (status < 500)
        put(r, "the API server refuses %s (%d): %.700s", r->what, status, message);
    else
        put(r, "the API server %s can't do %s now (%d): %.600s", r->settings->server, r->what,
            status, message);
    return status < 500 ? CHAINS_INVALID_ARGUMENT : CHAINS_UNAVAILABLE;
}

chains_status chainsi_cluster_refusal(const chainsi_cluster_settings *settings,
                                      const chainsi_credentials_now *now, const char *method,
                                      const char *path, chainsi_cluster_answer *answer)
{
    refusal r = {
        .settings = settings, .now = now, .method = method, .path = path, .answer = answer
    };
    chainsi_arena arena = { 0 };
    if (chainsi_json_decode(&object_type, (char *)answer->body.data, answer->body.size, &arena,
                            &r.said, NULL) != CHAINS_OK ||
        !r.said.kind || strcmp(r.said.kind, "Status") != 0)
        r.said = (status_object){ 0 };
    answer->reason[0] = '\0';
    if (r.said.reason)
        snprintf(answer->reason, sizeof answer->reason, "%s", r.said.reason);
    name_what(&r);
    chains_status status = say(&r);
    chainsi_arena_done(&arena);
    return status;
}
