/* SPDX-License-Identifier: MIT */
/*
 * multi_get_disk.c - how fast records beyond memory can be read by the hundred at all: one page of
 * the file for each, and nothing else.
 *
 *   bound-multi-get-disk FILE [keys read] [keys per call] [under way]
 *
 * FILE is there, much larger than memory (a table of the store that is measured will do, or all of
 * them behind one another). Each call reads so many pages at random places, so many of them under
 * way at once in an io_uring, copies 1,000 bytes of each out, and ends when all are there, as a
 * call of multi-get does. Prints thousands of keys a second. Of the same sitting and the same
 * memory group (bench/in-group.sh) as what stands beside it.
 */
#include "../clock.h"
#include "../data.h"

#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE          4096u
#define VALUE         1000u
#define UNDER_WAY_MAX 256u

static pb_rng rng = {.state = 1};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void submit(struct io_uring *ring, int fd, uint64_t pages, uint8_t *buf, uint64_t slot)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
    if (sqe == NULL)
        die("io_uring_get_sqe");
    io_uring_prep_read(sqe, fd, buf + slot * PAGE, PAGE, pb_rng_below(&rng, pages) * PAGE);
    io_uring_sqe_set_data64(sqe, slot);
}

/* One call: `keys` pages, `depth` under way. */
static void call(struct io_uring *ring, int fd, uint64_t pages, uint8_t *buf, uint8_t *values,
                 unsigned keys, unsigned depth)
{
    unsigned asked = 0, had = 0;
    while (asked < keys && asked < depth)
        submit(ring, fd, pages, buf, asked++);
    while (had < keys) {
        struct io_uring_cqe *cqe;
        if (io_uring_submit_and_wait(ring, 1) < 0)
            die("io_uring_submit_and_wait");
        while (io_uring_peek_cqe(ring, &cqe) == 0) {
            uint64_t slot = io_uring_cqe_get_data64(cqe);
            if (cqe->res != (int)PAGE)
                die("read");
            io_uring_cqe_seen(ring, cqe);
            memcpy(values + had * VALUE, buf + slot * PAGE + slot % 3 * VALUE, VALUE);
            had++;
            if (asked < keys) {
                submit(ring, fd, pages, buf, slot);
                asked++;
            }
        }
    }
}

int main(int argc, char **argv)
{
    unsigned reads = argc > 2 ? (unsigned)atoi(argv[2]) : 100000;
    unsigned keys = argc > 3 ? (unsigned)atoi(argv[3]) : 100;
    unsigned depth = argc > 4 ? (unsigned)atoi(argv[4]) : 64;
    struct stat st;
    struct io_uring ring;
    int fd = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    if (argc > 1 && (fd < 0 || fstat(fd, &st) != 0))
        die(argv[1]);
    if (fd < 0 || st.st_size < (off_t)PAGE || keys == 0 || depth == 0 || depth > UNDER_WAY_MAX) {
        (void)fputs("usage: bound-multi-get-disk FILE [keys read] [keys per call] [under way]\n",
                    stderr);
        return 2;
    }
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    uint8_t *buf = aligned_alloc(PAGE, (size_t)depth * PAGE),
            *values = malloc((size_t)keys * VALUE);
    if (buf == NULL || values == NULL || io_uring_queue_init(UNDER_WAY_MAX, &ring, 0) != 0)
        die("io_uring_queue_init");
    uint64_t begin = pb_now_ns();
    for (unsigned done = 0; done < reads; done += keys)
        call(&ring, fd, (uint64_t)st.st_size / PAGE, buf, values, keys, depth);
    double seconds = (double)(pb_now_ns() - begin) / 1e9;
    printf("%.1f k keys/s, %u a call, %u under way\n", reads / seconds / 1000, keys, depth);
    return 0;
}
