/* The daemon's folder. The lock is an open-file-description lock: it ends with the last process that
 * holds the descriptor (which is CLOEXEC, so no replica does), and it can be asked about without
 * being taken, so that asking never disturbs a daemon that starts. */
#include "control/home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

char *chainsi_path(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *path = NULL;
    if (vasprintf(&path, format, arguments) < 0)
        abort();
    va_end(arguments);
    return path;
}

char *chainsi_absolute_path(const char *text)
{
    char *path;
    if (text[0] == '/') {
        path = chainsi_path("%s", text);
    } else {
        char *here = getcwd(NULL, 0);
        if (!here)
            return NULL;
        path = chainsi_path("%s/%s", here, text);
        free(here);
    }
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        path[--size] = 0;
    return path;
}

char *chainsi_home_find(char *why, size_t why_size)
{
    const char *home = getenv("CHAINS_HOME");
    const char *data = getenv("XDG_DATA_HOME");
    const char *user = getenv("HOME");
    char *path = NULL;
    if (home && *home) {
        path = chainsi_absolute_path(home);
    } else if (data && data[0] == '/') {
        path = chainsi_path("%s/chains", data);
    } else if (user && user[0] == '/') {
        path = chainsi_path("%s/.local/share/chains", user);
    } else {
        snprintf(why, why_size, "nothing says where to keep state: set CHAINS_HOME to a folder");
        return NULL;
    }
    if (!path)
        snprintf(why, why_size, "cannot tell the working directory: %s", strerror(errno));
    return path;
}

bool chainsi_make_folders(const char *path)
{
    char *part = chainsi_path("%s", path);
    bool made = true;
    for (char *at = part + 1; made; at++) {
        if (*at && *at != '/')
            continue;
        bool last = !*at;
        *at = 0;
        made = mkdir(part, 0700) == 0 || errno == EEXIST || (!last && errno == EROFS);
        if (last)
            break;
        *at = '/';
    }
    struct stat info;
    if (made && stat(part, &info) == 0 && !S_ISDIR(info.st_mode)) {
        errno = ENOTDIR;
        made = false;
    }
    int error = errno;
    free(part);
    errno = error;
    return made;
}

bool chainsi_home_make(const char *home, char *why, size_t why_size)
{
    if (chainsi_make_folders(home))
        return true;
    snprintf(why, why_size, "cannot make the folder %s: %s", home, strerror(errno));
    return false;
}

/* Takes the lock, or finds that the descriptor has it. */
static bool set_lock(int fd)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* For people, and for signals: the lock is what counts. */
static void write_pid(int lock)
{
    char text[32];
    int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* Cut afterwards: whoever reads finds a number at any moment. */
    if (pwrite(lock, text, (size_t)size, 0) != size || ftruncate(lock, size) != 0)
        return; /* nothing depends on it */
}

int chainsi_home_lock(const char *home, char *why, size_t why_size)
{
    char *path = chainsi_path("%s/pid", home);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && set_lock(fd)) {
        write_pid(fd);
        free(path);
        return fd;
    }
    if (fd >= 0 && (errno == EAGAIN || errno == EACCES))
        snprintf(why, why_size, "another chainsd (process %ld) runs for %s",
                 chainsi_home_owner(home), home);
    else
        snprintf(why, why_size, "cannot lock %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    free(path);
    return -1;
}

bool chainsi_home_keep_lock(const char *home, int lock, char *why, size_t why_size)
{
    char *path = chainsi_path("%s/pid", home);
    struct stat named, held;
    bool same = stat(path, &named) == 0 && fstat(lock, &held) == 0 && named.st_dev == held.st_dev &&
                named.st_ino == held.st_ino && set_lock(lock);
    if (same)
        write_pid(lock);
    else
        snprintf(why, why_size, "the lock of %s has been lost", home);
    free(path);
    return same;
}

long chainsi_home_owner(const char *home)
{
    char *path = chainsi_path("%s/pid", home);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    free(path);
    if (fd < 0)
        return 0;
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    long owner = 0;
    if (fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK) {
        char text[32] = { 0 };
        owner = pread(fd, text, sizeof text - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;
        if (owner <= 0)
            owner = 1; /* held, by one that hasn't written its number yet */
    }
    close(fd);
    return owner;
}

bool chainsi_write_file(const char *path, const void *data, size_t size)
{
    char *next = chainsi_path("%s.new", path);
    int fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool written = fd >= 0;
    for (size_t at = 0; written && at < size;) {
        ssize_t count = write(fd, (const char *)data + at, size - at);
        if (count < 0 && errno == EINTR)
            continue;
        written = count >= 0;
        at += written ? (size_t)count : 0;
    }
    written = written && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (written && rename(next, path) != 0) {
        error = errno;
        written = false;
    }
    if (!written)
        unlink(next);
    free(next);
    errno = error;
    return written;
}

bool chainsi_replace_file(const char *from, const char *to)
{
    if (rename(from, to) != 0)
        return false;
    char *folder = chainsi_path("%s", to);
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = 0;
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool kept = fd >= 0 && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0)
        close(fd);
    free(folder);
    errno = error;
    return kept;
}

