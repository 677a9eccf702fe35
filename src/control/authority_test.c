/* Certificates as others see them: openssl's command line verifies what was made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/authority.h"

enum { DAY_S = 86400 };

static char folder[] = "/tmp/chains-authority-XXXXXX";
static const char *const names[] = { "poem-v1-phi-llm", "poem-v1-phi-llm.prod",
                                     "poem-v1-phi-llm.prod.svc" };
enum { NAMES = sizeof names / sizeof *names };

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    static const char *const files[] = { "ca", "leaf", "key" };
    char path[128];
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    return rmdir(folder);
}

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Whether openssl says yes; what it prints is in text. */
static bool openssl(char *text, size_t size, const char *words)
{
    char line[1024];
    snprintf(line, sizeof line, "cd %s && openssl %s 2>&1", folder, words);
    FILE *said = popen(line, "r");
    assert_non_null(said);
    size_t got = fread(text, 1, size - 1, said);
    text[got] = 0;
    return pclose(said) == 0;
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' isn't in: %s", part, text);
}

static void openssl_verifies_what_it_issues(void **state)
{
    (void)state;
    char said[16384];
    int64_t now_s = time(NULL);
    chainsi_pair authority = { 0 }, leaf = { 0 };
    assert_true(chainsi_authority_make("poem", now_s, CHAINSI_AUTHORITY_LIFE_S, &authority));
    assert_true(chainsi_authority_issue(&authority, names, NAMES, now_s, CHAINSI_CERTIFICATE_LIFE_S,
                                        &leaf));
    write_file("ca", authority.certificate);
    write_file("leaf", leaf.certificate);
    write_file("key", leaf.key);
    static const char *const checks[] = {
        "verify -x509_strict -CAfile ca ca",
        "verify -x509_strict -purpose sslserver -CAfile ca leaf",
        "verify -x509_strict -purpose sslclient -CAfile ca leaf",
        "verify -CAfile ca -verify_hostname poem-v1-phi-llm leaf",
        "verify -CAfile ca -verify_hostname poem-v1-phi-llm.prod.svc leaf",
        "x509 -in leaf -noout -checkend 7689600", /* 89 days */
        "x509 -in ca -noout -checkend 315273600", /* 3,649 days */
        "pkey -in key -noout -check",
    };
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (!openssl(said, sizeof said, checks[i]))
            fail_msg("openssl %s: %s", checks[i], said);
    assert_false(openssl(said, sizeof said, "verify -CAfile ca -verify_hostname other leaf"));
    assert_false(openssl(said, sizeof said, "verify -CAfile ca -purpose smimesign leaf"));
    assert_false(openssl(said, sizeof said, "x509 -in leaf -noout -checkend 7862400"));
    assert_true(openssl(said, sizeof said, "x509 -in leaf -noout -text"));
    has(said, "Version: 3");
    has(said, "ecdsa-with-SHA256");
    has(said, "prime256v1");
    has(said, "CN = poem-v1-phi-llm");
    has(said, "DNS:poem-v1-phi-llm, DNS:poem-v1-phi-llm.prod, DNS:poem-v1-phi-llm.prod.svc");
    has(said, "CA:FALSE");
    assert_true(openssl(said, sizeof said, "x509 -in ca -noout -text"));
    has(said, "O = poem");
    has(said, "CA:TRUE, pathlen:0");
    has(said, "Certificate Sign, CRL Sign");
    chainsi_pair_done(&authority);
    chainsi_pair_done(&leaf);
}

