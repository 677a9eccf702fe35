/* What is JSON and what isn't, case by case: y_ must be taken, n_ must not, as text that is checked, as
 * chains_json that is decoded, and (y_) back from its MessagePack form. What implementations may decide
 * (i_) is below, with what was decided here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "schema/json.h"
#include "schema/msgpack.h"

struct json_case {
    const char *name;
    const char *text;
    size_t size;
};

#define CASE(name, text)                                                                           \
    {                                                                                              \
        name, text, sizeof text - 1                                                                \
    }

static const struct json_case taken[] = {
    CASE("y_array_empty", "[]"),
    CASE("y_array_space_inside", "[ ]"),
    CASE("y_array_newline_inside", "[\n]"),
    CASE("y_array_nested_empty", "[[]]"),
    CASE("y_array_one", "[1]"),
    CASE("y_array_two", "[1,2]"),
    CASE("y_array_space_around_items", "[ 1 , 2 ]"),
    CASE("y_array_tabs", "[\t1\t]"),
    CASE("y_array_carriage_return", "[\r\n1\r\n]"),
    CASE("y_array_null", "[null]"),
    CASE("y_array_mixed", "[null, 1, \"1\", {}]"),
    CASE("y_array_several_null", "[1,null,null,null,2]"),
    CASE("y_array_trailing_space", "[2] "),
    CASE("y_array_leading_space", " [1]"),
    CASE("y_array_false", "[false]"),
    CASE("y_array_true", "[true]"),
    CASE("y_array_empty_string", "[\"\"]"),
    CASE("y_array_ends_with_newline", "[\"a\"]\n"),
    CASE("y_array_of_arrays", "[[],[],[[]]]"),
    CASE("y_array_of_objects", "[{},{}]"),
    CASE("y_object_empty", "{}"),
    CASE("y_object_space_inside", "{ }"),
    CASE("y_object_one", "{\"a\":1}"),
    CASE("y_object_two", "{\"a\":1,\"b\":2}"),
    CASE("y_object_empty_key", "{\"\":0}"),
    CASE("y_object_escaped_nul_key", "{\"a\\u0000b\":42}"),
    CASE("y_object_repeated_key", "{\"a\":\"b\",\"a\":\"c\"}"),
    CASE("y_object_repeated_key_and_value", "{\"a\":\"b\",\"a\":\"b\"}"),
    CASE("y_object_long_keys", "{\"x\":[{\"id\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}],"
                               "\"id\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}"),
    CASE("y_object_newlines", "{\n\"a\": \"b\"\n}"),
    CASE("y_object_space_before_colon", "{\"a\" : 1}"),
    CASE("y_object_unicode_value", "{\"title\":\"\\u041f\\u043e\\u043b\"}"),
    CASE("y_object_nested", "{\"a\":{\"b\":{\"c\":[]}}}"),
    CASE("y_object_key_with_quote", "{\"\\\"\":1}"),
    CASE("y_object_key_with_raw_utf8", "{\"\xc3\xa9\":1}"),
    CASE("y_object_tab_after_comma", "{\"a\":1,\t\"b\":2}"),
    CASE("y_number_zero", "0"),
    CASE("y_number_minus_zero", "-0"),
    CASE("y_number_one", "1"),
    CASE("y_number_minus", "-123"),
    CASE("y_number_fraction", "0.5"),
    CASE("y_number_minus_fraction", "-0.5"),
    CASE("y_number_zero_fraction", "1.0"),
    CASE("y_number_zero_e", "0e1"),
    CASE("y_number_zero_e_plus", "0e+1"),
    CASE("y_number_zero_dot_e", "0.0e0"),
    CASE("y_number_e", "1e22"),
    CASE("y_number_E", "1E22"),
    CASE("y_number_e_plus", "1e+2"),
    CASE("y_number_E_plus", "1E+2"),
    CASE("y_number_e_minus", "1e-2"),
    CASE("y_number_E_minus", "1E-2"),
    CASE("y_number_fraction_e", "123.456e78"),
    CASE("y_number_fraction_E_minus", "123.456E-78"),
    CASE("y_number_long_fraction", "0.00000000000000000000000000000000000000000000000001"),
    CASE("y_number_close_to_zero",
         "-0.000000000000000000000000000000000000000000000000000000000000000000000000000001"),
    CASE("y_number_int64_max", "9223372036854775807"),
    CASE("y_number_int64_min", "-9223372036854775808"),
    CASE("y_number_uint64_max", "18446744073709551615"),
    CASE("y_number_seventeen", "0.12345678901234567"),
    CASE("y_number_many_digits",
         "3.141592653589793238462643383279502884197169399375105820974944592307816406286"),
    CASE("y_number_many_zeros", "100000000000000000000000000000000000000"),
    CASE("y_number_e_leading_zeros", "1e00002"),
    CASE("y_number_e_minus_zero", "1e-0"),
    CASE("y_number_in_array_space", "[123 ]"),
    CASE("y_number_fraction_zeros", "1.000000000000000000000"),
    CASE("y_number_zero_point_zero", "0.0"),
    CASE("y_number_minus_zero_point_zero", "-0.0"),
    CASE("y_string_empty", "\"\""),
    CASE("y_string_plain", "\"asd\""),
    CASE("y_string_space", "\" \""),
    CASE("y_string_one_to_three_bytes_escaped", "\"\\u0060\\u012a\\u12AB\""),
    CASE("y_string_surrogate_pair", "\"\\uD801\\udc37\""),
    CASE("y_string_surrogate_pairs", "\"\\ud83d\\ude39\\ud83d\\udc8d\""),
    CASE("y_string_all_escapes", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
    CASE("y_string_escaped_backslash_u", "\"\\\\u0000\""),
    CASE("y_string_escaped_quote", "\"\\\"\""),
    CASE("y_string_two_backslashes", "\"\\\\a\""),
    CASE("y_string_backslash_n", "\"\\\\n\""),
    CASE("y_string_escaped_control", "\"\\u0012\""),
    CASE("y_string_escaped_nul", "\"\\u0000\""),
    CASE("y_string_escaped_noncharacter", "\"\\uFFFF\""),
    CASE("y_string_escaped_uFFFE", "\"\\uFFFE\""),
    CASE("y_string_escaped_u10FFFF", "\"\\uDBFF\\uDFFF\""),
    CASE("y_string_del", "\"a\x7f"
                         "a\""),
    CASE("y_string_raw_two_bytes", "\"\xc3\xa9\""),
    CASE("y_string_raw_three_bytes", "\"\xe2\x82\xac\""),
    CASE("y_string_raw_four_bytes", "\"\xf0\x9f\x98\x80\""),
    CASE("y_string_raw_u2028", "\"\xe2\x80\xa8\""),
    CASE("y_string_raw_u2029", "\"\xe2\x80\xa9\""),
    CASE("y_string_raw_noncharacter", "\"\xef\xbf\xbf\""),
    CASE("y_string_raw_u10FFFF", "\"\xf4\x8f\xbf\xbf\""),
    CASE("y_string_raw_private", "\"\xee\x80\x80\""),
    CASE("y_string_raw_bom_inside", "\"\xef\xbb\xbf\""),
    CASE("y_string_comment_inside", "\"a/*b*/c/*d//e\""),
    CASE("y_string_escaped_slash", "\"\\/\""),
    CASE("y_string_upper_hex", "\"\\u00E9\""),
    CASE("y_string_lower_hex", "\"\\u00e9\""),
    CASE("y_string_fifteen", "\"aaaaaaaaaaaaaaa\""),
    CASE("y_string_sixteen", "\"aaaaaaaaaaaaaaaa\""),
    CASE("y_string_seventeen", "\"aaaaaaaaaaaaaaaaa\""),
    CASE("y_string_escape_at_sixteen", "\"aaaaaaaaaaaaaaa\\n\""),
    CASE("y_string_escape_at_seventeen", "\"aaaaaaaaaaaaaaaa\\n\""),
    CASE("y_string_raw_at_sixteen", "\"aaaaaaaaaaaaaaa\xc3\xa9\""),
    CASE("y_string_long_mixed",
         "\"abc\xe2\x82\xac\\tabc\xe2\x82\xac\\tabc\xe2\x82\xac\\tabc\xe2\x82\xac\\tabc\xe2\x82\xac"
         "\\tabc\xe2\x82\xac\\tabc\xe2\x82\xac\\tabc\xe2\x82\xac\\tabc\xe2\x82\xac\\tabc\xe2\x82"
         "\xac\\tabc\xe2\x82\xac\\tabc\xe2\x82\xac\\tabc\xe2\x82\xac\\tabc\xe2\x82\xac\\tabc\xe2"
         "\x82\xac\\tabc\xe2\x82\xac\\tabc\xe2\x82\xac\\tabc\xe2\x82\xac\\tabc\xe2\x82\xac\\tabc"
         "\xe2\x82\xac\\t\""),
    CASE("y_string_quote_at_32", "\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\\\"\""),
    CASE("y_string_e000_d7ff", "\"\\ud7ff\\ue000\""),
    CASE("y_value_true", "true"),
    CASE("y_value_false", "false"),
    CASE("y_value_null", "null"),
    CASE("y_value_space_before", " true"),
    CASE("y_value_newline_after", "true\n"),
    CASE("y_value_number_space", "  1  "),
    CASE("y_value_string_alone", "\"x\""),
    CASE("y_nested_2_arrays", "[[]]"),
    CASE("y_nested_64_arrays", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]"
                               "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"),
    CASE("y_nested_128_arrays",
         "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
         "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
         "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"),
};

static const struct json_case refused[] = {
    CASE("n_array_double_comma", "[1,,2]"),
    CASE("n_array_leading_comma", "[,1]"),
    CASE("n_array_trailing_comma", "[1,]"),
    CASE("n_array_just_comma", "[,]"),
    CASE("n_array_unclosed", "[1"),
    CASE("n_array_unclosed_comma", "[1,"),
    CASE("n_array_unclosed_empty", "["),
    CASE("n_array_only_close", "]"),
    CASE("n_array_colon", "[\"a\":1]"),
    CASE("n_array_missing_comma", "[1 2]"),
    CASE("n_array_missing_comma_strings", "[\"a\" \"b\"]"),
    CASE("n_array_closed_twice", "[1]]"),
    CASE("n_array_closed_by_brace", "[1}"),
    CASE("n_array_comma_after", "[1],"),
    CASE("n_array_inner_missing_comma", "[3[4]]"),
    CASE("n_array_star", "[*]"),
    CASE("n_array_incomplete_word", "[tru]"),
    CASE("n_array_minus", "[-]"),
    CASE("n_array_newline_unclosed", "[1\n"),
    CASE("n_array_unclosed_nested", "[[1]"),
    CASE("n_array_vertical_tab", "[\x0b]"),
    CASE("n_array_form_feed", "[\x0c]"),
    CASE("n_array_nbsp", "[\xc2\xa0]"),
    CASE("n_array_two_values", "[] []"),
    CASE("n_array_number_and_comma_first", "[1,\n1\n,1"),
    CASE("n_array_double_colon", "[::]"),
    CASE("n_array_unclosed_with_object", "[{}"),
    CASE("n_object_unclosed", "{"),
    CASE("n_object_only_close", "}"),
    CASE("n_object_no_value", "{\"a\"}"),
    CASE("n_object_no_value_colon", "{\"a\":}"),
    CASE("n_object_no_colon", "{\"a\" 1}"),
    CASE("n_object_double_colon", "{\"a\"::1}"),
    CASE("n_object_comma_for_colon", "{\"a\",1}"),
    CASE("n_object_trailing_comma", "{\"a\":1,}"),
    CASE("n_object_trailing_commas", "{\"a\":1,,}"),
    CASE("n_object_leading_comma", "{,\"a\":1}"),
    CASE("n_object_single_quotes", "{'a':1}"),
    CASE("n_object_bare_key", "{a:1}"),
    CASE("n_object_number_key", "{1:1}"),
    CASE("n_object_null_key", "{null:1}"),
    CASE("n_object_array_key", "{[]:1}"),
    CASE("n_object_missing_comma", "{\"a\":1 \"b\":2}"),
    CASE("n_object_unclosed_value", "{\"a\":1"),
    CASE("n_object_unclosed_comma", "{\"a\":1,"),
    CASE("n_object_closed_by_bracket", "{\"a\":1]"),
    CASE("n_object_comment", "{\"a\":1}/**/"),
    CASE("n_object_line_comment", "{\"a\":1}//"),
    CASE("n_object_hash_comment", "{\"a\":1}#"),
    CASE("n_object_trailing", "{\"a\":1}#{}"),
    CASE("n_object_semicolon", "{\"a\":1;\"b\":2}"),
    CASE("n_object_key_unclosed", "{\"a"),
    CASE("n_object_key_bad_escape", "{\"\\x\":1}"),
    CASE("n_object_key_bad_utf8", "{\"\xff\":1}"),
    CASE("n_object_garbage_after", "{\"a\":true} \"x\""),
    CASE("n_object_two_objects", "{}{}"),
    CASE("n_object_value_missing_end", "{\"a\":\"b\",\"c\""),
    CASE("n_object_emoji_for_value", "{\"a\":\xf0\x9f\x98\x80}"),
    CASE("n_number_leading_zero", "01"),
    CASE("n_number_minus_leading_zero", "-01"),
    CASE("n_number_double_zero", "00"),
    CASE("n_number_plus", "+1"),
    CASE("n_number_double_minus", "--1"),
    CASE("n_number_minus_alone", "-"),
    CASE("n_number_dot_alone", "."),
    CASE("n_number_leading_dot", ".5"),
    CASE("n_number_minus_leading_dot", "-.5"),
    CASE("n_number_trailing_dot", "1."),
    CASE("n_number_minus_trailing_dot", "-1."),
    CASE("n_number_dot_e", "1.e1"),
    CASE("n_number_zero_dot_e", "0.e1"),
    CASE("n_number_e_alone", "e1"),
    CASE("n_number_no_exponent", "1e"),
    CASE("n_number_no_exponent_plus", "1e+"),
    CASE("n_number_no_exponent_minus", "1e-"),
    CASE("n_number_zero_no_exponent", "0e"),
    CASE("n_number_zero_E_plus", "0E+"),
    CASE("n_number_two_e", "1e1e1"),
    CASE("n_number_e_fraction", "1e1.5"),
    CASE("n_number_two_dots", "1.2.3"),
    CASE("n_number_hex", "0x1"),
    CASE("n_number_hex_upper", "0X1F"),
    CASE("n_number_octal", "0o7"),
    CASE("n_number_underscore", "1_000"),
    CASE("n_number_comma", "1,000"),
    CASE("n_number_space", "1 000"),
    CASE("n_number_letter_after", "1a"),
    CASE("n_number_letter_inside", "1a2"),
    CASE("n_number_NaN", "NaN"),
    CASE("n_number_minus_NaN", "-NaN"),
    CASE("n_number_nan", "nan"),
    CASE("n_number_Infinity", "Infinity"),
    CASE("n_number_minus_Infinity", "-Infinity"),
    CASE("n_number_inf", "inf"),
    CASE("n_number_full_width", "\xef\xbc\x91"),
    CASE("n_number_plus_inf", "+Inf"),
    CASE("n_number_minus_letter", "-a"),
    CASE("n_number_minus_space", "- 1"),
    CASE("n_number_e_space", "1 e1"),
    CASE("n_number_dot_space", "1. 5"),
    CASE("n_number_f_suffix", "1.0f"),
    CASE("n_number_long_trailing_dot", "123456789012345678901234567890."),
    CASE("n_number_long_no_exponent", "123456789012345678901234567890e"),
    CASE("n_number_nul", "1\x00"),
    CASE("n_number_invalid_utf8_after", "1\xe5"),
    CASE("n_string_unclosed", "\""),
    CASE("n_string_unclosed_text", "\"abc"),
    CASE("n_string_unclosed_escape", "\"\\"),
    CASE("n_string_unclosed_after_escape", "\"\\\""),
    CASE("n_string_single_quotes", "'a'"),
    CASE("n_string_bad_escape_x", "\"\\x00\""),
    CASE("n_string_bad_escape_a", "\"\\a\""),
    CASE("n_string_bad_escape_v", "\"\\v\""),
    CASE("n_string_bad_escape_0", "\"\\0\""),
    CASE("n_string_bad_escape_single_quote", "\"\\'\""),
    CASE("n_string_bad_escape_space", "\"\\ \""),
    CASE("n_string_bad_escape_newline", "\"\\\n\""),
    CASE("n_string_bad_escape_raw", "\"\\\xc3\xa9\""),
    CASE("n_string_upper_U", "\"\\U0041\""),
    CASE("n_string_u_three", "\"\\u004\""),
    CASE("n_string_u_none", "\"\\u\""),
    CASE("n_string_u_two", "\"\\u00"),
    CASE("n_string_u_letter", "\"\\u00G1\""),
    CASE("n_string_u_space", "\"\\u 041\""),
    CASE("n_string_u_plus", "\"\\u+041\""),
    CASE("n_string_raw_nul", "\"a\x00"
                             "b\""),
    CASE("n_string_raw_tab", "\"\t\""),
    CASE("n_string_raw_newline", "\"\n\""),
    CASE("n_string_raw_carriage_return", "\"\r\""),
    CASE("n_string_raw_1f", "\"\x1f\""),
    CASE("n_string_lone_high", "\"\\ud800\""),
    CASE("n_string_lone_high_text", "\"\\ud800abc\""),
    CASE("n_string_lone_low", "\"\\udc00\""),
    CASE("n_string_high_high", "\"\\ud800\\ud800\""),
    CASE("n_string_swapped", "\"\\udd1e\\uD834\""),
    CASE("n_string_high_then_plain_escape", "\"\\uD800\\n\""),
    CASE("n_string_high_then_short_u", "\"\\uD800\\u\""),
    CASE("n_string_high_then_u1", "\"\\uD800\\u1\""),
    CASE("n_string_high_then_bmp", "\"\\uD888\\u1234\""),
    CASE("n_string_invalid_ff", "\"\xff\""),
    CASE("n_string_invalid_fe", "\"\xfe\""),
    CASE("n_string_lone_continuation", "\"\x81\""),
    CASE("n_string_truncated_two", "\"\xc3\""),
    CASE("n_string_truncated_three", "\"\xe2\x82\""),
    CASE("n_string_truncated_four", "\"\xf0\x9f\x98\""),
    CASE("n_string_truncated_at_end", "\"\xe2\x82"),
    CASE("n_string_overlong_two", "\"\xc0\xaf\""),
    CASE("n_string_overlong_two_c1", "\"\xc1\xbf\""),
    CASE("n_string_overlong_three", "\"\xe0\x80\xaf\""),
    CASE("n_string_overlong_four", "\"\xf0\x80\x80\xaf\""),
    CASE("n_string_overlong_five", "\"\xf8\x80\x80\x80\xaf\""),
    CASE("n_string_encoded_surrogate_low_end", "\"\xed\xa0\x80\""),
    CASE("n_string_encoded_surrogate_high_end", "\"\xed\xbf\xbf\""),
    CASE("n_string_above_range", "\"\xf4\x90\x80\x80\""),
    CASE("n_string_f5", "\"\xf5\x80\x80\x80\""),
    CASE("n_string_iso_latin_1", "\"\xe9\""),
    CASE("n_string_two_bytes_then_ascii", "\"\xc3(\""),
    CASE("n_string_three_bytes_then_ascii", "\"\xe2\x82(\""),
    CASE("n_string_control_at_sixteen", "\"aaaaaaaaaaaaaaa\x01\""),
    CASE("n_string_control_at_seventeen", "\"aaaaaaaaaaaaaaaa\x01\""),
    CASE("n_string_invalid_at_sixteen", "\"aaaaaaaaaaaaaaa\xff\""),
    CASE("n_string_invalid_at_seventeen", "\"aaaaaaaaaaaaaaaa\xff\""),
    CASE("n_string_invalid_before_escape", "\"\xe2\x82\\n\""),
    CASE("n_string_backtick", "`a`"),
    CASE("n_string_bare", "abc"),
    CASE("n_string_two", "\"a\" \"b\""),
    CASE("n_string_garbage_after", "\"a\"x"),
    CASE("n_string_escaped_emoji", "\"\\\xf0\x9f\x8c\x80\""),
    CASE("n_value_empty", ""),
    CASE("n_value_space", " "),
    CASE("n_value_newlines", "\n\n"),
    CASE("n_value_bom", "\xef\xbb\xbf{}"),
    CASE("n_value_bom_alone", "\xef\xbb\xbf"),
    CASE("n_value_utf16le", "[\x00]\x00"),
    CASE("n_value_nul", "\x00"),
    CASE("n_value_nul_after", "{}\x00"),
    CASE("n_value_true_upper", "TRUE"),
    CASE("n_value_true_title", "True"),
    CASE("n_value_nul_word", "nul"),
    CASE("n_value_nulll", "nulll"),
    CASE("n_value_truefalse", "truefalse"),
    CASE("n_value_fals", "fals"),
    CASE("n_value_none", "None"),
    CASE("n_value_undefined", "undefined"),
    CASE("n_value_comma", ","),
    CASE("n_value_colon", ":"),
    CASE("n_value_comment_before", "/**/1"),
    CASE("n_value_angle", "<null>"),
    CASE("n_value_u2060", "\xe2\x81\xa0"),
    CASE("n_value_escape_alone", "\\u0061"),
    CASE("n_value_vertical_tab_before", "\x0b"
                                        "1"),
    CASE("n_value_ascii_bell", "\x07"),
    CASE("n_value_eof_in_word", "t"),
    CASE("n_value_asterisk", "*"),
    CASE("n_value_two_numbers", "1 2"),
    CASE("n_value_invalid_byte", "\xe5"),
    CASE("n_value_array_of_newline_string", "[\"\n\"]"),
    CASE("n_nested_129_arrays",
         "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
         "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
         "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"),
    CASE("n_nested_mixed_129",
         "[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{"
         "\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":"
         "[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{"
         "\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":"
         "[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{\"\":[{"
         "\"\":[{\"\":[]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}"
         "]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]"),
};

