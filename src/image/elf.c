/* ELF by its program headers alone, as the dynamic linker sees it: sections may be stripped. */
#include "image/elf.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ORDER ELFDATA2LSB
#else
#define ORDER ELFDATA2MSB
#endif

typedef struct elf_reader {
    int fd;
    chainsi_arena *arena;
    Elf64_Phdr *segments;
    size_t segment_count;
} elf_reader;

static bool read_at(const elf_reader *reader, void *out, size_t size, uint64_t offset)
{
    if (offset > INT64_MAX - size)
        return false;
    for (uint8_t *at = out; size;) {
        ssize_t got = pread(reader->fd, at, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return true;
}

/* Where in the file an address is that the program would have. */
static bool find_offset(const elf_reader *reader, uint64_t address, uint64_t *offset,
                        uint64_t *room)
{
    for (size_t i = 0; i < reader->segment_count; i++) {
        const Elf64_Phdr *segment = &reader->segments[i];
        if (segment->p_type == PT_LOAD && address >= segment->p_vaddr &&
            address - segment->p_vaddr < segment->p_filesz) {
            uint64_t into = address - segment->p_vaddr;
            if (segment->p_offset > UINT64_MAX - into)
                return false;
            *offset = segment->p_offset + into;
            *room = segment->p_filesz - into;
            return true;
        }
    }
    return false;
}

static const Elf64_Phdr *find_segment(const elf_reader *reader, uint32_t type)
{
    for (size_t i = 0; i < reader->segment_count; i++)
        if (reader->segments[i].p_type == type)
            return &reader->segments[i];
    return NULL;
}

typedef struct text_table {
    uint64_t offset, size; /* in the file */
} text_table;

static const char *get_text(const elf_reader *reader, const text_table *texts, uint64_t at)
{
    enum { MAX = 4096 };
    char text[MAX];
    if (at >= texts->size)
        return NULL;
    size_t room = texts->size - at < MAX ? (size_t)(texts->size - at) : MAX;
    if (!read_at(reader, text, room, texts->offset + at) || !memchr(text, 0, room))
        return NULL;
    return chainsi_arena_strdup(reader->arena, text);
}

/* Adds a version; the list doubles where it is full. */
static bool add_version(const elf_reader *reader, chainsi_elf *elf, const char *library,
                        const char *name)
{
    size_t count = elf->version_count;
    if (!name || count == CHAINSI_ELF_MAX_VERSIONS)
        return false;
    if (!(count & (count - 1))) {
        chainsi_elf_version *more =
            chainsi_arena_array(reader->arena, count ? 2 * count : 1, sizeof *more);
        if (count)
            memcpy(more, elf->versions, count * sizeof *more);
        elf->versions = more;
    }
    elf->versions[elf->version_count++] = (chainsi_elf_version){ library, name };
    return true;
}

static bool read_needs(const elf_reader *reader, const text_table *table, uint64_t at,
                       chainsi_elf *elf)
{
    Elf64_Verneed need;
    size_t steps = 0; /* entries may name places so near that there is no end of them */
    do {
        Elf64_Vernaux one;
        if (!read_at(reader, &need, sizeof need, at))
            return false;
        steps += 1u + need.vn_cnt;
        if (steps > CHAINSI_ELF_MAX_VERSIONS)
            return false;
        const char *library = get_text(reader, table, need.vn_file);
        uint64_t place = at + need.vn_aux;
        for (unsigned i = 0; library && i < need.vn_cnt; i++, place += one.vna_next)
            if (!read_at(reader, &one, sizeof one, place) ||
                (!(one.vna_flags & VER_FLG_WEAK) &&
                 !add_version(reader, elf, library, get_text(reader, table, one.vna_name))))
                return false;
        at += need.vn_next;
    } while (need.vn_next);
    return true;
}

static bool read_definitions(const elf_reader *reader, const text_table *table, uint64_t at,
                             chainsi_elf *elf)
{
    Elf64_Verdef definition;
    do {
        Elf64_Verdaux name;
        if (!read_at(reader, &definition, sizeof definition, at) ||
            !read_at(reader, &name, sizeof name, at + definition.vd_aux) ||
            !add_version(reader, elf, NULL, get_text(reader, table, name.vda_name)))
            return false;
        at += definition.vd_next;
    } while (definition.vd_next);
    return true;
}

static bool read_dynamic(const elf_reader *reader, chainsi_elf *elf)
{
    const Elf64_Phdr *segment = find_segment(reader, PT_DYNAMIC);
    if (!segment)
        return true; /* a static program */
    if (segment->p_filesz > CHAINSI_ELF_MAX_DYNAMIC)
        return false;
    size_t count = (size_t)(segment->p_filesz / sizeof(Elf64_Dyn));
    Elf64_Dyn *entries = chainsi_arena_array(reader->arena, count + 1, sizeof *entries);
    if (!read_at(reader, entries, count * sizeof *entries, segment->p_offset))
        return false;
    uint64_t address = 0, size = 0, room = 0, needs = 0, definitions = 0, place_of = 0;
    for (size_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++) {
        if (entries[i].d_tag == DT_STRTAB)
            address = entries[i].d_un.d_ptr;
        else if (entries[i].d_tag == DT_STRSZ)
            size = entries[i].d_un.d_val;
        else if (entries[i].d_tag == DT_VERNEED)
            needs = entries[i].d_un.d_ptr;
        else if (entries[i].d_tag == DT_VERDEF)
            definitions = entries[i].d_un.d_ptr;
    }
    text_table texts = { 0 };
    if (!size)
        return true;
    if (size > CHAINSI_ELF_MAX_TEXTS || !find_offset(reader, address, &texts.offset, &room) ||
        size > room)
        return false;
    texts.size = size;
    elf->needed = chainsi_arena_array(reader->arena, CHAINSI_ELF_MAX_NEEDED, sizeof *elf->needed);
    for (size_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++) {
        const char **place;
        switch (entries[i].d_tag) {
        case DT_NEEDED:
            if (elf->needed_count == CHAINSI_ELF_MAX_NEEDED)
                return false;
            place = &elf->needed[elf->needed_count++];
            break;
        case DT_RPATH:
            place = &elf->rpath;
            break;
        case DT_RUNPATH:
            place = &elf->runpath;
            break;
        case DT_SONAME:
            place = &elf->soname;
            break;
        default:
            continue;
        }
        *place = get_text(reader, &texts, entries[i].d_un.d_val);
        if (!*place)
            return false;
    }
    return (!needs || (find_offset(reader, needs, &place_of, &room) &&
                       read_needs(reader, &texts, place_of, elf))) &&
           (!definitions || (find_offset(reader, definitions, &place_of, &room) &&
                             read_definitions(reader, &texts, place_of, elf)));
}

static bool read_interpreter(const elf_reader *reader, chainsi_elf *elf)
{
    const Elf64_Phdr *segment = find_segment(reader, PT_INTERP);
    if (!segment)
        return true;
    text_table texts = { segment->p_offset, segment->p_filesz };
    elf->interpreter = get_text(reader, &texts, 0);
    return elf->interpreter != NULL;
}

/* Notes say what a file would like; one that has damaged ones runs as well. */
static void read_notes(const elf_reader *reader, chainsi_elf *elf)
{
    for (size_t i = 0; i < reader->segment_count; i++) {
        const Elf64_Phdr *segment = &reader->segments[i];
        if (segment->p_type != PT_NOTE || segment->p_filesz > CHAINSI_LATE_MAX_NOTES)
            continue;
        const size_t size = (size_t)segment->p_filesz;
        uint8_t *data = chainsi_arena_alloc(reader->arena, size);
        if (read_at(reader, data, size, segment->p_offset))
            chainsi_lates_read(data, size, segment->p_align == 8 ? 8 : 4, reader->arena,
                               &elf->lates);
    }
}

static chainsi_elf_status read_all(elf_reader *reader, chainsi_elf *elf)
{
    Elf64_Ehdr header;
    if (!read_at(reader, &header, sizeof header, 0) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_ident[EI_DATA] != ORDER)
        return CHAINSI_ELF_OTHER;
    if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > CHAINSI_ELF_MAX_SEGMENTS)
        return CHAINSI_ELF_BROKEN;
    chainsi_elf found = { .machine = header.e_machine };
    reader->segment_count = header.e_phnum;
    reader->segments =
        chainsi_arena_array(reader->arena, header.e_phnum + 1u, sizeof *reader->segments);
    if (!read_at(reader, reader->segments, header.e_phnum * sizeof *reader->segments,
                 header.e_phoff) ||
        !read_interpreter(reader, &found) || !read_dynamic(reader, &found))
        return CHAINSI_ELF_BROKEN;
    read_notes(reader, &found);
    *elf = found;
    return CHAINSI_ELF_OK;
}

chainsi_elf_status chainsi_elf_read(const char *path, chainsi_arena *arena, chainsi_elf *elf)
{
    elf_reader reader = { .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), .arena = arena };
    if (reader.fd < 0)
        return CHAINSI_ELF_UNREADABLE;
    chainsi_elf_status status = read_all(&reader, elf);
    close(reader.fd);
    return status;
}
