/* Graphs as text, dot and SVG. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/picture.h"

enum { MOST = 64 };

/* A graph of boxes named by letters, from "ab ac bd cd": each word is an arrow. */
typedef struct graph {
    chainsi_picture picture;
    chainsi_picture_box boxes[26];
    char names[26][2];
    chainsi_layout_arrow arrows[MOST];
    const char *labels[MOST];
} graph;

static graph *make(const char *text)
{
    static graph it;
    it = (graph){ .picture = {
                      .boxes = it.boxes, .arrows = it.arrows, .labels = it.labels, .root = 0 } };
    for (; *text; text += text[2] ? 3 : 2) {
        for (int i = 0; i < 2; i++) {
            const size_t box = (size_t)(text[i] - 'a');
            it.picture.box_count = box >= it.picture.box_count ? box + 1 : it.picture.box_count;
        }
        it.arrows[it.picture.arrow_count++] =
            (chainsi_layout_arrow){ (size_t)(text[0] - 'a'), (size_t)(text[1] - 'a') };
    }
    for (size_t i = 0; i < it.picture.box_count; i++) {
        it.names[i][0] = (char)('a' + i);
        it.boxes[i].name = it.names[i];
    }
    return &it;
}

static void assert_drawn(const graph *it, const chainsi_picture_style *style, const char *expected)
{
    chainsi_buffer out = { 0 };
    assert_true(chainsi_picture_text(&it->picture, style, &out));
    chainsi_buffer_add_byte(&out, 0);
    assert_string_equal((const char *)out.data, expected);
    chainsi_buffer_done(&out);
}

static const chainsi_picture_style fancy = { .unicode = true };

static void shapes(void **state)
{
    (void)state;
    assert_drawn(make("ab"), &fancy,
                 "┌───┐\n"
                 "│ a │\n"
                 "└─┬─┘\n"
                 "  │\n"
                 "  ▼\n"
                 "┌───┐\n"
                 "│ b │\n"
                 "└───┘\n");
    assert_drawn(make("ab ac bd cd"), &fancy,
                 "    ┌───┐\n"
                 "    │ a │\n"
                 "    └─┬─┘\n"
                 "  ┌───┴───┐\n"
                 "  ▼       ▼\n"
                 "┌───┐   ┌───┐\n"
                 "│ b │   │ c │\n"
                 "└─┬─┘   └─┬─┘\n"
                 "  └─┐ ┌───┘\n"
                 "    ▼ ▼\n"
                 "   ┌────┐\n"
                 "   │ d  │\n"
                 "   └────┘\n");
    assert_drawn(make("ab bc ac"), &fancy,
                 "   ┌───┐\n"
                 "   │ a │\n"
                 "   └─┬─┘\n"
                 "  ┌──┴──┐\n"
                 "  ▼     │\n"
                 "┌───┐   │\n"
                 "│ b │   │\n"
                 "└─┬─┘   │\n"
                 "  └┐ ┌──┘\n"
                 "   ▼ ▼\n"
                 "  ┌────┐\n"
                 "  │ c  │\n"
                 "  └────┘\n");
    assert_drawn(make("ad ae af bd be bf cd ce cf"), &fancy,
                 "     ┌───┐   ┌───┐   ┌───┐\n"
                 "     │ a │   │ b │   │ c │\n"
                 "     └─┬─┘   └─┬─┘   └─┬─┘\n"
                 " ┌─────┴────┬──┼───────┼┐\n"
                 " │ ┌────────┼──┼───────┼┼┐\n"
                 " │ │ ┌──────┼──┼┬──────┤││\n"
                 " ▼ ▼ ▼      ▼  ▼▼      ▼▼▼\n"
                 "┌──────┐   ┌──────┐   ┌──────┐\n"
                 "│  d   │   │  e   │   │  f   │\n"
                 "└──────┘   └──────┘   └──────┘\n");
    assert_drawn(make("ab ac ad ae af ag ah bi ci di ei fi gi hi"), &fancy,
                 "                        ┌───┐\n"
                 "                        │ a │\n"
                 "                        └─┬─┘\n"
                 "  ┌───────┬───────┬───────┼───────┬───────┬───────┐\n"
                 "  ▼       ▼       ▼       ▼       ▼       ▼       ▼\n"
                 "┌───┐   ┌───┐   ┌───┐   ┌───┐   ┌───┐   ┌───┐   ┌───┐\n"
                 "│ b │   │ c │   │ d │   │ e │   │ f │   │ g │   │ h │\n"
                 "└─┬─┘   └─┬─┘   └─┬─┘   └─┬─┘   └─┬─┘   └─┬─┘   └─┬─┘\n"
                 "  └───────┼───────┼┐      │┌──────┘       │       │\n"
                 "          └───────┼┼─┐    ││ ┌────────────┘       │\n"
                 "                  └┼─┼─┐  ││ │ ┌──────────────────┘\n"
                 "                   ▼ ▼ ▼  ▼▼ ▼ ▼\n"
                 "                  ┌──────────────┐\n"
                 "                  │      i       │\n"
                 "                  └──────────────┘\n");
    assert_drawn(make("ab bc cd de ae ad"), &fancy,
                 "     ┌───┐\n"
                 "     │ a │\n"
                 "     └─┬─┘\n"
                 "  ┌────┴┬───┐\n"
                 "  ▼     │   │\n"
                 "┌───┐   │   │\n"
                 "│ b │   │   │\n"
                 "└─┬─┘   │   │\n"
                 "  │     │   │\n"
                 "  ▼     │   │\n"
                 "┌───┐   │   │\n"
                 "│ c │   │   │\n"
                 "└─┬─┘   │   │\n"
                 "  └┐ ┌──┘   │\n"
                 "   ▼ ▼      │\n"
                 "  ┌────┐    │\n"
                 "  │ d  │    │\n"
                 "  └──┬─┘    │\n"
                 "     └─┐ ┌──┘\n"
                 "       ▼ ▼\n"
                 "      ┌────┐\n"
                 "      │ e  │\n"
                 "      └────┘\n");
    assert_drawn(make("ab ac bd be cf cg dh eh fi gi hj ij aj ai"), &fancy,
                 "                     ┌───┐\n"
                 "                     │ a │\n"
                 "                     └─┬─┘\n"
                 "             ┌───────┬─┴───┬───┐\n"
                 "             ▼       ▼     │   │\n"
                 "           ┌───┐   ┌───┐   │   │\n"
                 "           │ b │   │ c │   │   │\n"
                 "           └─┬─┘   └─┬─┘   │   │\n"
                 "  ┌───────┬──┘    ┌──┴────┐│   └────┐\n"
                 "  │       │       │       │└────┐   │\n"
                 "  ▼       ▼       ▼       ▼     │   │\n"
                 "┌───┐   ┌───┐   ┌───┐   ┌───┐   │   │\n"
                 "│ d │   │ e │   │ f │   │ g │   │   │\n"
                 "└─┬─┘   └─┬─┘   └─┬─┘   └─┬─┘   │   │\n"
                 "  └─┐ ┌───┘       └───┐   │┌────┘   │\n"
                 "    ▼ ▼               ▼   ▼▼        │\n"
                 "   ┌────┐            ┌──────┐       │\n"
                 "   │ h  │            │  i   │       │\n"
                 "   └──┬─┘            └───┬──┘       │\n"
                 "      └────────────┐ ┌───┘          │\n"
                 "                   │ │ ┌────────────┘\n"
                 "                   ▼ ▼ ▼\n"
                 "                  ┌──────┐\n"
                 "                  │  j   │\n"
                 "                  └──────┘\n");
    assert_drawn(make("ab cd"), &fancy,
                 "┌───┐   ┌───┐\n"
                 "│ a │   │ c │\n"
                 "└─┬─┘   └─┬─┘\n"
                 "  │       │\n"
                 "  ▼       ▼\n"
                 "┌───┐   ┌───┐\n"
                 "│ b │   │ d │\n"
                 "└───┘   └───┘\n");
}

