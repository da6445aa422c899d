/* SPDX-License-Identifier: MIT */
/*
 * history.h - what 2 to 16 threads did to one store and saw of it, call by call, and whether one
 * order of all writes explains it.
 *
 * A round is a child process: it opens the store, its threads write and read and record every call
 * in memory that outlives them, and it closes the store, or leaves without, or is killed in the
 * middle. The parent opens the store again, reads all of it, and judges:
 *
 *   linear    per key: an order of the calls that agrees with their times and explains each read
 *             (history_linear.c)
 *   states    each scan is the state after a prefix of every thread's writes: batches whole,
 * nothing missing that had returned, nothing there that had not begun, one scan before or after the
 * other; and so is what a killed process leaves (history_states.c)
 *
 * Every put writes an id that was never written before, and a key that several threads write is
 * deleted at most once in a round and only when it was there at its beginning: so what a read saw
 * names the write it saw, and the judgement is exact and quick.
 *
 * Kinds of keys. Contended: puts and deletes of all threads. Shared: batches of all threads.
 * Owned: puts, deletes and batches of one thread. Counters: one per thread, in each of its batches.
 */
#ifndef TEST_HISTORY_HISTORY_H
#define TEST_HISTORY_HISTORY_H

#include "peat.h"
#include "world/random.h"
#include "world/settings.h"

#include <stdatomic.h>

#define HISTORY_THREADS_MAX 16u
#define HISTORY_CONTENDED   1200u
#define HISTORY_SHARED      500u
#define HISTORY_OWNED       100u /* of each thread */
#define HISTORY_KEYS                                                                               \
    (HISTORY_CONTENDED + HISTORY_SHARED + HISTORY_THREADS_MAX * (HISTORY_OWNED + 1))
#define HISTORY_COUNTER(thread) (HISTORY_KEYS - HISTORY_THREADS_MAX + (thread))
#define HISTORY_BATCH_MAX       8u
#define HISTORY_STATES          400u /* scans recorded in a round, all threads */
#define HISTORY_VALUE_MAX       8192u

/* round << 36 | thread << 32 | number of the thread's write, from 1; 0 is "not there". */
typedef uint64_t history_id;
#define HISTORY_ID(round, thread, number)                                                          \
    ((uint64_t)(round) << 36 | (uint64_t)(thread) << 32 | (number))
#define HISTORY_ROUND_OF(id)  ((uint32_t)((id) >> 36))
#define HISTORY_THREAD_OF(id) ((uint32_t)((id) >> 32) & 15u)
#define HISTORY_NUMBER_OF(id) ((uint32_t)(id))

typedef enum history_kind {
    HISTORY_PUT,
    HISTORY_DELETE,
    HISTORY_GET,
    HISTORY_FLUSH /* everything that returned before survives, also without a log */
} history_kind;

/* One call, or one item of a batch: items of one batch follow each other with the same number. */
typedef struct history_record {
    uint64_t start, end; /* ns; end 0: it never returned */
    history_id id;       /* written, or seen; for a delete the number it has as a write */
    uint32_t key;
    history_kind kind;
} history_record;

/* What a scan saw at one point; `start` before that point, `end` after it. */
typedef struct history_state {
    uint64_t start, end;
    bool complete;
    history_id seen[HISTORY_KEYS];
} history_state;

typedef struct history_thread {
    _Atomic uint64_t count, states; /* used of the two below */
    history_record *records;
    history_state *seen;
} history_thread;

/* Shared by parent and child. */
typedef struct history {
    uint64_t seed;
    uint32_t round, threads;
    uint64_t records_max, states_max; /* of each thread */
    uint64_t deadline, deadline_ns;   /* threads stop then, so long after the beginning */
    history_thread thread[HISTORY_THREADS_MAX];
    history_id initial[HISTORY_KEYS];
    atomic_bool deleted[HISTORY_KEYS]; /* contended and shared ones: in this round */
    history_state final;               /* read by the parent */
    bool lossy;                        /* without a log and not closed: later writes may be gone */
    _Atomic uint64_t scanned_rows, other_calls;
} history;

/* Memory for the records of a round; lives until the program ends. */
history *history_new(uint64_t records_max_all);
/* The id of a value; ends the process with a message when it is not whole or of another key. */
history_id history_check_value(uint32_t key, peat_slice value, const char *where);
_Noreturn void history_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* All rows of an iterator into ret_seen, in one of four ways; ends the process when they are out of
 * order or not those of the world. */
void history_scan(peat_iter *it, unsigned way, history_id ret_seen[HISTORY_KEYS]);

/* Runs the threads of a round on an open store; a byte goes to `tell_fd` once thread 0 has so many
 * records. */
void history_play(history *h, peat_db *db, int tell_fd, uint64_t tell_at);

/* NULL, or what is wrong: a text in `text`. */
const char *history_judge_linear(const history *h, char *text, size_t capacity);
const char *history_judge_states(const history *h, char *text, size_t capacity);

#endif
