/* SPDX-License-Identifier: MIT
 *
 * queue.c - many operations under way for one thread: handed over one after the other without
 * waiting, collected as they end. queue_epoll.c and queue_libuv.c wait for other things as well.
 *
 * It prints
 *
 *     100 puts, each durable
 *     fruit 07 is a pear
 *     there is no fruit 99999
 *     of 3 keys at once 2 are there
 *     all in order: 100 rows by 4 operations
 */
#include <peat_queue.h>

#include <stdio.h>

#define STORE "queue.peat"
#define DEPTH 16
#define PUTS  100

static peat_slice make_key(char *buf, size_t size, unsigned number)
{
    return peat_bytes(buf, (size_t)snprintf(buf, size, "fruit %02u", number));
}

// Waits until one has ended at least. PEAT_END: nothing was outstanding any more.
static peat_rc await_puts(peat_queue *queue, unsigned *io_ended)
{
    peat_completion done[DEPTH];
    size_t n = 0;
    peat_rc rc = peat_queue_poll(queue, done, DEPTH, PEAT_QUEUE_WAIT, &n);
    for (size_t i = 0; i < n; i++) { // done[i].tag says which
        if (done[i].rc != PEAT_OK)
            return done[i].rc;
        ++*io_ended;
    }
    return rc;
}

// Those that wait share one sync of the log: far fewer of these than puts.
static peat_rc put_all(peat_queue *queue)
{
    peat_write_options durable = PEAT_INIT(peat_write_options);
    unsigned ended = 0;
    peat_rc rc = PEAT_OK;
    durable.sync = true;
    for (unsigned i = 0; i < PUTS;) {
        char buf[32];
        rc = peat_queue_put(queue, NULL, &durable, make_key(buf, sizeof buf, i), peat_str("a pear"),
                            i); // key and value were copied
        if (rc == PEAT_OK)
            i++;
        else if (rc == PEAT_QUEUE_FULL) // nothing was done: again, when some have ended
            rc = await_puts(queue, &ended);
        if (rc < 0)
            return rc;
    }
    while (rc >= 0 && rc != PEAT_END)
        rc = await_puts(queue, &ended);
    if (rc == PEAT_END)
        printf("%u puts, each durable\n", ended);
    return rc;
}

// What this program calls its operations. They end in any order, so each keeps its answer.
enum { PRESENT, ABSENT, MANY, SCAN };

typedef struct answers {
    char present[64], absent[64];
    unsigned many, rows, parts;
} answers;

static peat_rc submit_reads(peat_queue *queue)
{
    char bufs[4][32];
    peat_slice present = make_key(bufs[0], sizeof bufs[0], 7);
    peat_slice absent = make_key(bufs[1], sizeof bufs[1], 99999);
    peat_slice keys[3] = {present, absent, make_key(bufs[2], sizeof bufs[2], 20)};
    peat_rc rc = peat_queue_get(queue, NULL, NULL, present, PRESENT);
    if (rc == PEAT_OK)
        rc = peat_queue_get(queue, NULL, NULL, absent, ABSENT);
    if (rc == PEAT_OK)
        rc = peat_queue_multi_get(queue, NULL, NULL, 3, keys, MANY);
    if (rc == PEAT_OK) // up to 30 rows, and a cursor where there are more
        rc = peat_queue_scan(queue, NULL, NULL, false, 30, SCAN);
    return rc; // PEAT_QUEUE_FULL does not come up: there is room for 16
}

// What a completion points to is good until the next poll.
static peat_rc note(answers *a, peat_queue *queue, const peat_completion *done)
{
    switch (done->tag) {
    case PRESENT:
        snprintf(a->present, sizeof a->present, "%.*s", (int)done->value.size,
                 (const char *)done->value.data);
        return done->rc;
    case ABSENT:
        snprintf(a->absent, sizeof a->absent, "there is %s fruit 99999",
                 done->rc == PEAT_NOT_FOUND ? "no" : "a");
        return PEAT_OK;
    case MANY:
        for (size_t i = 0; i < done->n; i++)
            a->many += done->rcs[i] == PEAT_OK; // and its value is done->values[i]
        return done->rc;
    default:
        a->rows += (unsigned)done->n; // they are done->rows[0 to n - 1]
        a->parts++;
        if (done->cursor == NULL) // that was the last part
            return done->rc;
        return peat_queue_scan_next(queue, done->cursor, 30, SCAN);
    }
}

static peat_rc read_all(peat_queue *queue)
{
    answers a = {"", "", 0, 0, 0};
    peat_completion done;
    size_t n;
    peat_rc rc = submit_reads(queue);
    while (rc == PEAT_OK && (rc = peat_queue_poll(queue, &done, 1, PEAT_QUEUE_WAIT, &n)) == PEAT_OK)
        rc = note(&a, queue, &done);
    if (rc != PEAT_END) // else: all that was outstanding has been told of
        return rc;
    printf("fruit 07 is %s\n%s\n", a.present, a.absent);
    printf("of 3 keys at once %u are there\n", a.many);
    printf("all in order: %u rows by %u operations\n", a.rows, a.parts);
    return PEAT_OK;
}

int main(void)
{
    peat_queue_options options = PEAT_INIT(peat_queue_options);
    peat_db *db = NULL;
    peat_queue *queue = NULL;
    peat_error error;

    if (peat_open(STORE, NULL, &db, &error) != PEAT_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    options.depth = DEPTH;
    peat_rc rc = peat_queue_open(db, &options, &queue);
    if (rc == PEAT_OK)
        rc = put_all(queue);
    if (rc >= 0)
        rc = read_all(queue);
    if (rc < 0)
        fprintf(stderr, STORE ": %s\n", peat_rc_text(rc));
    peat_queue_close(queue); // before or after its store

    peat_rc closed = peat_close(db);
    peat_rc removed = peat_destroy(STORE, &error);
    return rc == PEAT_OK && closed == PEAT_OK && removed == PEAT_OK ? 0 : 1;
}
