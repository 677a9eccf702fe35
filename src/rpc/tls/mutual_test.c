/* Servers and sets of replicas that know each other by certificates, through OpenSSL as it is loaded by services.
 * The certificates are made here. Whole programs are in tests/e2e/between_test.py. */
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "rpc/replicas_test_support.h"

static char folder[] = "/tmp/chains-mutual-XXXXXX", certificate_file[64], key_file[64];
static chainsi_tls_identity *identity;

/* One certificate that is its own authority: who has it is known, all else aren't. */
static int make_identity(void **state)
{
    (void)state;
    char why[256];
    X509 *certificate = X509_new();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_non_null(mkdtemp(folder));
    snprintf(certificate_file, sizeof certificate_file, "%s/certificate.pem", folder);
    snprintf(key_file, sizeof key_file, "%s/key.pem", folder);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 7);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"us", -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:back.chain");
    X509_add_ext(certificate, names, -1);
    X509_EXTENSION_free(names);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    FILE *file = fopen(certificate_file, "w");
    PEM_write_X509(file, certificate);
    fclose(file);
    file = fopen(key_file, "w");
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
    if (!chainsi_tls_load(why, sizeof why))
        fail_msg("%s", why);
    const chainsi_tls_files files = { certificate_file, key_file, certificate_file };
    identity = chainsi_tls_get_engine()->load(&files, NULL, why, sizeof why);
    if (!identity)
        fail_msg("%s", why);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    unlink(certificate_file);
    unlink(key_file);
    return rmdir(folder);
}

/* Adds a server that speaks TLS. */
static void add_secure(group *it, chainsi_server_options options)
{
    options.identity = identity;
    add_server(it, options);
}

/* The set of all servers, known by the name that their certificate has. */
static void open_secure_set(group *it)
{
    char plain[sizeof it->addresses];
    snprintf(plain, sizeof plain, "%s", it->addresses);
    it->addresses[0] = 0;
    char *rest = plain, *address, secure[160];
    while ((address = strsep(&rest, ","))) {
        snprintf(secure, sizeof secure, "https%s", address + 4);
        add_address(it, secure);
    }
    open_set(it, (chainsi_replicas_options){ .identity = identity, .name = "back.chain" });
}

static void ask_once(group *it, const char *path, size_t size)
{
    asked call = { .size = size };
    begin(&call, it, path);
    end_well(&call);
}

static void test_kept_connections_and_short_handshakes(void **state)
{
    (void)state;
    group it = { .count = 0 };
    add_secure(&it, (chainsi_server_options){ .slots = 2 });
    open_secure_set(&it);
    static const size_t sizes[] = { 0, 5000, 100000, 3000000 };
    for (int i = 0; i < 8; i++)
        ask_once(&it, "/", sizes[i % 4]);
    ask_once(&it, "/large", 0);
    assert_int_equal(counters_of(&it.servers[0]).handshakes, 1);
    for (int i = 0; i < 5; i++)
        ask_once(&it, "/close", 0);
    chainsi_server_counters counters = counters_of(&it.servers[0]);
    assert_int_equal(counters.handshakes, 5);
    assert_int_equal(counters.resumed, 4);
    assert_int_equal(counters.strangers, 0);
    stop_group(&it);
}

/* More calls than slots: they wait for grants, over TLS as well. */
static void test_wants(void **state)
{
    (void)state;
    enum { CALLS = 24 };
    group it = { .count = 0 };
    add_secure(&it, (chainsi_server_options){ .slots = 1 });
    add_secure(&it, (chainsi_server_options){ .slots = 2 });
    open_secure_set(&it);
    asked calls[CALLS] = { 0 };
    for (int i = 0; i < CALLS; i++)
        begin(&calls[i], &it, "/wait");
    AWAIT(count_running(&it) == 3 && count_calls(&it).waiting == CALLS - 3);
    for (int i = 0; i < CALLS; i++)
        for (int j = 0; j < it.count; j++)
            open_gate(&it.servers[j]);
    for (int i = 0; i < CALLS; i++)
        end_well(&calls[i]);
    assert_true(count_calls(&it).granted > 0);
    for (int j = 0; j < it.count; j++)
        assert_true(atomic_load(&it.servers[j].most_running) <= j + 1);
    stop_group(&it);
}

/* What the name of the next test's service leads to. */
static _Atomic(group *) looked_up;
static atomic_int found_from, found_to, look_ups;

static bool look_up_group(void *user, const char *host, uint16_t port, chainsi_found *found,
                          char *why, size_t why_size)
{
    (void)user;
    (void)port;
    (void)why;
    (void)why_size;
    group *it = atomic_load(&looked_up);
    assert_string_equal(host, "back.chain");
    for (int i = atomic_load(&found_from); i < atomic_load(&found_to); i++)
        chainsi_found_add(found, "127.0.0.1",
                          (uint16_t)atoi(strrchr(it->servers[i].address, ':') + 1));
    atomic_fetch_add(&look_ups, 1);
    return true;
}