static int failures;

static void complain(const struct json_case *json, const char *what)
{
    print_error("%s: %s\n", json->name, what);
    failures++;
}

/* True if the text is taken in all ways, false if in none; another failure if they disagree. */
static bool is_taken(const struct json_case *json)
{
    chainsi_arena arena = { 0 };
    chains_json value;
    chainsi_codec_error error;
    /* At its exact size, so that asan sees reading beyond it. */
    char *text = malloc(json->size ? json->size : 1);
    assert_non_null(text);
    memcpy(text, json->text, json->size);
    bool checked = chainsi_json_check(text, json->size, &error) == CHAINS_OK;
    bool decoded = chainsi_json_decode(&chainsi_type_json, text, json->size, &arena, &value,
                                       &error) == CHAINS_OK;
    if (checked != decoded)
        complain(json, "check and decode disagree");
    if (!checked && (error.offset > json->size || !error.message[0]))
        complain(json, "the error has no place or message");
    chainsi_buffer pretty = { 0 };
    if ((chainsi_json_pretty(text, json->size, &pretty) == CHAINS_OK) != checked)
        complain(json, "check and pretty disagree");
    if (checked && chainsi_json_check((char *)pretty.data, pretty.size, NULL) != CHAINS_OK)
        complain(json, "pretty made something that isn't JSON");
    chainsi_buffer_done(&pretty);
    chainsi_arena_done(&arena);
    free(text);
    return checked;
}

