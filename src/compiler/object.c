/* Reads the symbol table of a relocatable object. Offsets in the file are checked before use, as a
 * file may be cut short. */
#include "compiler/object.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fits(size_t size, uint64_t offset, uint64_t length)
{
    return offset <= size && length <= size - offset;
}

static bool read_table(chainsi_symbols *symbols, const uint8_t *file, size_t size,
                       const Elf64_Shdr *table, const Elf64_Shdr *texts, chainsi_arena *arena)
{
    if (!fits(size, table->sh_offset, table->sh_size) ||
        !fits(size, texts->sh_offset, texts->sh_size) || !texts->sh_size ||
        file[texts->sh_offset + texts->sh_size - 1] != '\0')
        return false;
    size_t count = table->sh_size / sizeof(Elf64_Sym);
    chainsi_symbol *list = chainsi_arena_array(arena, count, sizeof *list);
    symbols->items = list;
    for (size_t i = 0; i < count; i++) {
        Elf64_Sym symbol;
        memcpy(&symbol, file + table->sh_offset + i * sizeof symbol, sizeof symbol);
        if (ELF64_ST_BIND(symbol.st_info) == STB_LOCAL || symbol.st_name >= texts->sh_size)
            continue;
        list[symbols->count].name =
            chainsi_arena_strdup(arena, (const char *)file + texts->sh_offset + symbol.st_name);
        list[symbols->count++].defined = symbol.st_shndx != SHN_UNDEF;
    }
    return true;
}

static bool read_symbols(chainsi_symbols *symbols, const uint8_t *file, size_t size,
                         chainsi_arena *arena)
{
    Elf64_Ehdr header;
    if (size < sizeof header)
        return false;
    memcpy(&header, file, sizeof header);
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_shentsize != sizeof(Elf64_Shdr))
        return false;
    /* Objects with very many sections keep their number in the first one. */
    uint64_t count = header.e_shnum;
    Elf64_Shdr section, texts;
    if (!count && fits(size, header.e_shoff, sizeof section)) {
        memcpy(&section, file + header.e_shoff, sizeof section);
        count = section.sh_size;
    }
    if (count > size / sizeof section || !fits(size, header.e_shoff, count * sizeof section))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        memcpy(&section, file + header.e_shoff + i * sizeof section, sizeof section);
        if (section.sh_type != SHT_SYMTAB || section.sh_link >= count)
            continue;
        memcpy(&texts, file + header.e_shoff + section.sh_link * sizeof texts, sizeof texts);
        return read_table(symbols, file, size, &section, &texts, arena);
    }
    return false;
}

bool chainsi_symbols_read(chainsi_symbols *symbols, const char *path, chainsi_arena *arena)
{
    *symbols = (chainsi_symbols){ 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    struct stat about;
    bool good = !fstat(fd, &about) && about.st_size > 0;
    size_t size = good ? (size_t)about.st_size : 0;
    void *file = good ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (file == MAP_FAILED)
        return false;
    good = read_symbols(symbols, file, size, arena);
    munmap(file, size);
    return good;
}

static bool has(const chainsi_symbols *symbols, const char *name, bool defined)
{
    for (size_t i = 0; i < symbols->count; i++)
        if (symbols->items[i].defined == defined && !strcmp(symbols->items[i].name, name))
            return true;
    return false;
}

bool chainsi_symbols_define(const chainsi_symbols *symbols, const char *name)
{
    return has(symbols, name, true);
}

bool chainsi_symbols_want(const chainsi_symbols *symbols, const char *name)
{
    return has(symbols, name, false);
}

bool chainsi_symbols_mangle(const chainsi_symbols *symbols, const char *name)
{
    char start[512];
    int size = snprintf(start, sizeof start, "_Z%zu%s", strlen(name), name);
    if (size < 0 || (size_t)size >= sizeof start)
        return false;
    for (size_t i = 0; i < symbols->count; i++)
        if (symbols->items[i].defined && !strncmp(symbols->items[i].name, start, (size_t)size))
            return true;
    return false;
}
