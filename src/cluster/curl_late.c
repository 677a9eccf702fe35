/* libcurl, loaded with its first call. It brings some thirty libraries, whose pages and relocations are four
 * MiB of each process that has them; of the daemon's only those that ask somebody else need them (courier.h, cluster.h).
 * These are its functions that we call, under their own names: each finds the real one, once, and passes the call
 * on. Linking libcurl as well would leave two of each. */
#include "cluster/curl_late.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/late_library.h"

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

CHAINSI_LATE_LIBRARY(note, "transfers", "Webhooks, assets, exports, and Kubernetes", "recommended",
                     "libcurl.so.4");

static void *library;
static char trouble[256];

static void load(void)
{
    library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        snprintf(trouble, sizeof trouble, "%s", dlerror());
}

static void load_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
}

const char *chainsi_curl_trouble(void)
{
    load_once();
    return trouble;
}

/* A courier that can carry nothing ends: what it was to carry is told so, and why stands where it ended. */
static void *find(const char *name)
{
    load_once();
    void *found = library ? dlsym(library, name) : NULL;
    if (!found) {
        fprintf(stderr, "%s: cannot load libcurl: %s\n", program_invocation_short_name,
                library ? dlerror() : trouble);
        exit(1);
    }
    return found;
}

/* The real function; any thread may be the first to look. */
#define REAL(name)                                                                                 \
    ({                                                                                             \
        static __typeof__(&name) kept;                                                             \
        __typeof__(&name) real = __atomic_load_n(&kept, __ATOMIC_RELAXED);                         \
        if (!real) {                                                                               \
            real = (__typeof__(&name))find(#name);                                                 \
            __atomic_store_n(&kept, real, __ATOMIC_RELAXED);                                       \
        }                                                                                          \
        real;                                                                                      \
    })

/* What follows an option is a pointer, a long or a curl_off_t: libcurl reads it by the option, and to pass it
 * on its size is enough. */
static_assert(sizeof(void *) == sizeof(long) && sizeof(void *) == sizeof(curl_off_t),
              "one kind of argument passes all");

#define PASS_OPTION(type, name, handle_type, option_type)                                          \
    type name(handle_type handle, option_type option, ...)                                         \
    {                                                                                              \
        va_list rest;                                                                              \
        va_start(rest, option);                                                                    \
        void *value = va_arg(rest, void *);                                                        \
        va_end(rest);                                                                              \
        return REAL(name)(handle, option, value);                                                  \
    }

PASS_OPTION(CURLcode, curl_easy_setopt, CURL *, CURLoption)
PASS_OPTION(CURLcode, curl_easy_getinfo, CURL *, CURLINFO)
PASS_OPTION(CURLMcode, curl_multi_setopt, CURLM *, CURLMoption)

CURLcode curl_global_init(long flags)
{
    return REAL(curl_global_init)(flags);
}

void curl_global_cleanup(void)
{
    REAL(curl_global_cleanup)();
}

CURL *curl_easy_init(void)
{
    return REAL(curl_easy_init)();
}

void curl_easy_cleanup(CURL *easy)
{
    if (easy)
        REAL(curl_easy_cleanup)(easy);
}

void curl_easy_reset(CURL *easy)
{
    REAL(curl_easy_reset)(easy);
}

CURLcode curl_easy_perform(CURL *easy)
{
    return REAL(curl_easy_perform)(easy);
}

const char *curl_easy_strerror(CURLcode code)
{
    return REAL(curl_easy_strerror)(code);
}

CURLcode curl_easy_pause(CURL *easy, int what)
{
    return REAL(curl_easy_pause)(easy, what);
}

CURLHcode curl_easy_header(CURL *easy, const char *name, size_t index, unsigned origin, int request,
                           struct curl_header **header)
{
    return REAL(curl_easy_header)(easy, name, index, origin, request, header);
}

CURLM *curl_multi_init(void)
{
    return REAL(curl_multi_init)();
}

CURLMcode curl_multi_cleanup(CURLM *multi)
{
    return REAL(curl_multi_cleanup)(multi);
}

CURLMcode curl_multi_add_handle(CURLM *multi, CURL *easy)
{
    return REAL(curl_multi_add_handle)(multi, easy);
}

CURLMcode curl_multi_remove_handle(CURLM *multi, CURL *easy)
{
    return REAL(curl_multi_remove_handle)(multi, easy);
}

CURLMcode curl_multi_assign(CURLM *multi, curl_socket_t socket, void *user)
{
    return REAL(curl_multi_assign)(multi, socket, user);
}

CURLMcode curl_multi_socket_action(CURLM *multi, curl_socket_t socket, int events, int *running)
{
    return REAL(curl_multi_socket_action)(multi, socket, events, running);
}

CURLMcode curl_multi_perform(CURLM *multi, int *running)
{
    return REAL(curl_multi_perform)(multi, running);
}

CURLMcode curl_multi_poll(CURLM *multi, struct curl_waitfd fds[], unsigned count, int timeout_ms,
                          int *ready)
{
    return REAL(curl_multi_poll)(multi, fds, count, timeout_ms, ready);
}

CURLMsg *curl_multi_info_read(CURLM *multi, int *left)
{
    return REAL(curl_multi_info_read)(multi, left);
}

struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text)
{
    return REAL(curl_slist_append)(list, text);
}

void curl_slist_free_all(struct curl_slist *list)
{
    if (list)
        REAL(curl_slist_free_all)(list);
}