static void sideways(void **state)
{
    (void)state;
    assert_drawn(make("ab ac ad ae be ce"),
                 &(chainsi_picture_style){ .columns = 24, .unicode = true },
                 "        ┌───┐\n"
                 "      ┌▶│ b ├─┐\n"
                 "      │ └───┘ │\n"
                 "      │       │\n"
                 "      │ ┌───┐ │  ┌───┐\n"
                 "      ├▶│ c ├─┼─▶│   │\n"
                 "┌───┐ │ └───┘ │┌▶│ e │\n"
                 "│ a ├─┤       └┼▶│   │\n"
                 "└───┘ │ ┌───┐  │ └───┘\n"
                 "      ├▶│ d │  │\n"
                 "      │ └───┘  │\n"
                 "      │        │\n"
                 "      └────────┘\n");
}

/* One with all that can be said of boxes and arrows, by somebody who means harm. */
static graph *make_hostile(void)
{
    graph *it = make("ab ac");
    it->picture.title = "<script>\"\x1b[2J";
    it->boxes[0].note = "entrypoint";
    it->boxes[0].lines[0] = "entrypoint";
    it->boxes[1] = (chainsi_picture_box){ .name = "</text><script>alert(1)</script>",
                                          .lines = { "ready, \"1\" of \\1", "\x1b]0;title\x07" },
                                          .mood = CHAINSI_PICTURE_BAD };
    it->boxes[2] = (chainsi_picture_box){ .name = "\xe6\x97\xa5\xe6\x9c\xac",
                                          .details = "() -> nothing\nat all",
                                          .note = "external: http://x/?a&b",
                                          .outside = true };
    it->labels[0] = "retries 2\r, & <b>";
    return it;
}

