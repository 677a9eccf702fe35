#include "control/demand.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TCP_LISTEN = 10, /* a state, as the kernel numbers those of Unix sockets, too */
    ATTRIBUTE_HEAD = (NLA_ALIGNTO - 1 + sizeof(struct nlattr)) & ~(NLA_ALIGNTO - 1u),
};

int chainsi_demand_open(void)
{
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
}

/* Reads the queue's length out of the kernel's answer. */
static bool read_answer(const char *data, size_t size, uint32_t inode, uint32_t *queued)
{
    const struct nlmsghdr *head = (const void *)data;
    if (!NLMSG_OK(head, size) || head->nlmsg_type == NLMSG_ERROR) {
        errno = NLMSG_OK(head, size) && head->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr))
                    ? -((const struct nlmsgerr *)NLMSG_DATA(head))->error
                    : EPROTO;
        return false;
    }
    const struct unix_diag_msg *message = NLMSG_DATA(head);
    if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
        head->nlmsg_len < NLMSG_LENGTH(sizeof *message) || message->udiag_ino != inode) {
        errno = EPROTO;
        return false;
    }
    if (message->udiag_state !=
        TCP_LISTEN) { /* asked for one inode, it doesn't look at the states */
        errno = EINVAL;
        return false;
    }
    size_t left = head->nlmsg_len - NLMSG_LENGTH(sizeof *message);
    const struct nlattr *attribute = (const void *)(message + 1);
    while (left >= sizeof *attribute && attribute->nla_len >= sizeof *attribute &&
           attribute->nla_len <= left) {
        struct unix_diag_rqlen length;
        if (attribute->nla_type == UNIX_DIAG_RQLEN &&
            attribute->nla_len >= ATTRIBUTE_HEAD + sizeof length) {
            memcpy(&length, (const char *)attribute + ATTRIBUTE_HEAD, sizeof length);
            *queued = length.udiag_rqueue;
            return true;
        }
        size_t whole = (attribute->nla_len + NLA_ALIGNTO - 1u) & ~(NLA_ALIGNTO - 1u);
        if (whole >= left)
            break;
        left -= whole;
        attribute = (const void *)((const char *)attribute + whole);
    }
    errno = ENODATA;
    return false;
}

bool chainsi_demand_queued(int diag_fd, int listen_fd, uint32_t *queued)
{
    struct stat status;
    if (fstat(listen_fd, &status) != 0)
        return false;
    struct {
        struct nlmsghdr head;
        struct unix_diag_req body;
    } request = {
        .head = { .nlmsg_len = sizeof request,
                  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                  .nlmsg_flags = NLM_F_REQUEST },
        .body = { .sdiag_family = AF_UNIX,
                  .udiag_ino = (uint32_t)status.st_ino,
                  .udiag_show = UDIAG_SHOW_RQLEN,
                  .udiag_cookie = { UINT32_MAX, UINT32_MAX } }, /* whichever has that inode */
    };
    _Alignas(struct nlmsghdr) char answer[1024];
    /* The kernel answers before send returns. */
    if (send(diag_fd, &request, sizeof request, 0) != (ssize_t)sizeof request)
        return false;
    ssize_t got = recv(diag_fd, answer, sizeof answer, 0);
    return got > 0 && read_answer(answer, (size_t)got, (uint32_t)status.st_ino, queued);
}

chainsi_demand chainsi_demand_read(int diag_fd, int listen_fd, chainsi_board *board)
{
    chainsi_demand demand = { 0 };
    if (board) {
        chainsi_board_bury_dead(board);
        demand.slots = chainsi_board_slots(board, &demand.replicas);
        demand.turns = chainsi_board_turns(board);
        uint32_t free_slots = chainsi_board_free_slots(board);
        demand.running = free_slots < demand.slots ? demand.slots - free_slots : 0;
        /* Callers count a call that came by the queue until it is answered: some of those run. */
        uint32_t counted = chainsi_board_waiting(board);
        demand.waiting = counted > demand.running ? counted - demand.running : 0;
    }
    uint32_t queued;
    if (chainsi_demand_queued(diag_fd, listen_fd, &queued) && (!board || queued > demand.waiting))
        demand.waiting = queued;
    return demand;
}
