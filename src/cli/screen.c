/* Signals are blocked and read from a descriptor, so that there is one place where anything happens. A frame is written in one go, over the
 * one before: nothing is cleared that is shown again, so nothing flickers. */
#include "cli/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"

/* The other screen, without a cursor and without lines that go on below. */
static const char enter_text[] = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J\x1b[H";
static const char leave_text[] = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";
/* Terminals that know it show what is between at once. */
static const char begin_frame[] = "\x1b[?2026h\x1b[H";
static const char end_frame[] = "\x1b[0m\x1b[J\x1b[?2026l";

static void write_all(const void *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t written = write(STDOUT_FILENO, (const char *)data + at, size - at);
        if (written < 0 && errno == EAGAIN)
            poll(&(struct pollfd){ .fd = STDOUT_FILENO, .events = POLLOUT }, 1, -1);
        else if (written < 0 && errno != EINTR)
            return;
        at += written > 0 ? (size_t)written : 0;
    }
}

static sigset_t signals_of_screen(void)
{
    sigset_t set;
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT };
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&set, numbers[i]);
    return set;
}

static void enter(chainsi_screen *screen)
{
    struct termios raw = screen->before;
    raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    write_all(enter_text, sizeof enter_text - 1);
    screen->shown.size = 0;
    screen->resized = true;
}

static void leave(chainsi_screen *screen)
{
    write_all(leave_text, sizeof leave_text - 1);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &screen->before);
}

/* ------------------------------------------------------------------------------------------------
 * what happens */

static void take_signal(chainsi_screen *screen, int number)
{
    if (number == SIGWINCH) {
        screen->resized = true;
    } else if (number == SIGTSTP) {
        leave(screen);
        kill(getpid(), SIGSTOP);
    } else if (number == SIGCONT) {
        enter(screen);
    } else {
        screen->ended = true;
        screen->ended_by = number == SIGINT ? 0 : number;
    }
}

/* Takes what has come from both descriptors without waiting. True: it is to end. */
static bool take_all(void *user)
{
    chainsi_screen *screen = user;
    struct signalfd_siginfo info;
    while (read(screen->signals, &info, sizeof info) == (ssize_t)sizeof info)
        take_signal(screen, (int)info.ssi_signo);
    struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
    while (!screen->ended && screen->key_count < sizeof screen->keys && poll(&in, 1, 0) > 0) {
        ssize_t size = read(STDIN_FILENO, screen->keys + screen->key_count,
                            sizeof screen->keys - screen->key_count);
        if (size <= 0 && errno != EINTR)
            screen->ended = true; /* the terminal is gone */
        screen->key_count += size > 0 ? (size_t)size : 0;
    }
    if (memchr(screen->keys, 'q', screen->key_count) ||
        memchr(screen->keys, 'Q', screen->key_count) ||
        memchr(screen->keys, 4, screen->key_count)) /* Ctrl-D */
        screen->ended = true;
    return screen->ended;
}

/* The first of the keys that came; TIME: there is none that means anything. */
static chainsi_screen_event take_key(chainsi_screen *screen)
{
    static const struct {
        const char *bytes;
        chainsi_screen_event event;
    } known[] = {
        { "k", CHAINSI_SCREEN_UP },
        { "\x1b[A", CHAINSI_SCREEN_UP },
        { "\x1bOA", CHAINSI_SCREEN_UP },
        { "j", CHAINSI_SCREEN_DOWN },
        { "\x1b[B", CHAINSI_SCREEN_DOWN },
        { "\x1bOB", CHAINSI_SCREEN_DOWN },
        { "\x1b[5~", CHAINSI_SCREEN_PAGE_UP },
        { "b", CHAINSI_SCREEN_PAGE_UP },
        { "\x1b[6~", CHAINSI_SCREEN_PAGE_DOWN },
        { " ", CHAINSI_SCREEN_PAGE_DOWN },
        { "g", CHAINSI_SCREEN_TOP },
        { "\x1b[H", CHAINSI_SCREEN_TOP },
        { "G", CHAINSI_SCREEN_BOTTOM },
        { "\x1b[F", CHAINSI_SCREEN_BOTTOM },
    };
    while (screen->key_count) {
        chainsi_screen_event event = CHAINSI_SCREEN_TIME;
        size_t size = 1;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
            const size_t length = strlen(known[i].bytes);
            if (length <= screen->key_count && !memcmp(screen->keys, known[i].bytes, length)) {
                event = known[i].event;
                size = length;
            }
        }
        screen->key_count -= size;
        memmove(screen->keys, screen->keys + size, screen->key_count);
        if (event != CHAINSI_SCREEN_TIME)
            return event;
    }
    return CHAINSI_SCREEN_TIME;
}