char *chainsi_read_file(const char *path, size_t max_size, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    struct stat info;
    char *data = NULL;
    int error = 0;
    if (fstat(fd, &info) != 0) {
        error = errno;
    } else if ((size_t)info.st_size > max_size) {
        error = EFBIG;
    } else {
        size_t capacity = (size_t)info.st_size, filled = 0;
        data = malloc(capacity + 1);
        if (!data)
            abort();
        while (filled < capacity) {
            ssize_t count = read(fd, data + filled, capacity - filled);
            if (count < 0 && errno == EINTR)
                continue;
            if (count < 0)
                error = errno;
            if (count <= 0)
                break;
            filled += (size_t)count;
        }
        data[filled] = 0;
        *size = filled;
    }
    close(fd);
    if (error) {
        free(data);
        data = NULL;
        errno = error;
    }
    return data;
}

/* Files of one line. */

static bool read_line(const char *home, const char *name, char *text, size_t size)
{
    char *path = chainsi_path("%s/%s", home, name);
    size_t length = 0;
    char *line = chainsi_read_file(path, size - 1, &length);
    free(path);
    if (!line)
        return false;
    line[strcspn(line, "\n")] = 0;
    snprintf(text, size, "%s", line);
    free(line);
    return *text != 0;
}

/* What is there already is not written again: on a full disk there may be no room for it. */
static bool write_line(const char *home, const char *name, const char *text)
{
    char found[256];
    if (read_line(home, name, found, sizeof found) && !strcmp(found, text))
        return true;
    char *path = chainsi_path("%s/%s", home, name);
    char *line = chainsi_path("%s\n", text);
    bool written = chainsi_write_file(path, line, strlen(line));
    free(line);
    free(path);
    return written;
}

static void forget_line(const char *home, const char *name)
{
    char *path = chainsi_path("%s/%s", home, name);
    unlink(path);
    free(path);
}

bool chainsi_home_write_address(const char *home, const char *url)
{
    return write_line(home, "address", url);
}

bool chainsi_home_read_address(const char *home, char *url, size_t size)
{
    return read_line(home, "address", url, size);
}

void chainsi_home_forget_address(const char *home)
{
    forget_line(home, "address");
}

bool chainsi_home_write_certificate(const char *home, const char *digest)
{
    return write_line(home, "certificate", digest);
}

bool chainsi_home_read_certificate(const char *home, char *digest, size_t size)
{
    return read_line(home, "certificate", digest, size);
}

void chainsi_home_forget_certificate(const char *home)
{
    forget_line(home, "certificate");
}

/* Reads random hex digits from a file, or makes them. */
static bool read_digits(const char *home, const char *name, bool make,
                        char token[CHAINSI_TOKEN_SIZE + 1])
{
    char *path = chainsi_path("%s/%s", home, name);
    size_t size = 0;
    char *text = chainsi_read_file(path, 4096, &size);
    bool found = text && size >= CHAINSI_TOKEN_SIZE;
    if (found) {
        memcpy(token, text, CHAINSI_TOKEN_SIZE);
        token[CHAINSI_TOKEN_SIZE] = 0;
    } else if (make) {
        unsigned char bytes[CHAINSI_TOKEN_SIZE / 2];
        found = getentropy(bytes, sizeof bytes) == 0;
        for (size_t i = 0; i < sizeof bytes; i++)
            snprintf(token + 2 * i, 3, "%02x", bytes[i]);
        found = found && chainsi_write_file(path, token, CHAINSI_TOKEN_SIZE);
    }
    free(text);
    free(path);
    return found;
}

bool chainsi_home_token(const char *home, bool make, char token[CHAINSI_TOKEN_SIZE + 1])
{
    return read_digits(home, "token", make, token);
}

bool chainsi_home_webhook_key(const char *home, char key[CHAINSI_TOKEN_SIZE + 1])
{
    return read_digits(home, "webhook.key", true, key);
}

static bool remove_at(int folder, const char *name)
{
    if (unlinkat(folder, name, 0) == 0 || errno == ENOENT)
        return true;
    if (errno != EISDIR && errno != EPERM)
        return false;
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
    if (!entries) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    bool removed = true;
    int error = 0;
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (!remove_at(fd, entry->d_name) && removed) {
            removed = false;
            error = errno;
        }
    }
    closedir(entries);
    if (removed && unlinkat(folder, name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
        removed = false;
        error = errno;
    }
    errno = error;
    return removed;
}

bool chainsi_remove_tree(const char *path)
{
    return remove_at(AT_FDCWD, path);
}
