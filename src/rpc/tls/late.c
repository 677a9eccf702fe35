/* The engine of openssl.c once more, with OpenSSL loaded by its first use instead of linked: its libraries are
 * five MiB of pages to find and relocate, and of a chain's services only those need them that speak TLS with
 * each other, which is known when they are started. Here each function that the engine calls is a pointer.
 *
 * A function that is called but not listed here is an undefined symbol, which tests/repository finds. */
#include <dlfcn.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/late_library.h"

CHAINSI_LATE_LIBRARY(note_of_ssl, "tls", "TLS between services", "suggested", "libssl.so.3");
CHAINSI_LATE_LIBRARY(note_of_crypto, "tls", "TLS between services", "suggested", "libcrypto.so.3");

/* clang-format off */
#define FROM_SSL(X) \
    X(SSL_CTX_check_private_key) X(SSL_CTX_ctrl) X(SSL_CTX_free) X(SSL_CTX_load_verify_file)       \
    X(SSL_CTX_new) X(SSL_CTX_sess_set_new_cb) X(SSL_CTX_set_default_verify_paths)                  \
    X(SSL_CTX_set_options) X(SSL_CTX_set_session_id_context) X(SSL_CTX_set_timeout)                \
    X(SSL_CTX_set_verify) X(SSL_CTX_up_ref) X(SSL_CTX_use_PrivateKey_file)                         \
    X(SSL_CTX_use_certificate_chain_file) X(SSL_SESSION_free) X(SSL_ctrl) X(SSL_do_handshake)      \
    X(SSL_free) X(SSL_get0_param) X(SSL_get0_peer_certificate) X(SSL_get_SSL_CTX)                  \
    X(SSL_get_error) X(SSL_get_ex_data) X(SSL_get_verify_result) X(SSL_has_pending)                \
    X(SSL_is_init_finished) X(SSL_new) X(SSL_read_ex) X(SSL_session_reused) X(SSL_set1_host)       \
    X(SSL_set_accept_state) X(SSL_set_alpn_protos) X(SSL_set_bio) X(SSL_set_connect_state)         \
    X(SSL_set_ex_data) X(SSL_set_hostflags) X(SSL_set_session) X(SSL_set_verify) X(SSL_shutdown)   \
    X(SSL_write_ex) X(TLS_client_method) X(TLS_server_method)
#define FROM_CRYPTO(X) \
    X(BIO_clear_flags) X(BIO_free) X(BIO_get_data) X(BIO_get_new_index) X(BIO_meth_new)            \
    X(BIO_meth_set_ctrl) X(BIO_meth_set_read) X(BIO_meth_set_write) X(BIO_new) X(BIO_set_data)     \
    X(BIO_set_flags) X(BIO_set_init) X(ERR_clear_error) X(ERR_error_string_n)                      \
    X(ERR_peek_last_error) X(ERR_reason_error_string) X(EVP_sha256)                                \
    X(X509_VERIFY_PARAM_set1_ip_asc) X(X509_digest) X(X509_verify_cert_error_string)
/* clang-format on */

#define POINTER(name) __typeof__(&(name)) to_##name;
static struct {
    struct {
        FROM_SSL(POINTER)
    } of_ssl;
    struct {
        FROM_CRYPTO(POINTER)
    } of_crypto;
} late;

/* The names in the order of the pointers: one text each, as a table of pointers to them would have to be relocated in
 * every process. */
#define NAME(name) #name "\0"
static const char from_ssl[] = FROM_SSL(NAME);
static const char from_crypto[] = FROM_CRYPTO(NAME);

static char failure[256]; /* "": it is loaded */

/* Sets the pointers at `at` to the functions of a library that have these names. */
static bool find(const char *library, const char *names, char *at)
{
    void *loaded = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!loaded) {
        snprintf(failure, sizeof failure, "OpenSSL can't be loaded: %s", dlerror());
        return false;
    }
    for (const char *name = names; *name; name += strlen(name) + 1) {
        void *found = dlsym(loaded, name);
        if (!found) {
            snprintf(failure, sizeof failure, "OpenSSL can't be used: %s has no %s", library, name);
            return false;
        }
        memcpy(at, &found, sizeof found); /* a pointer to a function, whatever C calls it */
        at += sizeof found;
    }
    return true;
}

