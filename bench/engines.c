/* SPDX-License-Identifier: MIT */
/* engines.c - which engines this program was built with. */
#include "engine.h"

#include <stdio.h>
#include <string.h>

static const pb_engine *const engines[] = {
#ifdef BENCH_HAVE_PEAT
    &pb_engine_peat,
#endif
#ifdef BENCH_HAVE_LMDB
    &pb_engine_lmdb,
#endif
#ifdef BENCH_HAVE_ROCKSDB
    &pb_engine_rocksdb,
#endif
#ifdef BENCH_HAVE_LEVELDB
    &pb_engine_leveldb,
#endif
#ifdef BENCH_HAVE_WIREDTIGER
    &pb_engine_wiredtiger,
#endif
    NULL,
};

const pb_engine *pb_engine_at(size_t index)
{
    return index < sizeof engines / sizeof engines[0] ? engines[index] : NULL;
}

const pb_engine *pb_engine_find(const char *name)
{
    const pb_engine *e;
    for (size_t i = 0; (e = pb_engine_at(i)); i++)
        if (strcmp(e->name, name) == 0)
            return e;
    return NULL;
}

int pb_engine_fail(const char *engine, const char *what, const char *text)
{
    fprintf(stderr, "peat-bench: %s: %s: %s\n", engine, what, text ? text : "unknown error");
    return PB_ERROR;
}
