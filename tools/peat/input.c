/* SPDX-License-Identifier: MIT
 *
 * input.c - reads a file or pipe through one growing buffer.
 */
#include "input.h"
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Large enough that a system call costs nothing against parsing, small enough for the L2 cache. */
enum { READ_SIZE = 256 * 1024 };

int cli_open_file(const char *name, int flags)
{
    for (;;) { /* a FIFO blocks until its other end is opened */
        int fd = open(name, flags | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EINTR || cli_interrupted())
            return fd;
    }
}

void cli_input_init(cli_input *in, int fd)
{
    *in = (cli_input){.fd = fd};
}

void cli_input_done(cli_input *in)
{
    cli_bytes_free(&in->buffer);
}

char *cli_input_data(const cli_input *in)
{
    return in->buffer.data == NULL ? NULL : in->buffer.data + in->start;
}

size_t cli_input_size(const cli_input *in)
{
    return in->buffer.size - in->start;
}

void cli_input_consume(cli_input *in, size_t size)
{
    in->start += size;
}

uint64_t cli_input_offset(const cli_input *in)
{
    return in->bytes_read - cli_input_size(in);
}

/* One read. The kept bytes move to the front first, so the buffer grows only for a long record. */
static bool read_more(cli_input *in)
{
    if (in->start > 0) {
        memmove(in->buffer.data, cli_input_data(in), cli_input_size(in));
        in->buffer.size -= in->start;
        in->start = 0;
    }
    char *room = cli_bytes_room(&in->buffer, READ_SIZE);
    for (;;) {
        if (cli_interrupted())
            return false;
        ssize_t n = read(in->fd, room, READ_SIZE);
        if (n > 0) {
            in->buffer.size += (size_t)n;
            in->bytes_read += (uint64_t)n;
            return true;
        }
        if (n == 0) {
            in->at_end = true;
            return false;
        }
        if (errno != EINTR) {
            in->os_errno = errno;
            return false;
        }
    }
}

static size_t count_backslashes(const char *data, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++)
        n += data[i] == '\\';
    return n;
}

bool cli_input_find(cli_input *in, size_t from, char delimiter, cli_field_limit limit,
                    size_t *ret_offset)
{
    for (size_t at = from, allowed = limit.bytes;;) {
        size_t size = cli_input_size(in);
        if (at < size) {
            const char *data = cli_input_data(in);
            const char *hit = memchr(data + at, delimiter, size - at);
            if (hit != NULL) {
                *ret_offset = (size_t)(hit - data);
                return true; /* a field of nearly its limit is weighed when it is decoded */
            }
            if (limit.per_escape > 0)
                allowed += limit.per_escape * count_backslashes(data + at, size - at);
            at = size;
        }
        if (at > from && at - from > (allowed < limit.most ? allowed : limit.most))
            in->too_long = true;
        if (in->too_long || in->at_end || !read_more(in))
            return false;
    }
}

bool cli_input_fill(cli_input *in, size_t size)
{
    while (cli_input_size(in) < size && !in->at_end)
        if (!read_more(in) && !in->at_end)
            return false;
    return true;
}