/* Addresses of a name come and go; the certificate has to have the name, wherever it leads. */
static void test_a_name_whose_addresses_change(void **state)
{
    (void)state;
    group it = { .count = 0 };
    for (int i = 0; i < 3; i++)
        add_secure(&it, (chainsi_server_options){ .slots = 2 });
    snprintf(it.addresses, sizeof it.addresses, "https://back.chain:1");
    atomic_store(&looked_up, &it);
    atomic_store(&found_to, 1);
    open_set(&it, (chainsi_replicas_options){
                      .identity = identity, .lookup = look_up_group, .lookup_ms = 1 });
    for (int last = 1; last <= 3; last++) {
        atomic_store(&found_to, last);
        AWAIT((ask_once(&it, "/", 0), atomic_load(&it.servers[last - 1].handled)));
    }
    atomic_store(&found_from, 2);
    AWAIT((ask_once(&it, "/", 0), count_calls(&it).replicas == 1));
    stop(&it.servers[0]);
    stop(&it.servers[1]);
    it.servers[0].server = it.servers[1].server = NULL;
    const int before = atomic_load(&it.servers[2].handled);
    for (int i = 0; i < 10; i++)
        ask_once(&it, "/", 0);
    assert_int_equal(atomic_load(&it.servers[2].handled), before + 10);
    stop_group(&it);
}

static int dial_at(const fixture *server)
{
    chainsi_address address;
    char why[256];
    assert_true(chainsi_address_parse(server->address, &address, why, sizeof why));
    int fd = chainsi_address_connect(&address, CHAINSI_NEVER, NULL, why, sizeof why);
    assert_true(fd >= 0);
    chainsi_address_done(&address);
    return fd;
}

/* Reads to the end, which the server makes. */
static void await_end(int fd)
{
    char bytes[256];
    while (recv(fd, bytes, sizeof bytes, 0) > 0) {
    }
    close(fd);
}

/* Who says nothing, or not enough, is closed; meanwhile no slot is taken. */
static void test_handshakes_that_do_not_end(void **state)
{
    (void)state;
    group it = { .count = 0 };
    add_secure(&it, (chainsi_server_options){ .slots = 1, .handshake_ms = 3000 });
    open_secure_set(&it);
    int fds[4];
    for (int i = 0; i < 4; i++) {
        fds[i] = dial_at(&it.servers[0]);
        assert_int_equal(send(fds[i], "\x16\x03\x01\x02", (size_t)i, MSG_NOSIGNAL), i);
    }
    ask_once(&it, "/", 0);
    for (int i = 0; i < 4; i++)
        await_end(fds[i]);
    AWAIT(counters_of(&it.servers[0]).strangers == 4);
    ask_once(&it, "/", 0); /* a connection that is kept isn't closed for that time */
    assert_int_equal(counters_of(&it.servers[0]).handshakes, 1);
    stop_group(&it);
}

/* One more handshake than may be at once is refused; the next after them is not. */
static void test_too_many_handshakes(void **state)
{
    (void)state;
    group it = { .count = 0 };
    add_secure(&it, (chainsi_server_options){ .slots = 1, .max_handshakes = 2 });
    open_secure_set(&it);
    int first = dial_at(&it.servers[0]), second = dial_at(&it.servers[0]);
    AWAIT(counters_of(&it.servers[0]).connections == 2);
    await_end(dial_at(&it.servers[0]));
    assert_int_equal(counters_of(&it.servers[0]).strangers, 1);
    close(first);
    close(second);
    AWAIT(counters_of(&it.servers[0]).strangers == 3);
    ask_once(&it, "/", 0);
    stop_group(&it);
}

/* Draining waits for no handshake, and what is on its way in is answered. */
static void test_draining(void **state)
{
    (void)state;
    group it = { .count = 0 };
    add_secure(&it, (chainsi_server_options){ .slots = 1, .lease_ms = 50 });
    open_secure_set(&it);
    int silent = dial_at(&it.servers[0]);
    asked call = { .size = 0 };
    begin(&call, &it, "/wait");
    AWAIT(count_running(&it) == 1);
    open_gate(&it.servers[0]);
    assert_true(chainsi_server_drain(it.servers[0].server, CHAINSI_NEVER));
    end_well(&call);
    await_end(silent);
    stop_group(&it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_kept_connections_and_short_handshakes),
        TEST(test_wants),
        TEST(test_a_name_whose_addresses_change),
        TEST(test_handshakes_that_do_not_end),
        TEST(test_too_many_handshakes),
        TEST(test_draining),
    };
    return cmocka_run_group_tests(tests, make_identity, remove_files);
}