static void test_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        const struct json_case *json = &taken[i];
        if (!is_taken(json)) {
            complain(json, "refused");
            continue;
        }
        chainsi_arena arena = { 0 };
        chainsi_buffer packed = { 0 }, again = { 0 };
        chains_json value = { json->text, json->size }, back;
        if (chainsi_msgpack_encode(&chainsi_type_json, &value, &packed, NULL) != CHAINS_OK ||
            chainsi_msgpack_decode(&chainsi_type_json, packed.data, packed.size, &arena, &back,
                                   NULL) != CHAINS_OK ||
            chainsi_msgpack_encode(&chainsi_type_json, &back, &again, NULL) != CHAINS_OK)
            complain(json, "doesn't go through MessagePack");
        else if (packed.size != again.size || memcmp(packed.data, again.data, again.size) != 0)
            complain(json, "is another value after MessagePack");
        chainsi_buffer_done(&packed);
        chainsi_buffer_done(&again);
        chainsi_arena_done(&arena);
    }
    assert_int_equal(failures, 0);
}

static void test_refused(void **state)
{
    (void)state;
    failures = 0;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (is_taken(&refused[i]))
            complain(&refused[i], "taken");
    assert_int_equal(failures, 0);
}

/* Every strict prefix of a document is refused, and nothing beyond it is read. */
static void test_prefixes(void **state)
{
    (void)state;
    static const char text[] =
        " {\"a\\u00e9\": [1, -2.5e+3, true, false, null, \"\\ud83d\\ude00\xc3\xa9\"], \"b\": {}}";
    failures = 0;
    for (size_t size = 0; size < sizeof text - 1; size++) {
        struct json_case prefix = { "prefix", text, size };
        if (is_taken(&prefix))
            complain(&prefix, "taken");
    }
    struct json_case whole = { "whole", text, sizeof text - 1 };
    if (!is_taken(&whole))
        complain(&whole, "refused");
    assert_int_equal(failures, 0);
}

