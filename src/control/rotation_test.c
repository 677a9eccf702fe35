/* Authorities of a chain over time, with a clock of the test's own: pods that read their files late call each other all
 * the time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "control/rotation.h"

enum {
    DAY_S = 86400,
    AUTHORITY_S = 100 * DAY_S,
    CERTIFICATE_S = 30 * DAY_S,
    PODS = 3,
    LOOK_S = 600, /* while something changes */
};
static const int64_t start_s = 1764000000;

/* The files of a pod as the controller has written them, and as the pod has last read them. */
typedef struct files {
    char *certificate, *authorities;
} files;
typedef struct pod {
    const char *name;
    int64_t late_s;
    files written, read;
    int64_t changed_s; /* 0: it has read what is written */
} pod;

typedef struct world {
    chainsi_rotation rotation;
    pod pods[PODS];
    int64_t now_s;
    long failed, checks, rotations, renewals;
} world;

static void set_files(files *to, const char *certificate, const char *authorities)
{
    char *texts[] = { strdup(certificate), strdup(authorities) };
    free(to->certificate);
    free(to->authorities);
    *to = (files){ texts[0], texts[1] };
}

static X509 *read_one(BIO *bio)
{
    return PEM_read_bio_X509(bio, NULL, NULL, NULL);
}

static bool trusts(const files *who, const files *whom, int64_t now_s)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    BIO *bio = BIO_new_mem_buf(who->authorities, -1);
    for (X509 *one; (one = read_one(bio));) {
        X509_STORE_add_cert(store, one);
        X509_free(one);
    }
    BIO_free(bio);
    bio = BIO_new_mem_buf(whom->certificate, -1);
    X509 *shown = read_one(bio);
    BIO_free(bio);
    X509_STORE_CTX_init(context, store, shown, NULL);
    X509_STORE_CTX_set_time(context, 0, (time_t)now_s);
    bool good = X509_verify_cert(context) == 1;
    X509_free(shown);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return good;
}

static void call_all(world *it)
{
    it->checks++;
    for (size_t i = 0; i < PODS; i++)
        for (size_t k = 0; k < PODS; k++)
            it->failed += !trusts(&it->pods[i].read, &it->pods[k].read, it->now_s);
}

/* What the controller does each time: false: nothing had to be written. */
static bool write_files(world *it)
{
    char *bundle = chainsi_rotation_bundle(&it->rotation);
    bool changed = false;
    for (size_t i = 0; i < PODS; i++) {
        pod *at = &it->pods[i];
        chainsi_pair fresh = { 0 };
        bool keep =
            at->written.certificate &&
            chainsi_rotation_accepts(&it->rotation, at->written.certificate, &at->name, 1) &&
            !chainsi_certificate_is_due(at->written.certificate, it->now_s);
        if (keep && !strcmp(at->written.authorities, bundle))
            continue;
        if (!keep) {
            assert_true(chainsi_authority_issue(chainsi_rotation_signer(&it->rotation), &at->name,
                                                1, it->now_s, CERTIFICATE_S, &fresh));
            it->renewals++;
        }
        char *kept = keep ? strdup(at->written.certificate) : strdup(fresh.certificate);
        set_files(&at->written, kept, bundle);
        free(kept);
        chainsi_pair_done(&fresh);
        at->changed_s = it->now_s;
        changed = true;
    }
    free(bundle);
    return changed;
}

/* Who has nothing reads what there is, as when its pod starts. *any: somebody has read something. */
static bool read_files(world *it, bool *any)
{
    bool waits = false;
    *any = false;
    for (size_t i = 0; i < PODS; i++) {
        pod *at = &it->pods[i];
        if (at->changed_s && (!at->read.certificate || it->now_s - at->changed_s >= at->late_s)) {
            set_files(&at->read, at->written.certificate, at->written.authorities);
            at->changed_s = 0;
            *any = true;
        }
        waits = waits || at->changed_s;
    }
    return waits;
}

static void look(world *it)
{
    if (chainsi_rotation_is_due(&it->rotation, it->now_s)) {
        assert_true(chainsi_rotation_go_on(&it->rotation, "poem", it->now_s, AUTHORITY_S));
        it->rotations += chainsi_rotation_get_state(&it->rotation) == CHAINSI_ROTATION_RETIRING;
    }
    /* As in the controller, what was mended in the middle of it has its time to be read. */
    if (write_files(it))
        chainsi_rotation_settle(&it->rotation, false, it->now_s);
    chainsi_rotation_settle(&it->rotation, true, it->now_s);
}

