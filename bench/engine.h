/* SPDX-License-Identifier: MIT */
/*
 * engine.h - one face for every store that is measured.
 *
 * A store is opened once and used through handles: one handle per thread, used by one thread at a
 * time, so that an engine can keep its per-thread state (a read transaction, a session, a batch)
 * there. Durability is a choice of the open: settings.sync means "on disk before the call
 * returns"; otherwise a write that returned must survive the death of the process.
 *
 * Views: what get and the iterator calls return stays valid until the next call on the same
 * handle. A function that fails prints the engine's text with pb_engine_fail and returns PB_ERROR.
 */
#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PB_OK = 0, PB_NOT_FOUND = 1, PB_ERROR = -1 };

/* may_alias: an engine whose own row has this layout may fill these in place. */
typedef struct __attribute__((may_alias)) pb_slice {
    const char *data;
    size_t size;
} pb_slice;

typedef struct __attribute__((may_alias)) pb_row {
    pb_slice key;
    pb_slice value;
} pb_row;

#define PB_MANY_MAX 256

/* What has ended, of a queue. */
typedef struct pb_done {
    uint64_t tag;
    pb_slice value; /* of a get; data NULL: not found */
} pb_done;

typedef struct pb_settings {
    const char *dir;
    uint64_t memory_bytes;   /* everything the engine lets itself be told to keep in memory */
    const char *compression; /* none, lz4, zstd, snappy */
    bool sync;
    bool defaults;          /* peat: no options; memory_bytes and compression say what that means */
    bool pinned;            /* peat: peat_get_pinned instead of a copy into a peat_buf */
    uint64_t lmdb_batch;    /* lmdb: puts per transaction */
    uint64_t rocksdb_block; /* rocksdb: block_size in bytes */
} pb_settings;

typedef struct pb_engine {
    const char *name;
    /* Version and every setting that is not the engine's default, as one line. */
    void (*describe)(const pb_settings *settings, char *buf, size_t buf_size);
    int (*open)(const pb_settings *settings, bool create, void **ret_store);
    int (*close)(void *store);
    int (*handle_open)(void *store, void **ret_handle);
    void (*handle_close)(void *handle);

    int (*put)(void *handle, pb_slice key, pb_slice value);
    int (*del)(void *handle, pb_slice key);
    int (*write)(void *handle, const pb_row *rows, size_t count); /* puts, all or nothing */
    int (*get)(void *handle, pb_slice key, pb_slice *ret_value);
    /* Up to PB_MANY_MAX keys in one call; data NULL: not found. NULL: a loop of gets is what the
     * engine has. */
    int (*get_many)(void *handle, const pb_slice *keys, size_t count, pb_slice *ret_values);

    int (*iter_open)(void *handle, void **ret_iter);
    int (*iter_first)(void *iter, pb_row *ret_row);
    int (*iter_last)(void *iter, pb_row *ret_row);
    int (*iter_seek)(void *iter, pb_slice key, pb_row *ret_row); /* first row at or after key */
    int (*iter_next)(void *iter, pb_row *ret_row);
    int (*iter_prev)(void *iter, pb_row *ret_row);
    /* Many rows per call, onwards from where the iterator stands (that row included after a
     * seek, from the first or last row on a new iterator); NULL when the engine has no such call.
     */
    int (*iter_fill)(void *iter, bool back, pb_row *rows, size_t rows_max, size_t *ret_count);
    int (*iter_fill_seek)(void *iter, pb_slice key); /* places it for iter_fill */
    void (*iter_close)(void *iter);

    /* Operations that are not waited for, up to `depth` at once, of which queue_poll tells: it
     * waits for one at least, and what it tells of is good until it is called again. All five NULL:
     * the engine has no such thing. With settings.sync a put is durable when it has ended. */
    int (*queue_open)(void *handle, size_t depth, void **ret_queue);
    int (*queue_get)(void *queue, pb_slice key, uint64_t tag);
    int (*queue_put)(void *queue, pb_slice key, pb_slice value, uint64_t tag);
    int (*queue_poll)(void *queue, pb_done *ret_done, size_t done_max, size_t *ret_count);
    void (*queue_close)(void *queue);

    int (*sync)(void *store);    /* everything written so far is on disk */
    int (*settle)(void *store);  /* wait until the engine's own background work is done */
    int (*compact)(void *store); /* whatever the engine calls a full compaction; NULL if none */
} pb_engine;

/* The engines of this build, NULL when the name is unknown or was not built in. */
const pb_engine *pb_engine_find(const char *name);
const pb_engine *pb_engine_at(size_t index); /* NULL after the last */

int pb_engine_fail(const char *engine, const char *what, const char *text); /* PB_ERROR */

#ifdef BENCH_HAVE_PEAT
extern const pb_engine pb_engine_peat;
uint64_t pb_peat_defaults_mib(void); /* what Peat takes without options */
#endif
#ifdef BENCH_HAVE_LMDB
extern const pb_engine pb_engine_lmdb;
#endif
#ifdef BENCH_HAVE_ROCKSDB
extern const pb_engine pb_engine_rocksdb;
#endif
#ifdef BENCH_HAVE_LEVELDB
extern const pb_engine pb_engine_leveldb;
#endif
#ifdef BENCH_HAVE_WIREDTIGER
extern const pb_engine pb_engine_wiredtiger;
#endif

#endif