#define CHAINSI_TLS_LATE
#define BIO_clear_flags                    late.of_crypto.to_BIO_clear_flags
#define BIO_free                           late.of_crypto.to_BIO_free
#define BIO_get_data                       late.of_crypto.to_BIO_get_data
#define BIO_get_new_index                  late.of_crypto.to_BIO_get_new_index
#define BIO_meth_new                       late.of_crypto.to_BIO_meth_new
#define BIO_meth_set_ctrl                  late.of_crypto.to_BIO_meth_set_ctrl
#define BIO_meth_set_read                  late.of_crypto.to_BIO_meth_set_read
#define BIO_meth_set_write                 late.of_crypto.to_BIO_meth_set_write
#define BIO_new                            late.of_crypto.to_BIO_new
#define BIO_set_data                       late.of_crypto.to_BIO_set_data
#define BIO_set_flags                      late.of_crypto.to_BIO_set_flags
#define BIO_set_init                       late.of_crypto.to_BIO_set_init
#define ERR_clear_error                    late.of_crypto.to_ERR_clear_error
#define ERR_error_string_n                 late.of_crypto.to_ERR_error_string_n
#define ERR_peek_last_error                late.of_crypto.to_ERR_peek_last_error
#define ERR_reason_error_string            late.of_crypto.to_ERR_reason_error_string
#define EVP_sha256                         late.of_crypto.to_EVP_sha256
#define SSL_CTX_check_private_key          late.of_ssl.to_SSL_CTX_check_private_key
#define SSL_CTX_ctrl                       late.of_ssl.to_SSL_CTX_ctrl
#define SSL_CTX_free                       late.of_ssl.to_SSL_CTX_free
#define SSL_CTX_load_verify_file           late.of_ssl.to_SSL_CTX_load_verify_file
#define SSL_CTX_new                        late.of_ssl.to_SSL_CTX_new
#define SSL_CTX_sess_set_new_cb            late.of_ssl.to_SSL_CTX_sess_set_new_cb
#define SSL_CTX_set_default_verify_paths   late.of_ssl.to_SSL_CTX_set_default_verify_paths
#define SSL_CTX_set_options                late.of_ssl.to_SSL_CTX_set_options
#define SSL_CTX_set_session_id_context     late.of_ssl.to_SSL_CTX_set_session_id_context
#define SSL_CTX_set_timeout                late.of_ssl.to_SSL_CTX_set_timeout
#define SSL_CTX_set_verify                 late.of_ssl.to_SSL_CTX_set_verify
#define SSL_CTX_up_ref                     late.of_ssl.to_SSL_CTX_up_ref
#define SSL_CTX_use_PrivateKey_file        late.of_ssl.to_SSL_CTX_use_PrivateKey_file
#define SSL_CTX_use_certificate_chain_file late.of_ssl.to_SSL_CTX_use_certificate_chain_file
#define SSL_SESSION_free                   late.of_ssl.to_SSL_SESSION_free
#define SSL_ctrl                           late.of_ssl.to_SSL_ctrl
#define SSL_do_handshake                   late.of_ssl.to_SSL_do_handshake
#define SSL_free                           late.of_ssl.to_SSL_free
#define SSL_get0_param                     late.of_ssl.to_SSL_get0_param
#define SSL_get0_peer_certificate          late.of_ssl.to_SSL_get0_peer_certificate
#define SSL_get_SSL_CTX                    late.of_ssl.to_SSL_get_SSL_CTX
#define SSL_get_error                      late.of_ssl.to_SSL_get_error
#define SSL_get_ex_data                    late.of_ssl.to_SSL_get_ex_data
#define SSL_get_verify_result              late.of_ssl.to_SSL_get_verify_result
#define SSL_has_pending                    late.of_ssl.to_SSL_has_pending
#define SSL_is_init_finished               late.of_ssl.to_SSL_is_init_finished
#define SSL_new                            late.of_ssl.to_SSL_new
#define SSL_read_ex                        late.of_ssl.to_SSL_read_ex
#define SSL_session_reused                 late.of_ssl.to_SSL_session_reused
#define SSL_set1_host                      late.of_ssl.to_SSL_set1_host
#define SSL_set_accept_state               late.of_ssl.to_SSL_set_accept_state
#define SSL_set_alpn_protos                late.of_ssl.to_SSL_set_alpn_protos
#define SSL_set_bio                        late.of_ssl.to_SSL_set_bio
#define SSL_set_connect_state              late.of_ssl.to_SSL_set_connect_state
#define SSL_set_ex_data                    late.of_ssl.to_SSL_set_ex_data
#define SSL_set_hostflags                  late.of_ssl.to_SSL_set_hostflags
#define SSL_set_session                    late.of_ssl.to_SSL_set_session
#define SSL_set_verify                     late.of_ssl.to_SSL_set_verify
#define SSL_shutdown                       late.of_ssl.to_SSL_shutdown
#define SSL_write_ex                       late.of_ssl.to_SSL_write_ex
#define TLS_client_method                  late.of_ssl.to_TLS_client_method
#define TLS_server_method                  late.of_ssl.to_TLS_server_method
#define X509_VERIFY_PARAM_set1_ip_asc      late.of_crypto.to_X509_VERIFY_PARAM_set1_ip_asc
#define X509_digest                        late.of_crypto.to_X509_digest
#define X509_verify_cert_error_string      late.of_crypto.to_X509_verify_cert_error_string
#include "openssl.c"

static void load_libraries(void)
{
    if (find("libssl.so.3", from_ssl, (char *)&late.of_ssl) &&
        find("libcrypto.so.3", from_crypto, (char *)&late.of_crypto))
        chainsi_tls_set_engine(&the_engine);
}

bool chainsi_tls_load(char *why, size_t why_size)
{
    static pthread_once_t loading = PTHREAD_ONCE_INIT;
    if (chainsi_tls_get_engine())
        return true;
    pthread_once(&loading, load_libraries);
    if (*failure)
        snprintf(why, why_size, "%s", failure);
    return !*failure;
}
