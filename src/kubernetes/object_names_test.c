/* Names of objects, labels and images: what they look like, that they are allowed, and that no two are the same. */
#include "kubernetes/object_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <string.h>

#include "kubernetes/image_reference.h"

#define LONG "a_chainlet_whose_name_is_as_long_as_a_name_may_be_for_chains_ab"

static void assert_name(const char *name)
{
    const size_t size = strlen(name);
    assert_in_range(size, 1, CHAINSI_OBJECT_NAME_MOST);
    assert_true(islower((unsigned char)name[0]) && isalnum((unsigned char)name[size - 1]));
    assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-"), size);
}

static void names_say_what_they_name(void **state)
{
    (void)state;
    chainsi_arena arena = { 0 };
    assert_string_equal(chainsi_object_name(&arena, "poem", "v0001-c4a671", "phi_llm"),
                        "poem-v0001-c4a671-phi-llm");
    assert_string_equal(chainsi_object_name(&arena, "poem_generator", "v7", "poem_generator"),
                        "poem-generator-v7-poem-generator");
    assert_string_equal(chainsi_object_name(&arena, "poem", "v7", NULL), "poem-v7");
    assert_string_equal(chainsi_object_name_of_chain(&arena, "my_poem", "secrets"),
                        "my-poem-secrets");
    chainsi_arena_done(&arena);
}

/* All parts of these lists with each other: names that could be taken for each other's without their hashes. */
static void no_two_are_the_same(void **state)
{
    (void)state;
    static const char *const chains[] = { "a",    "a_b", "a-b", "A",   "a_v1",   "a-v1-b",
                                          "a__b", "a_",  "9",   "v1",  "a_v1_b", "a_v1_abcdef",
                                          LONG,   "_",   "c9",  "a.b", "-" };
    static const char *const versions[] = { "v1",       "v1-abcdef", "v2",   "V1", "1",
                                            "v1-abcde", "v1_abcdef", "v1.0", "b",  "v01" };
    static const char *const chainlets[] = { "b", "b_v2_c", "v1",   "abcdef", "abcdef_b", "b_c",
                                             "B", "b-c",    "b__c", LONG,     "9",        NULL };
    enum { CHAINS = 17, VERSIONS = 10, CHAINLETS = 12, MOST = CHAINS * VERSIONS * CHAINLETS };
    static const char *names[MOST];
    chainsi_arena arena = { 0 };
    size_t count = 0;
    for (size_t i = 0; i < CHAINS; i++)
        for (size_t k = 0; k < VERSIONS; k++)
            for (size_t m = 0; m < CHAINLETS; m++) {
                const char *name =
                    chainsi_object_name(&arena, chains[i], versions[k], chainlets[m]);
                assert_name(name);
                for (size_t n = 0; n < count; n++)
                    if (!strcmp(names[n], name))
                        fail_msg("%s is %s, %s, %s and another", name, chains[i], versions[k],
                                 chainlets[m] ? chainlets[m] : "none");
                names[count++] = name;
            }
    chainsi_arena_done(&arena);
}

static void labels_are_allowed(void **state)
{
    (void)state;
    chainsi_arena arena = { 0 };
    assert_string_equal(chainsi_label_value(&arena, "Phi_llm.2"), "Phi_llm.2");
    static const char *const odd[] = { "a_", "-a", "a--b", "", "a b", LONG "c" };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        const char *label = chainsi_label_value(&arena, odd[i]);
        assert_name(label);
        assert_non_null(strstr(label, "--"));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(label, chainsi_label_value(&arena, odd[k]));
    }
    chainsi_arena_done(&arena);
}

static void images_are_at_their_chains_and_names(void **state)
{
    (void)state;
    static const char digest[] =
        "sha256:60ed5bc3dd14eea856493d334349b405782ddcaf0028d4b5df4088345fba2efe";
    chainsi_arena arena = { 0 };
    assert_string_equal(
        chainsi_image_reference(&arena, "r.x:5000/me", "poem", "phi_llm", "v1", NULL),
        "r.x:5000/me/poem/phi_llm:v1");
    assert_string_equal(chainsi_image_reference(&arena, "r.x/", "poem", "phi-llm", "v1", digest),
                        "r.x/poem/phi-llm@sha256:"
                        "60ed5bc3dd14eea856493d334349b405782ddcaf0028d4b5df4088345fba2efe");
    assert_string_equal(chainsi_image_reference(&arena, NULL, "a__b", "c.d", "v1", NULL),
                        "a__b/c.d:v1");
    static const char *const odd[] = { "Poem", "poem_", "a___b", "a_.b", "a..b", "a--b" };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        assert_non_null(
            strstr(chainsi_image_reference(&arena, NULL, odd[i], "b", "v1", NULL), "--"));
    assert_true(chainsi_is_image_digest(digest));
    assert_false(chainsi_is_image_digest("sha256:60ed"));
    assert_false(chainsi_is_image_digest("r.x/poem@sha256:60ed"));
    assert_true(chainsi_is_image_tag("v0001-c4a671"));
    assert_false(chainsi_is_image_tag("-a"));
    assert_false(chainsi_is_image_tag("a b"));
    assert_false(chainsi_is_image_tag(""));
    chainsi_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_say_what_they_name),
        cmocka_unit_test(no_two_are_the_same),
        cmocka_unit_test(labels_are_allowed),
        cmocka_unit_test(images_are_at_their_chains_and_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