chainsi_screen_event chainsi_screen_wait(chainsi_screen *screen, int64_t until_ns)
{
    while (true) {
        if (take_all(screen))
            return CHAINSI_SCREEN_END;
        if (screen->resized) {
            screen->resized = false;
            screen->terminal = chainsi_terminal_of(STDOUT_FILENO);
            return CHAINSI_SCREEN_SIZE;
        }
        const chainsi_screen_event event = take_key(screen);
        const int64_t now_ns = chainsi_now_ns();
        if (event != CHAINSI_SCREEN_TIME || now_ns >= until_ns)
            return event;
        struct pollfd fds[] = { { .fd = screen->signals, .events = POLLIN },
                                { .fd = STDIN_FILENO, .events = POLLIN } };
        poll(fds, 2, chainsi_poll_timeout(until_ns, now_ns));
    }
}

/* ------------------------------------------------------------------------------------------------
 * showing */

void chainsi_screen_draw(chainsi_screen *screen, const chainsi_buffer *text)
{
    chainsi_buffer *frame = &screen->frame;
    frame->size = 0;
    chainsi_buffer_add(frame, begin_frame, sizeof begin_frame - 1);
    const char *at = (const char *)text->data, *end = at + text->size;
    for (size_t row = 0; at < end && (!screen->terminal.rows || row < screen->terminal.rows);
         row++) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        line_end = line_end ? line_end : end;
        if (row)
            chainsi_buffer_add_text(frame, "\r\n");
        chainsi_buffer_add(frame, at, (size_t)(line_end - at));
        chainsi_buffer_add_text(frame, "\x1b[0m\x1b[K");
        at = line_end + 1;
    }
    chainsi_buffer_add(frame, end_frame, sizeof end_frame - 1);
    if (frame->size == screen->shown.size && !memcmp(frame->data, screen->shown.data, frame->size))
        return;
    write_all(frame->data, frame->size);
    const chainsi_buffer before = screen->shown;
    screen->shown = *frame;
    *frame = before;
}

bool chainsi_screen_open(chainsi_screen *screen)
{
    *screen = (chainsi_screen){ .terminal = chainsi_terminal_of(STDOUT_FILENO), .signals = -1 };
    if (!screen->terminal.moves || tcgetattr(STDIN_FILENO, &screen->before) != 0)
        return false;
    const sigset_t set = signals_of_screen();
    screen->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (screen->signals < 0)
        return false;
    sigprocmask(SIG_BLOCK, &set, NULL);
    screen->interrupt = (chainsi_interrupt){
        .count = 2,
        .watch = { { screen->signals, POLLIN }, { STDIN_FILENO, POLLIN } },
        .check = take_all,
        .user = screen,
    };
    fflush(stdout);
    enter(screen);
    return true;
}

void chainsi_screen_close(chainsi_screen *screen)
{
    leave(screen);
    const sigset_t set = signals_of_screen();
    close(screen->signals);
    chainsi_buffer_done(&screen->frame);
    chainsi_buffer_done(&screen->shown);
    if (screen->ended_by) {
        signal(screen->ended_by, SIG_DFL);
        raise(screen->ended_by);
    }
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}
