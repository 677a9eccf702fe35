/* Doc comments. They are looked for in the text of the header rather than asked of clang, because
 * clang loses those of declarations that a macro makes. */
#include "compiler/reader.h"

#include <ctype.h>
#include <string.h>

/* The words of a block comment's inside, or of lines that begin with "///", line by line: without
 * stars, slashes and the white space around. */
static const char *clean(chainsi_reader *reader, const char *begin, const char *end)
{
    char *text = chainsi_arena_alloc(reader->arena, (size_t)(end - begin) + 1);
    size_t size = 0;
    while (begin < end) {
        const char *line_end = memchr(begin, '\n', (size_t)(end - begin));
        if (!line_end)
            line_end = end;
        const char *next = line_end < end ? line_end + 1 : end;
        while (begin < line_end && isspace((unsigned char)*begin))
            begin++;
        if (line_end - begin >= 3 && !strncmp(begin, "//", 2) &&
            (begin[2] == '/' || begin[2] == '!'))
            begin += begin + 3 < line_end && begin[3] == '<' ? 4 : 3;
        else
            while (begin < line_end && *begin == '*')
                begin++;
        while (begin < line_end && isspace((unsigned char)*begin))
            begin++;
        while (line_end > begin && isspace((unsigned char)line_end[-1]))
            line_end--;
        if (size)
            text[size++] = '\n';
        memcpy(text + size, begin, (size_t)(line_end - begin));
        size += (size_t)(line_end - begin);
        begin = next;
    }
    text[size] = '\0';
    return text;
}

static bool opens_doc(const char *at, bool after)
{
    if (at[0] != '/' || (at[1] != '*' && at[1] != '/'))
        return false;
    if (at[2] != '!' && at[2] != at[1])
        return false;
    if (at[1] == '*' && at[2] == '*' && at[3] == '/')
        return false; /* an empty comment */
    return (at[3] == '<') == after;
}

/* The beginning of the line that the text before `at` ends in. */
static const char *line_start(const char *text, const char *at)
{
    while (at > text && at[-1] != '\n')
        at--;
    return at;
}

const char *chainsi_comment_before(chainsi_reader *reader, size_t header, unsigned offset)
{
    if (header == CHAINSI_NO_HEADER)
        return NULL;
    const char *text = reader->headers.items[header].text;
    const char *end = text + offset;
    while (end > text && isspace((unsigned char)end[-1]))
        end--;
    if (end - text >= 5 && end[-1] == '/' && end[-2] == '*') {
        const char *begin = end - 3;
        while (begin > text && !(begin[0] == '/' && begin[1] == '*'))
            begin--;
        return opens_doc(begin, false) ? clean(reader, begin + 3, end - 2) : NULL;
    }
    const char *begin = end;
    for (const char *line = line_start(text, end);; line = line_start(text, line - 1)) {
        const char *word = line + strspn(line, " \t");
        if (word >= end || word[1] != '/' || !opens_doc(word, false))
            break;
        begin = word;
        if (line == text)
            break;
    }
    return begin < end ? clean(reader, begin, end) : NULL;
}

static const char *read_after(chainsi_reader *reader, const char *at)
{
    if (!opens_doc(at, true))
        return NULL;
    if (at[1] == '*') {
        const char *end = strstr(at + 4, "*/");
        return end ? clean(reader, at + 4, end) : NULL;
    }
    const char *end = at;
    while (*end == '/') { /* all lines of it */
        const char *line_end = end + strcspn(end, "\n");
        const char *next = line_end + strspn(line_end, " \t\n");
        end = line_end;
        if (!opens_doc(next, true) || next[1] != '/')
            break;
        end = next;
    }
    return clean(reader, at, end);
}