static void test_nesting(void **state)
{
    (void)state;
    enum { OPEN = 100000 };
    char *open = malloc(OPEN);
    assert_non_null(open);
    memset(open, '[', OPEN);
    struct json_case deep = { "n_nested_open_100000", open, OPEN };
    assert_false(is_taken(&deep));
    /* Deeper than allowed: refused where the limit is passed, not at the end. */
    chainsi_codec_error error;
    assert_int_equal(chainsi_json_check(open, OPEN, &error), CHAINS_INVALID_ARGUMENT);
    assert_int_equal(error.offset, CHAINSI_MAX_DEPTH);
    for (size_t depth = CHAINSI_MAX_DEPTH - 1; depth <= CHAINSI_MAX_DEPTH + 1; depth++) {
        char text[2 * (CHAINSI_MAX_DEPTH + 1)];
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct json_case nested = { "nested", text, 2 * depth };
        assert_int_equal(is_taken(&nested), depth <= CHAINSI_MAX_DEPTH);
        char objects[6 * (CHAINSI_MAX_DEPTH + 1)];
        size_t size = 0;
        for (size_t i = 0; i < depth; i++)
            size += (size_t)sprintf(objects + size, i + 1 < depth ? "{\"\":" : "{}");
        for (size_t i = 1; i < depth; i++)
            objects[size++] = '}';
        nested = (struct json_case){ "nested objects", objects, size };
        assert_int_equal(is_taken(&nested), depth <= CHAINSI_MAX_DEPTH);
    }
    free(open);
}