static void words_are_only_shown(void **state)
{
    (void)state;
    assert_drawn(make_hostile(), &(chainsi_picture_style){ .color = true, .columns = 60 },
                 "                       +------------+\n"
                 "                       |     \x1b[1ma\x1b[0m      |\n"
                 "                       | entrypoint |\n"
                 "                       +------+-----+\n"
                 "                              +------------+\n"
                 "                              v            v\n"
                 "+----------------------------------+   +------+\n"
                 "| \x1b[1m</text><script>alert(1)</script>\x1b[0m |   | \x1b[1m日本\x1b[0m |\n"
                 "|         \x1b[31mready, \"1\" of \\1\x1b[0m         |   +------+\n"
                 "|         \\x1b]0;title\\x07         |\n"
                 "+----------------------------------+\n"
                 "\n"
                 "a -> </text><script>alert(1)</script>  retries 2\\x0d, & <b>\n");
    assert_false(chainsi_picture_text(&make_hostile()->picture,
                                      &(chainsi_picture_style){ .columns = 20 },
                                      &(chainsi_buffer){ 0 }));
}

static void assert_form(void (*write)(const chainsi_picture *, chainsi_buffer *), const graph *it,
                        const char *expected)
{
    chainsi_buffer out = { 0 };
    write(&it->picture, &out);
    chainsi_buffer_add_byte(&out, 0);
    assert_string_equal((const char *)out.data, expected);
    chainsi_buffer_done(&out);
}

static void write_tree(const chainsi_picture *picture, chainsi_buffer *out)
{
    chainsi_picture_tree(picture, &fancy, out);
}

static void trees(void **state)
{
    (void)state;
    assert_form(write_tree, make("ab bc ac de"),
                "a\n"
                "├─ b\n"
                "│  └─ c\n"
                "└─ c (see above)\n"
                "e\n"
                "d\n"
                "└─ e (see above)\n");
    assert_form(write_tree, make_hostile(),
                "a (entrypoint)\n"
                "│  entrypoint\n"
                "├─ </text><script>alert(1)</script>, retries 2\\x0d, & <b>\n"
                "│     ready, \"1\" of \\1, \\x1b]0;title\\x07\n"
                "└─ 日本 (external: http://x/?a&b)\n"
                "      () -> nothing\\nat all\n");
    graph *rootless = make("ab");
    rootless->picture.root = SIZE_MAX;
    assert_form(write_tree, rootless,
                "b\n"
                "a\n"
                "└─ b (see above)\n");
}

static void dot(void **state)
{
    (void)state;
    assert_form(
        chainsi_picture_dot, make_hostile(),
        "digraph \"<script>\\\"\\\\x1b[2J\" {\n"
        "  node [shape=box];\n"
        "  \"a\" [label=\"a\\nentrypoint\", color=black];\n"
        "  \"</text><script>alert(1)</script>\" [label=\"</text><script>alert(1)</script>\\nready, "
        "\\\"1\\\" of \\\\1\\n\\\\x1b]0;title\\\\x07\", color=red];\n"
        "  \"日本\" [label=\"日本\", color=black, style=dashed];\n"
        "  \"a\" -> \"</text><script>alert(1)</script>\" [label=\"retries 2\\\\x0d, & <b>\"];\n"
        "  \"a\" -> \"日本\";\n"
        "}\n");
}

/* Each character that means something to XML is an escape, and control characters are text. */
static void svg(void **state)
{
    (void)state;
    chainsi_buffer out = { 0 };
    chainsi_picture_svg(&make_hostile()->picture, &out);
    chainsi_buffer_add_byte(&out, 0);
    const char *text = (const char *)out.data;
    assert_non_null(strstr(text, "<title>&#60;script&#62;&#34;\\x1b[2J</title>"));
    assert_non_null(
        strstr(text, ">&#60;/text&#62;&#60;script&#62;alert(1)&#60;/script&#62;</text>"));
    assert_non_null(strstr(text, ">retries 2\\x0d</text>"));
    assert_non_null(strstr(text, ">&#38; &#60;b&#62;</text>"));
    assert_non_null(strstr(text, "class=\"bad\""));
    assert_non_null(strstr(text, "class=\" outside\""));
    assert_null(strstr(text, "<script"));
    assert_null(strstr(text, "\x1b"));
    chainsi_buffer_done(&out);
}

static void an_empty_one(void **state)
{
    (void)state;
    graph *it = make("");
    chainsi_buffer out = { 0 };
    it->picture.root = SIZE_MAX;
    assert_true(chainsi_picture_text(&it->picture, &fancy, &out));
    assert_int_equal(out.size, 0);
    chainsi_picture_svg(&it->picture, &out);
    chainsi_picture_dot(&it->picture, &out);
    chainsi_buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(sideways),
        cmocka_unit_test(words_are_only_shown),
        cmocka_unit_test(trees),
        cmocka_unit_test(dot),
        cmocka_unit_test(svg),
        cmocka_unit_test(an_empty_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