static world live(int64_t late_s, int64_t days)
{
    world it = { .now_s = start_s };
    int64_t called_s = 0;
    static const char *const names[PODS] = { "a", "b", "c" };
    for (size_t i = 0; i < PODS; i++) {
        it.pods[i].name = names[i];
        it.pods[i].late_s = late_s * (int64_t)i / (PODS - 1);
    }
    while (it.now_s < start_s + days * DAY_S) {
        look(&it);
        bool read, busy = read_files(&it, &read) ||
                          chainsi_rotation_get_state(&it.rotation) != CHAINSI_ROTATION_STEADY;
        if (read || it.now_s - called_s >= 3 * DAY_S) { /* the rest is as it was */
            call_all(&it);
            called_s = it.now_s;
        }
        it.now_s += busy ? LOOK_S : DAY_S;
    }
    for (size_t i = 0; i < PODS; i++) {
        free(it.pods[i].written.certificate);
        free(it.pods[i].written.authorities);
        free(it.pods[i].read.certificate);
        free(it.pods[i].read.authorities);
    }
    return it;
}

static void no_call_fails_while_authorities_change(void **state)
{
    (void)state;
    world it = live(CHAINSI_ROTATION_SPREAD_S - LOOK_S, 365);
    assert_int_equal(it.failed, 0);
    assert_int_equal(it.rotations, 5); /* a year, and each after two thirds of 100 days */
    assert_true(it.renewals > PODS * 365 / 20);
    assert_int_equal(chainsi_rotation_get_state(&it.rotation), CHAINSI_ROTATION_STEADY);
    chainsi_rotation_done(&it.rotation);
}

/* So the test above could fail. */
static void calls_fail_where_files_are_read_later_than_that(void **state)
{
    (void)state;
    world it = live(4 * CHAINSI_ROTATION_SPREAD_S, 80);
    assert_true(it.failed > 0);
    chainsi_rotation_done(&it.rotation);
}

static void steps_wait_for_files(void **state)
{
    (void)state;
    chainsi_rotation it = { 0 };
    int64_t now_s = start_s;
    assert_true(chainsi_rotation_is_due(&it, now_s)); /* there is none yet */
    assert_true(chainsi_rotation_go_on(&it, "poem", now_s, AUTHORITY_S));
    assert_int_equal(chainsi_rotation_get_state(&it), CHAINSI_ROTATION_STEADY);
    assert_false(chainsi_rotation_is_due(&it, now_s));
    chainsi_rotation_settle(&it, true, now_s);
    now_s += AUTHORITY_S / 3 * 2;
    assert_true(chainsi_rotation_is_due(&it, now_s));
    assert_true(chainsi_rotation_go_on(&it, "poem", now_s, AUTHORITY_S));
    assert_int_equal(chainsi_rotation_get_state(&it), CHAINSI_ROTATION_TRUSTING);
    char *bundle = chainsi_rotation_bundle(&it);
    assert_int_equal(chainsi_certificate_count(bundle), 2);
    free(bundle);
    assert_ptr_equal(chainsi_rotation_signer(&it), &it.issuer);
    /* However long: files that aren't written aren't waited for in vain. */
    assert_false(chainsi_rotation_is_due(&it, now_s + AUTHORITY_S / 3 - DAY_S));
    chainsi_rotation_settle(&it, true, now_s);
    chainsi_rotation_settle(&it, true, now_s + 10);
    assert_int_equal(it.settled_s, now_s);
    assert_false(chainsi_rotation_is_due(&it, now_s + CHAINSI_ROTATION_SPREAD_S - 1));
    assert_true(chainsi_rotation_is_due(&it, now_s + CHAINSI_ROTATION_SPREAD_S));
    /* A clock that is set back. */
    chainsi_rotation_settle(&it, true, now_s - DAY_S);
    assert_int_equal(it.settled_s, now_s - DAY_S);
    char *old = strdup(it.issuer.certificate), *next = strdup(it.next.certificate);
    assert_true(chainsi_rotation_go_on(&it, "poem", now_s, AUTHORITY_S));
    assert_int_equal(chainsi_rotation_get_state(&it), CHAINSI_ROTATION_RETIRING);
    assert_string_equal(it.issuer.certificate, next);
    assert_string_equal(it.old, old);
    assert_true(chainsi_pair_is_good(&it.issuer));
    assert_false(chainsi_rotation_is_due(&it, now_s + DAY_S));
    chainsi_rotation_settle(&it, true, now_s);
    assert_true(chainsi_rotation_is_due(&it, now_s + CHAINSI_ROTATION_SPREAD_S));
    assert_true(chainsi_rotation_go_on(&it, "poem", now_s, AUTHORITY_S));
    assert_int_equal(chainsi_rotation_get_state(&it), CHAINSI_ROTATION_STEADY);
    bundle = chainsi_rotation_bundle(&it);
    assert_string_equal(bundle, next);
    free(bundle);
    free(old);
    free(next);
    chainsi_rotation_done(&it);
}

