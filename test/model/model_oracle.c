/* SPDX-License-Identifier: MIT */
/* model_oracle.c - what the store must answer: per key all versions ever written, by commit. */
#include "model/model.h"

#include <stdlib.h>

void model_oracle_init(model_oracle *o, size_t ranks)
{
    *o = (model_oracle){.ranks = ranks, .of_rank = calloc(ranks, sizeof *o->of_rank)};
}

void model_oracle_done(model_oracle *o)
{
    for (size_t i = 0; i < o->ranks; i++)
        free(o->of_rank[i].versions);
    free(o->of_rank);
    *o = (model_oracle){0};
}

/* Within one commit the last operation on a key counts. */
void model_oracle_set(model_oracle *o, size_t rank, const model_value *value)
{
    model_history *h = &o->of_rank[rank];
    if (h->count == h->capacity) {
        h->capacity = h->capacity ? 2 * h->capacity : 4;
        h->versions = realloc(h->versions, h->capacity * sizeof *h->versions);
    }
    if (h->count == 0 || h->versions[h->count - 1].seq != o->seq)
        h->count++;
    h->versions[h->count - 1] = (model_version){
        .seq = o->seq, .deleted = value == NULL, .value = value ? *value : (model_value){0, 0}};
}

const model_version *model_oracle_get(const model_oracle *o, size_t rank, uint64_t seq)
{
    const model_history *h = &o->of_rank[rank];
    size_t low = 0, high = h->count; /* versions[low - 1] is of that moment */
    if (high != 0 && h->versions[high - 1].seq <= seq)
        low = high;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (h->versions[middle].seq <= seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 || h->versions[low - 1].deleted ? NULL : &h->versions[low - 1];
}

int64_t model_oracle_up(const model_oracle *o, uint64_t seq, int64_t from, int64_t upper)
{
    for (int64_t rank = from; rank < upper; rank++)
        if (model_oracle_get(o, (size_t)rank, seq) != NULL)
            return rank;
    return -1;
}

int64_t model_oracle_down(const model_oracle *o, uint64_t seq, int64_t from, int64_t lower)
{
    for (int64_t rank = from; rank >= lower; rank--)
        if (model_oracle_get(o, (size_t)rank, seq) != NULL)
            return rank;
    return -1;
}
