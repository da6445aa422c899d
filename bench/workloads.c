/* SPDX-License-Identifier: MIT */
/* workloads.c - the names a user may give. */
#include "run.h"

#include <stdio.h>

static const pb_workload *const lists[] = {pb_write_workloads, pb_read_workloads,
                                           pb_queue_workloads, pb_mixed_workloads,
                                           pb_open_workloads};
#define LIST_COUNT (sizeof lists / sizeof lists[0])

const pb_workload *pb_workload_find(const char *name)
{
    for (size_t i = 0; i < LIST_COUNT; i++)
        for (const pb_workload *w = lists[i]; w->name; w++)
            if (strcmp(w->name, name) == 0)
                return w;
    return NULL;
}

void pb_workload_list(void)
{
    for (size_t i = 0; i < LIST_COUNT; i++)
        for (const pb_workload *w = lists[i]; w->name; w++)
            if (w->help)
                printf("  %-17s %s\n", w->name, w->help);
}

static const struct {
    const char *name, *list;
} groups[] = {
    {"core", "fillseq,fillrandom,overwrite,readrandom,readmissing,readhot,readseq,readreverse,"
             "readseqbatch,readreversebatch,seekrandom10,seekrandom100"},
    {"ycsb", "ycsbload,ycsba,ycsbb,ycsbc,ycsbf,ycsbd,ycsbe"},
    {"all", "fillseq,fillbatch100,fillbatch1000,fillsync,fillrandom,overwrite,readrandom,"
            "readmissing,readhot,readseq,readreverse,readseqbatch,readreversebatch,seekrandom10,"
            "seekrandom100,seekfill10,seekfill100,readwhilewriting,reopen,reopenkill,deleterandom,"
            "queuepop,ycsbload,ycsba,ycsbb,ycsbc,ycsbf,ycsbd,ycsbe"},
};

const char *pb_workload_group(const char *name)
{
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        if (strcmp(groups[i].name, name) == 0)
            return groups[i].list;
    return NULL;
}