const char *chainsi_comment_after(chainsi_reader *reader, size_t header, unsigned end)
{
    if (header == CHAINSI_NO_HEADER)
        return NULL;
    int depth = 0;
    for (const char *at = reader->headers.items[header].text + end; *at; at++) {
        const char *found = read_after(reader, at);
        if (found)
            return found;
        if (at[0] == '/' && at[1] == '*') {
            const char *close = strstr(at + 2, "*/");
            if (!close)
                return NULL;
            at = close + 1;
        } else if (at[0] == '/' && at[1] == '/') {
            at += strcspn(at, "\n") - 1;
        } else if (*at == '"' || *at == '\'') {
            char quote = *at++;
            while (*at && *at != quote)
                at += at[0] == '\\' && at[1] ? 2 : 1;
            if (!*at)
                return NULL;
        } else if (strchr("([{", *at)) {
            depth++;
        } else if (strchr(")]}", *at)) {
            if (depth-- == 0)
                return NULL;
        } else if ((*at == ';' || *at == ',') && depth == 0) {
            at++;
            at += strspn(at, " \t\r\n");
            return read_after(reader, at);
        }
    }
    return NULL;
}

static bool is_command(const char *line)
{
    return (*line == '@' || *line == '\\') && isalpha((unsigned char)line[1]);
}

static bool is_word_end(char c)
{
    return !c || isspace((unsigned char)c);
}

/* Appends lines from `at` on, until a command or the end, to a text: joined by spaces, paragraphs by
 * an empty line. one: only the first paragraph. */
static const char *join_lines(chainsi_reader *reader, const char *at, bool one)
{
    char *text = chainsi_arena_alloc(reader->arena, strlen(at) * 2 + 1);
    size_t size = 0;
    bool paragraph = false;
    for (bool first = true; *at; first = false) {
        size_t length = strcspn(at, "\n");
        if (!first && is_command(at))
            break;
        if (!length && one && size)
            break;
        paragraph |= !length;
        if (length) {
            if (size) {
                memcpy(text + size, "\n\n", 2);
                if (!paragraph)
                    text[size] = ' ';
                size += paragraph ? 2 : 1;
            }
            memcpy(text + size, at, length);
            size += length;
            paragraph = false;
        }
        at += length + (at[length] == '\n');
    }
    text[size] = '\0';
    return size ? text : NULL;
}

const char *chainsi_comment_summary(chainsi_reader *reader, const char *comment)
{
    if (!comment)
        return NULL;
    comment += strspn(comment, " \n");
    for (int i = 0; i < 2; i++) { /* "@brief text" says nothing more than "text" */
        static const char *const words[] = { "brief", "short" };
        size_t size = strlen(words[i]);
        if (is_command(comment) && !strncmp(comment + 1, words[i], size) &&
            is_word_end(comment[1 + size]))
            comment += 1 + size + strspn(comment + 1 + size, " \t");
    }
    return is_command(comment) ? NULL : join_lines(reader, comment, false);
}

/* Behind "@param name" of the line, with the name; NULL if the line is none. */
static const char *read_parameter(const char *line, const char **name, size_t *name_size)
{
    if (!is_command(line) || strncmp(line + 1, "param", 5))
        return NULL;
    line += 6;
    if (*line == '[')
        line += strcspn(line, "]\n") + (line[strcspn(line, "]\n")] == ']');
    if (*line != ' ' && *line != '\t')
        return NULL;
    line += strspn(line, " \t");
    *name = line;
    *name_size = strcspn(line, " \t\n:");
    line += *name_size;
    line += *line == ':';
    return line + strspn(line, " \t");
}

const char *chainsi_comment_parameter(chainsi_reader *reader, const char *comment, const char *name)
{
    for (const char *line = comment; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *word;
        size_t size;
        const char *text = read_parameter(line, &word, &size);
        if (text && strlen(name) == size && !memcmp(name, word, size))
            return join_lines(reader, text, true);
    }
    return NULL;
}

const char *chainsi_comment_parameter_name(chainsi_reader *reader, const char *comment, size_t i)
{
    for (const char *line = comment; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *word;
        size_t size;
        if (read_parameter(line, &word, &size) && i-- == 0)
            return chainsi_arena_copy(reader->arena, word, size);
    }
    return NULL;
}