/* i_: numbers beyond a double are JSON, but no doubles; too small ones are 0; a byte order mark, lone
 * surrogates and what isn't UTF-8 are refused (n_ above). */
static void test_decided_here(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_double;
        double value;
    } cases[] = {
        { "1e400", false, 0 },
        { "-1e400", false, 0 },
        { "1e99999999999999999999", false, 0 },
        { "-1e+99999999999999999999", false, 0 },
        { "1.7976931348623159e308", false, 0 },
        { "1.7976931348623157e308", true, 1.7976931348623157e308 },
        { "1.7976931348623158e308", true, 1.7976931348623157e308 },
        { "123e-10000000", true, 0 },
        { "1e-400", true, 0 },
        { "-1e-400", true, 0 },
        { "5e-324", true, 5e-324 },
        { "2.4703282292062327e-324", true, 0 },
        { "2.4703282292062328e-324", true, 5e-324 },
        { "0e99999999999999999999", true, 0 },
        { "123123123123123123123123123123", true, 123123123123123123123123123123.0 },
        { "-123123123123123123123123123123", true, -123123123123123123123123123123.0 },
        { "0.4e00669999999999999999999999999999999999999999999999999999999999999999999999999999"
          "999999999999999999999999999999999999999999999999999999999999999969999999006",
          false, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_arena arena = { 0 };
        chainsi_buffer packed = { 0 };
        double number = 17;
        size_t size = strlen(cases[i].text);
        assert_int_equal(chainsi_json_check(cases[i].text, size, NULL), CHAINS_OK);
        chains_status status =
            chainsi_json_decode(&chainsi_type_double, cases[i].text, size, &arena, &number, NULL);
        if ((status == CHAINS_OK) != cases[i].is_double ||
            number != (cases[i].is_double ? cases[i].value : 17))
            fail_msg("%s gives %d, %.17g", cases[i].text, status, number);
        /* So MessagePack can carry it in chains_json only if it is a double. */
        chains_json json = { cases[i].text, size };
        status = chainsi_msgpack_encode(&chainsi_type_json, &json, &packed, NULL);
        assert_int_equal(status == CHAINS_OK, cases[i].is_double);
        chainsi_buffer_done(&packed);
        chainsi_arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_prefixes),     cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_decided_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