static void one_authority_trusts_nothing_of_another(void **state)
{
    (void)state;
    char said[16384];
    int64_t now_s = time(NULL);
    chainsi_pair one = { 0 }, other = { 0 }, leaf = { 0 };
    assert_true(chainsi_authority_make("poem", now_s, CHAINSI_AUTHORITY_LIFE_S, &one));
    assert_true(chainsi_authority_make("poem", now_s, CHAINSI_AUTHORITY_LIFE_S, &other));
    assert_true(chainsi_authority_issue(&one, names, 1, now_s, DAY_S, &leaf));
    write_file("ca", other.certificate);
    write_file("leaf", leaf.certificate);
    assert_false(openssl(said, sizeof said, "verify -CAfile ca leaf"));
    char *both;
    assert_true(asprintf(&both, "%s%s", other.certificate, one.certificate) > 0);
    write_file("ca", both);
    assert_true(openssl(said, sizeof said, "verify -x509_strict -CAfile ca leaf"));
    assert_int_equal(chainsi_certificate_count(both), 2);
    free(both);
    assert_true(chainsi_certificate_is_for(leaf.certificate, one.certificate, names, 1));
    assert_false(chainsi_certificate_is_for(leaf.certificate, other.certificate, names, 1));
    assert_false(chainsi_certificate_is_for(leaf.certificate, one.certificate, names, 2));
    assert_false(chainsi_certificate_is_for(leaf.certificate, one.certificate, names + 1, 1));
    assert_false(chainsi_certificate_is_for("?", one.certificate, names, 1));
    chainsi_pair mixed = { leaf.certificate, one.key };
    assert_true(chainsi_pair_is_good(&leaf));
    assert_false(chainsi_pair_is_good(&mixed));
    mixed.key = NULL;
    assert_false(chainsi_pair_is_good(&mixed));
    chainsi_pair_done(&one);
    chainsi_pair_done(&other);
    chainsi_pair_done(&leaf);
}

/* Beyond 2049 certificates write their dates in another form, and numbers of 32 bits end in 2038. */
static void one_is_due_after_two_thirds_of_its_life(void **state)
{
    (void)state;
    static const int64_t starts_s[] = { 1764000000, INT64_C(2145916800), INT64_C(2524608000) };
    for (size_t i = 0; i < 3; i++) {
        int64_t now_s = starts_s[i];
        chainsi_pair authority = { 0 }, leaf = { 0 };
        assert_true(chainsi_authority_make("poem", now_s, 60 * DAY_S, &authority));
        assert_true(chainsi_authority_issue(&authority, names, 1, now_s, 30 * DAY_S, &leaf));
        int64_t begin_s = now_s - CHAINSI_CERTIFICATE_SKEW_S;
        int64_t due_s = begin_s + (30 * DAY_S + CHAINSI_CERTIFICATE_SKEW_S) / 3 * 2;
        assert_int_equal(chainsi_certificate_end(leaf.certificate), now_s + 30 * DAY_S);
        assert_true(chainsi_certificate_is_due(leaf.certificate, begin_s - 1));
        assert_false(chainsi_certificate_is_due(leaf.certificate, begin_s));
        assert_false(chainsi_certificate_is_due(leaf.certificate, due_s - 1));
        assert_true(chainsi_certificate_is_due(leaf.certificate, due_s));
        chainsi_pair_done(&leaf);
        /* It doesn't outlive its authority. */
        assert_true(chainsi_authority_issue(&authority, names, 1, now_s, 90 * DAY_S, &leaf));
        assert_int_equal(chainsi_certificate_end(leaf.certificate), now_s + 60 * DAY_S);
        chainsi_pair_done(&leaf);
        chainsi_pair_done(&authority);
    }
    assert_true(chainsi_certificate_is_due("", 0));
    assert_true(chainsi_certificate_is_due(NULL, 0));
    assert_int_equal(chainsi_certificate_end("-----BEGIN"), 0);
    assert_int_equal(chainsi_certificate_count("no"), 0);
}

static void what_is_no_authority_issues_nothing(void **state)
{
    (void)state;
    chainsi_pair authority = { 0 }, other = { 0 }, issued = { 0 };
    assert_true(
        chainsi_authority_make("a name that is much longer than what a part of a subject can "
                               "have, sixty-four characters",
                               1764000000, DAY_S, &authority));
    assert_true(chainsi_authority_make("poem", 1764000000, DAY_S, &other));
    chainsi_pair mixed = { authority.certificate, other.key };
    assert_false(chainsi_authority_issue(&mixed, names, 1, 1764000000, DAY_S, &issued));
    mixed.key = NULL;
    assert_false(chainsi_authority_issue(&mixed, names, 1, 1764000000, DAY_S, &issued));
    assert_false(chainsi_authority_issue(&authority, names, 0, 1764000000, DAY_S, &issued));
    assert_null(issued.certificate);
    assert_true(chainsi_authority_issue(&authority, names, 1, 1764000000, DAY_S, &issued));
    chainsi_pair_done(&authority);
    chainsi_pair_done(&other);
    chainsi_pair_done(&issued);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openssl_verifies_what_it_issues),
        cmocka_unit_test(one_authority_trusts_nothing_of_another),
        cmocka_unit_test(one_is_due_after_two_thirds_of_its_life),
        cmocka_unit_test(what_is_no_authority_issues_nothing),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
