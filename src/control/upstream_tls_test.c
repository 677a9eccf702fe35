/* Calls to pods by TLS that both sides prove themselves by: good ones, strangers on either side, certificates that are
 * exchanged while calls run. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>

#include "control/home.h"
#include "control/upstream_set_test_support.h"

/* A certificate and its key, as PEM texts and as they are. */
typedef struct paper {
    X509 *certificate;
    EVP_PKEY *key;
    char *certificate_text, *key_text; /* owned */
} paper;

enum { AUTHORITY, OTHER_AUTHORITY, POD, OTHER_POD, DOOR, NEXT_DOOR, OTHER_DOOR, PAPERS };
static paper papers[PAPERS];
static char folder[] = "/tmp/chains-upstream-tls-XXXXXX";
static chainsi_tls_identity *pod_identity, *other_pod_identity;

static char *text_of(BIO *bio)
{
    char *data;
    long size = BIO_get_mem_data(bio, &data);
    char *text = strndup(data, (size_t)size);
    BIO_free(bio);
    return text;
}

static void write_texts(paper *it)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, it->certificate);
    it->certificate_text = text_of(bio);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, it->key, NULL, NULL, 0, NULL, NULL);
    it->key_text = text_of(bio);
}

static void extend(X509 *certificate, int kind, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);
    assert_non_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

/* By an authority; NULL: it is one itself. names: of the subject. */
static void make_paper(paper *it, const paper *authority, const char *names, long number)
{
    static const char *const titles[] = { "authority", "holder" };
    it->certificate = X509_new();
    it->key = EVP_EC_gen("P-256");
    X509_set_version(it->certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(it->certificate), number);
    X509_gmtime_adj(X509_getm_notBefore(it->certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(it->certificate), 3600);
    X509_set_pubkey(it->certificate, it->key);
    X509_NAME *name = X509_get_subject_name(it->certificate);
    char title[32];
    snprintf(title, sizeof title, "%s %ld", titles[authority != NULL], number);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (unsigned char *)title, -1, -1, 0);
    X509_set_issuer_name(it->certificate,
                         authority ? X509_get_subject_name(authority->certificate) : name);
    if (authority)
        extend(it->certificate, NID_subject_alt_name, names);
    else
        extend(it->certificate, NID_basic_constraints, "critical,CA:TRUE");
    assert_true(X509_sign(it->certificate, authority ? authority->key : it->key, EVP_sha256()) > 0);
    write_texts(it);
}

