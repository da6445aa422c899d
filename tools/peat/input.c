/* SPDX-License-Identifier: MIT
 *
 * input.c - reads a file or pipe through one growing buffer.
 */
#include "input.h"
#include "cli.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Large enough that a system call costs nothing against parsing, small enough for the L2 cache. */
enum { READ_SIZE = 256 * 1024 };

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

bool cli_input_find(cli_input *in, size_t from, char delimiter, size_t *ret_offset)
{
    for (;;) {
        size_t size = cli_input_size(in);
        if (from < size) {
            const char *data = cli_input_data(in);
            const char *hit = memchr(data + from, delimiter, size - from);
            if (hit != NULL) {
                *ret_offset = (size_t)(hit - data);
                return true;
            }
            from = size;
        }
        if (in->at_end || !read_more(in))
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