/* Its key is lost, or was taken out by somebody who no longer trusts it. */
static void a_lost_key_begins_a_rotation(void **state)
{
    (void)state;
    const char *const name = "a";
    chainsi_rotation it = { 0 };
    chainsi_pair leaf = { 0 }, other = { 0 };
    assert_true(chainsi_rotation_go_on(&it, "poem", start_s, AUTHORITY_S));
    assert_true(chainsi_authority_issue(&it.issuer, &name, 1, start_s, DAY_S, &leaf));
    free(it.issuer.key);
    it.issuer.key = NULL;
    assert_true(chainsi_rotation_is_due(&it, start_s));
    assert_true(chainsi_rotation_go_on(&it, "poem", start_s, AUTHORITY_S));
    assert_int_equal(chainsi_rotation_get_state(&it), CHAINSI_ROTATION_TRUSTING);
    /* What there is stays, and what is new comes from the only one that can. */
    assert_true(chainsi_rotation_accepts(&it, leaf.certificate, &name, 1));
    assert_ptr_equal(chainsi_rotation_signer(&it), &it.next);
    assert_true(
        chainsi_authority_issue(chainsi_rotation_signer(&it), &name, 1, start_s, DAY_S, &other));
    assert_true(chainsi_rotation_accepts(&it, other.certificate, &name, 1));
    chainsi_rotation_settle(&it, true, start_s);
    assert_true(chainsi_rotation_go_on(&it, "poem", start_s, AUTHORITY_S));
    assert_false(chainsi_rotation_accepts(&it, leaf.certificate, &name, 1));
    assert_true(chainsi_rotation_accepts(&it, other.certificate, &name, 1));
    chainsi_pair_done(&leaf);
    chainsi_pair_done(&other);
    chainsi_rotation_done(&it);
}

/* No controller ran while it ended: what it issues would have ended already, whenever it is renewed. */
static void one_that_has_ended_is_not_waited_for(void **state)
{
    (void)state;
    const char *const name = "a";
    const int64_t now_s = start_s + AUTHORITY_S + DAY_S;
    chainsi_rotation it = { 0 };
    chainsi_pair leaf = { 0 };
    assert_true(chainsi_rotation_go_on(&it, "poem", start_s, AUTHORITY_S));
    while (chainsi_rotation_is_due(&it, now_s))
        assert_true(chainsi_rotation_go_on(&it, "poem", now_s, AUTHORITY_S));
    assert_int_equal(chainsi_rotation_get_state(&it), CHAINSI_ROTATION_RETIRING);
    assert_true(chainsi_authority_issue(chainsi_rotation_signer(&it), &name, 1, now_s,
                                        CERTIFICATE_S, &leaf));
    assert_false(chainsi_certificate_is_due(leaf.certificate, now_s));
    assert_true(chainsi_certificate_end(leaf.certificate) > now_s);
    chainsi_pair_done(&leaf);
    chainsi_rotation_done(&it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_call_fails_while_authorities_change),
        cmocka_unit_test(calls_fail_where_files_are_read_later_than_that),
        cmocka_unit_test(steps_wait_for_files),
        cmocka_unit_test(a_lost_key_begins_a_rotation),
        cmocka_unit_test(one_that_has_ended_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