static void write_file(const char *name, const char *text, char path[128])
{
    snprintf(path, 128, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static chainsi_tls_identity *make_identity(const char *name, const paper *it,
                                           const paper *authority)
{
    char files[3][128], file_name[64], why[256];
    snprintf(file_name, sizeof file_name, "%s.crt", name);
    write_file(file_name, it->certificate_text, files[0]);
    snprintf(file_name, sizeof file_name, "%s.key", name);
    write_file(file_name, it->key_text, files[1]);
    snprintf(file_name, sizeof file_name, "%s.ca", name);
    write_file(file_name, authority->certificate_text, files[2]);
    const chainsi_tls_files all = { files[0], files[1], files[2] };
    chainsi_tls_identity *identity = chainsi_tls_get_engine()->load(&all, NULL, why, sizeof why);
    if (!identity)
        fail_msg("%s", why);
    return identity;
}

static int make_papers(void **state)
{
    char why[256];
    assert_non_null(mkdtemp(folder));
    make_paper(&papers[AUTHORITY], NULL, NULL, 1);
    make_paper(&papers[OTHER_AUTHORITY], NULL, NULL, 2);
    make_paper(&papers[POD], &papers[AUTHORITY], "DNS:back.poem,IP:127.0.0.1", 3);
    make_paper(&papers[OTHER_POD], &papers[OTHER_AUTHORITY], "DNS:back.poem", 4);
    make_paper(&papers[DOOR], &papers[AUTHORITY], "DNS:front-door", 5);
    make_paper(&papers[NEXT_DOOR], &papers[AUTHORITY], "DNS:front-door", 6);
    make_paper(&papers[OTHER_DOOR], &papers[OTHER_AUTHORITY], "DNS:front-door", 7);
    if (!chainsi_tls_load(why, sizeof why))
        fail_msg("%s", why);
    pod_identity = make_identity("pod", &papers[POD], &papers[AUTHORITY]);
    other_pod_identity = make_identity("other", &papers[OTHER_POD], &papers[AUTHORITY]);
    return open_first_loop(state);
}

static int forget_papers(void **state)
{
    (void)state;
    for (int i = 0; i < PAPERS; i++) {
        X509_free(papers[i].certificate);
        EVP_PKEY_free(papers[i].key);
        free(papers[i].certificate_text);
        free(papers[i].key_text);
    }
    return chainsi_remove_tree(folder) ? 0 : -1;
}

static void add_secure(pods *of, chainsi_tls_identity *identity, int slots)
{
    add_pod(of, (chainsi_server_options){ .slots = slots, .identity = identity });
    use_pods(of, ~0u);
}

static void show(pods *of, int door, int authority, const char *name)
{
    char why[256];
    if (!chainsi_upstream_set_tls(of->set, papers[door].certificate_text, papers[door].key_text,
                                  papers[authority].certificate_text, name, why, sizeof why))
        fail_msg("%s", why);
}

static pods *start_secure(int count, int slots)
{
    pods *of = start_pods(0, slots, 600);
    for (int i = 0; i < count; i++)
        add_secure(of, pod_identity, slots);
    show(of, DOOR, AUTHORITY, "back.poem");
    return of;
}

static void ask_well(pods *of)
{
    const call *it = ask(of, "/");
    RUN_UNTIL(of, it->ended);
    expect_answer(it);
    assert_int_equal(it->size, 2);
}

static void connections_are_kept_and_handshakes_are_short(void **state)
{
    (void)state;
    pods *of = start_secure(1, 2);
    for (int i = 0; i < 5; i++)
        ask_well(of);
    assert_int_equal(counters_of(&of->servers[0]).handshakes, 1);
    for (int i = 0; i < 4; i++) {
        const call *it = ask(of, "/close");
        RUN_UNTIL(of, it->ended);
        expect_answer(it);
    }
    chainsi_server_counters counters = counters_of(&of->servers[0]);
    assert_int_equal(counters.handshakes, 4);
    assert_int_equal(counters.resumed, 3);
    assert_int_equal(counters.strangers, 0);
    stop_pods(of);
}

static void large_bodies_go_both_ways(void **state)
{
    (void)state;
    pods *of = start_secure(2, 1);
    char *large = malloc(LARGE);
    memset(large, 'x', LARGE);
    call *held = ask(of, "/large");
    RUN_UNTIL(of, held->size > 0);
    chainsi_upstream_pause(held->call);
    for (int i = 0; i < 3; i++)
        ask_with(of, "/", "", large, LARGE);
    RUN_UNTIL(of, of->ended == 3);
    assert_false(held->ended);
    chainsi_upstream_resume(held->call);
    RUN_UNTIL(of, held->ended);
    for (int i = 1; i < 4; i++) {
        expect_answer(&of->calls[i]);
        assert_int_equal(of->calls[i].size, LARGE);
    }
    assert_int_equal(held->size, LARGE + 2);
    free(large);
    stop_pods(of);
}

static void any_name_of_the_authority_or_an_address(void **state)
{
    (void)state;
    static const char *const names[] = { "back.poem", "127.0.0.1", NULL };
    for (size_t i = 0; i < 3; i++) {
        pods *of = start_secure(1, 1);
        show(of, DOOR, AUTHORITY, names[i]);
        ask_well(of);
        stop_pods(of);
    }
}

/* The call ends with why, and no pod has run it. */
static void expect_unreachable(pods *of, const char *why)
{
    of->set->set->reach_ms = 50;
    const call *it = ask(of, "/");
    RUN_UNTIL(of, it->ended);
    assert_int_equal(it->end, CHAINSI_UPSTREAM_UNREACHABLE);
    if (!strstr(it->why, why))
        fail_msg("%s", it->why);
    for (int i = 0; i < of->count; i++)
        assert_int_equal(handled_at(of, i), 0);
    stop_pods(of);
}

static void a_pod_of_another_name_is_not_called(void **state)
{
    (void)state;
    pods *of = start_secure(1, 1);
    show(of, DOOR, AUTHORITY, "front.poem");
    expect_unreachable(of, "not trusted: hostname mismatch");
}

static void a_pod_of_another_authority_is_not_called(void **state)
{
    (void)state;
    pods *of = start_secure(0, 1);
    add_secure(of, other_pod_identity, 1);
    expect_unreachable(of, "not trusted: unable to get local issuer certificate");
}

static void a_pod_without_tls_is_not_called(void **state)
{
    (void)state;
    pods *of = start_secure(0, 1);
    add_pod(of, (chainsi_server_options){ .slots = 1 });
    use_pods(of, 1);
    expect_unreachable(of, "the TLS handshake failed");
}

static void a_door_that_pods_do_not_know_is_told_so(void **state)
{
    (void)state;
    pods *of = start_secure(1, 1);
    show(of, OTHER_DOOR, AUTHORITY, "back.poem");
    expect_unreachable(of, "it has refused the certificate of the front door");
}

/* A pod that isn't to be trusted among those that are. */
static void calls_go_to_those_that_are_known(void **state)
{
    (void)state;
    pods *of = start_secure(1, 1);
    add_secure(of, other_pod_identity, 1);
    for (int i = 0; i < 10; i++)
        ask_well(of);
    assert_int_equal(handled_at(of, 0), 10);
    assert_int_equal(handled_at(of, 1), 0);
    stop_pods(of);
}

static void certificates_change_while_calls_run(void **state)
{
    (void)state;
    pods *of = start_secure(1, 2);
    const call *runs = ask(of, "/wait");
    ask_well(of);
    RUN_UNTIL(of, running_at(of, 0) == 1);
    show(of, NEXT_DOOR, AUTHORITY, "back.poem");
    RUN_UNTIL(of, counters_of(&of->servers[0]).connections == 1); /* what was idle is closed */
    ask_well(of);
    assert_int_equal(counters_of(&of->servers[0]).handshakes, 3);
    assert_int_equal(counters_of(&of->servers[0]).resumed, 0); /* it is seen anew */
    let_go(of, 0);
    RUN_UNTIL(of, runs->ended);
    expect_answer(runs);
    RUN_UNTIL(of,
              counters_of(&of->servers[0]).connections == 1); /* and what ran when it had ended */
    for (int i = 0; i < 3; i++)
        ask_well(of);
    assert_int_equal(counters_of(&of->servers[0]).handshakes, 3);
    /* And plain again, which these pods aren't. */
    assert_true(chainsi_upstream_set_tls(of->set, NULL, NULL, NULL, NULL, NULL, 0));
    RUN_UNTIL(of, counters_of(&of->servers[0]).connections == 0);
    stop_pods(of);
}

/* Both authorities while one is exchanged for the other. */
static void two_authorities_may_stand_together(void **state)
{
    (void)state;
    char why[256], *both = NULL;
    pods *of = start_secure(1, 1);
    add_secure(of, other_pod_identity, 1);
    assert_true(asprintf(&both, "%s%s", papers[OTHER_AUTHORITY].certificate_text,
                         papers[AUTHORITY].certificate_text) > 0);
    assert_true(chainsi_upstream_set_tls(of->set, papers[DOOR].certificate_text,
                                         papers[DOOR].key_text, both, "back.poem", why,
                                         sizeof why));
    free(both);
    for (int i = 0; i < 10; i++)
        ask_well(of);
    assert_int_equal(handled_at(of, 0), 5);
    assert_int_equal(handled_at(of, 1), 5);
    stop_pods(of);
}

static void many_calls_while_certificates_change(void **state)
{
    (void)state;
    pods *of = start_secure(3, 4);
    for (int i = 0; i < 500; i++)
        ask(of, "/");
    for (int i = 0; i < 20; i++) {
        const int before = of->ended;
        show(of, i % 2 ? DOOR : NEXT_DOOR, AUTHORITY, "back.poem");
        use_pods(of, i % 3 ? 7 : 5);
        RUN_UNTIL(of, of->ended > before || of->ended == 500);
    }
    RUN_UNTIL(of, of->ended == 500);
    for (int i = 0; i < 500; i++)
        expect_answer(&of->calls[i]);
    assert_int_equal(handled_at(of, 0) + handled_at(of, 1) + handled_at(of, 2), 500);
    stop_pods(of);
}

static void bad_texts_change_nothing(void **state)
{
    (void)state;
    const char *good = papers[DOOR].certificate_text, *key = papers[DOOR].key_text,
               *ca = papers[AUTHORITY].certificate_text;
    const struct {
        const char *certificate, *key, *ca, *name, *why;
    } cases[] = {
        { "", key, ca, NULL, "the certificate cannot be used" },
        { "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key, ca, NULL,
          "the certificate cannot be used" },
        { good, "", ca, NULL, "the key cannot be used" },
        { good, papers[NEXT_DOOR].key_text, ca, NULL,
          "the key cannot be used: key values mismatch" },
        { good, key, "", NULL, "the certificate of the authority cannot be used" },
        { good, key, NULL, NULL, "the certificate of the authority cannot be used" },
        { good, key, ca, "", "'' cannot be a server's name" },
    };
    pods *of = start_secure(1, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char why[256] = "";
        assert_false(chainsi_upstream_set_tls(of->set, cases[i].certificate, cases[i].key,
                                              cases[i].ca, cases[i].name, why, sizeof why));
        if (!strstr(why, cases[i].why))
            fail_msg("%zu: %s", i, why);
    }
    ask_well(of);
    stop_pods(of);
}

int main(void)
{
    counts_eventfds = false;
    const struct CMUnitTest tests[] = {
        TEST(connections_are_kept_and_handshakes_are_short),
        TEST(large_bodies_go_both_ways),
        TEST(any_name_of_the_authority_or_an_address),
        TEST(a_pod_of_another_name_is_not_called),
        TEST(a_pod_of_another_authority_is_not_called),
        TEST(a_pod_without_tls_is_not_called),
        TEST(a_door_that_pods_do_not_know_is_told_so),
        TEST(calls_go_to_those_that_are_known),
        TEST(certificates_change_while_calls_run),
        TEST(two_authorities_may_stand_together),
        TEST(many_calls_while_certificates_change),
        TEST(bad_texts_change_nothing),
    };
    return cmocka_run_group_tests(tests, make_papers, forget_papers);
}
