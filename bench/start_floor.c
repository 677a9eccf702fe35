/* What start_bench compares with: a C server, linked statically, that answers each plain HTTP request on the listening
 * socket that it inherits with one that says as much as the service's. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTEN_FD = 3 };

int main(void)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                 "Content-Length: 17\r\nConnection: close\r\n\r\n"
                                 "{\"reply\":\"hello\"}";
    for (;;) {
        char request[4096];
        size_t size = 0;
        int fd = accept(LISTEN_FD, NULL, NULL);
        if (fd < 0)
            return 1;
        /* Its body ends with the only brace that closes. */
        while (size == 0 || !memchr(request, '}', size)) {
            ssize_t got = read(fd, request + size, sizeof request - size);
            if (got <= 0)
                break;
            size += (size_t)got;
        }
        if (write(fd, answer, sizeof answer - 1) < 0)
            return 1;
        close(fd);
    }
}
