/* Names that are taken: a Chainlet `index` compiles alone, and fails as soon as its header meets
 * <strings.h>, or C++. And which name was meant by a misspelt one. */
#include "compiler/names_table.h"
#include "compiler/reader.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_NAME = 64 };

static const char *const c_keywords =
    " auto break case char const continue default do double else enum extern float for goto if "
    "inline"
    " int long register restrict return short signed sizeof static struct switch typedef union"
    " unsigned void volatile while asm typeof ";

static const char *const cxx_keywords =
    " alignas alignof and and_eq asm bitand bitor bool catch char16_t char32_t char8_t class "
    "co_await"
    " co_return co_yield compl concept consteval constexpr constinit const_cast decltype delete"
    " dynamic_cast explicit export false friend mutable namespace new noexcept not not_eq nullptr"
    " operator or or_eq private protected public reinterpret_cast requires static_assert "
    "static_cast"
    " template this thread_local throw true try typeid typename using virtual wchar_t xor xor_eq"
    " std ";

/* Is the word in a text of words that each have a space before and behind? */
static bool has_word(const char *words, const char *word)
{
    size_t size = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += size)
        if (at > words && at[-1] == ' ' && at[size] == ' ')
            return true;
    return false;
}

const char *chainsi_names_taken(const char *name)
{
    if (!*name || strlen(name) > MAX_NAME)
        return NULL;
    if (has_word(c_keywords, name))
        return "a keyword of C";
    if (has_word(cxx_keywords, name))
        return strcmp(name, "std") == 0 ? "C++'s namespace" : "a keyword of C++";
    for (size_t i = 0; i < sizeof chainsi_names_table / sizeof *chainsi_names_table; i++)
        if (has_word(chainsi_names_table[i].names, name))
            return chainsi_names_table[i].header;
    return NULL;
}

bool chainsi_names_keyword(const char *name)
{
    return has_word(cxx_keywords, name) && strcmp(name, "std") != 0;
}

/* How many characters must be changed, added or taken away to get from a to b; neighbours that are
 * swapped count as one. */
static size_t measure_distance(const char *a, const char *b)
{
    size_t a_size = strlen(a), b_size = strlen(b);
    size_t rows[3][MAX_NAME + 1];
    if (a_size > MAX_NAME || b_size > MAX_NAME)
        return SIZE_MAX;
    for (size_t k = 0; k <= b_size; k++)
        rows[0][k] = k;
    for (size_t i = 1; i <= a_size; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t k = 1; k <= b_size; k++) {
            size_t best = above[k - 1] + (a[i - 1] != b[k - 1]);
            if (above[k] + 1 < best)
                best = above[k] + 1;
            if (row[k - 1] + 1 < best)
                best = row[k - 1] + 1;
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] &&
                before[k - 2] + 1 < best)
                best = before[k - 2] + 1;
            row[k] = best;
        }
    }
    return rows[a_size % 3][b_size];
}

const char *chainsi_names_nearest(const char *name, const char *const *candidates, size_t count)
{
    const char *nearest = NULL;
    size_t least = strlen(name) / 3 + 2; /* more than that is another word */
    for (size_t i = 0; i < count; i++) {
        size_t distance = measure_distance(name, candidates[i]);
        if (distance < least) {
            least = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}
