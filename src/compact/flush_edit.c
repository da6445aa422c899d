/* SPDX-License-Identifier: MIT */
/* flush_edit.c - see flush_edit.h. */
#include "compact/flush_edit.h"

#include "compact/split.h"

/* Layers of the upper run on their way into an edit: neighbouring pieces of one table that have
 * come to lie in one partition make one layer. */
typedef struct pushing {
    const pt_env *env;
    pt_bytes *edit;
    const pt_version *current;
    size_t partition; /* of the layer under way; SIZE_MAX: none */
    pt_layer layer;
    bool hold_last; /* layers of the last partition are kept back for the plan: */
    pt_layer *held;
    size_t held_count, held_capacity;
} pushing;

static peat_rc push_out(pushing *p)
{
    if (p->partition == SIZE_MAX)
        return PEAT_OK;
    if (!p->hold_last || p->partition + 1 != p->current->count)
        return pt_edit_push(p->edit, p->current->partitions[p->partition]->id, &p->layer);
    if (!pt_grow(p->env, &p->held, &p->held_capacity, p->held_count + 1, sizeof *p->held))
        return PEAT_NOMEM;
    p->held[p->held_count++] = p->layer;
    return PEAT_OK;
}

static peat_rc push_piece(pushing *p, const pt_layer *file, const pt_piece *piece)
{
    size_t first = piece->lower.size == 0 ? 0 : pt_version_partition_of(p->current, piece->lower);
    size_t end = first + 1;
    while (end < p->current->count &&
           (piece->upper.data == NULL ||
            pt_slice_compare(p->current->partitions[end]->lower, piece->upper) < 0))
        end++;
    uint64_t parts = end - first;
    PT_ASSERT(first < p->current->count && (p->partition == SIZE_MAX || first >= p->partition),
              "I6: pieces come in the order of partitions");
    for (size_t i = first; i < end; i++) {
        if (i != p->partition || p->layer.table_ref != file->table_ref) {
            peat_rc rc = push_out(p);
            if (rc != PEAT_OK)
                return rc;
            p->partition = i;
            p->layer = (pt_layer){.table_ref = file->table_ref};
        }
        p->layer.bytes += piece->bytes / parts;
        p->layer.entries += piece->entries / parts;
        p->layer.tombstones += piece->tombstones / parts;
        p->layer.obsolete_bytes += piece->obsolete_bytes / parts;
    }
    return PEAT_OK;
}

/* The last partition gets the appended tables, and the layers that were held back. */
static peat_rc append_edit(const pt_flush_edit_input *in, const pt_version *current,
                           const pushing *held, bool may_split, uint64_t *io_partition_next,
                           pt_bytes *io_edit)
{
    const pt_partition *p = current->partitions[current->count - 1];
    size_t n = in->appended.table_count, bottoms = p->bottom_count + n;
    size_t runs_count = held->held_count + p->run_count;
    pt_layer *layers = (pt_layer *)pt_alloc(in->env, (bottoms + runs_count) * sizeof *layers);
    if (layers == NULL)
        return PEAT_NOMEM;
    if (p->bottom_count != 0)
        memcpy(layers, p->bottom, p->bottom_count * sizeof *layers);
    for (size_t i = 0; i < n; i++)
        layers[p->bottom_count + i] = in->appended.tables[i];
    pt_layer *runs = layers + bottoms;
    if (held->held_count != 0)
        memcpy(runs, held->held, held->held_count * sizeof *layers);
    if (p->run_count != 0)
        memcpy(runs + held->held_count, p->runs, p->run_count * sizeof *layers);
    pt_split_plan plan = {.id = p->id,
                          .lower = p->lower,
                          .runs = runs,
                          .run_count = runs_count,
                          .bottom = layers,
                          .bottom_count = bottoms};
    peat_rc rc = pt_split_edit(in->env, &plan, may_split ? in->partition_bytes : UINT64_MAX / 4,
                               io_partition_next, io_edit);
    pt_free(in->env, layers);
    return rc;
}

static peat_rc add_tables(const pt_output_files *files, pt_bytes *io_edit)
{
    peat_rc rc = PEAT_OK;
    for (size_t i = 0; i < files->table_count && rc == PEAT_OK; i++)
        rc = pt_edit_add_table(io_edit, files->tables[i].table_ref->meta);
    return rc;
}

peat_rc pt_flush_edit_make(const pt_flush_edit_input *in, const pt_version *current, bool may_split,
                           uint64_t *io_partition_next, pt_bytes *io_edit)
{
    peat_rc rc = PEAT_OK;
    bool append = in->appended.table_count != 0;
    pushing p = {.env = in->env,
                 .edit = io_edit,
                 .current = current,
                 .partition = SIZE_MAX,
                 .hold_last = append};
    TRY(add_tables(&in->runs, io_edit));
    TRY(add_tables(&in->appended, io_edit));
    if (in->runs.table_count != 0) {
        for (size_t i = 0; i < in->runs.piece_count; i++)
            TRY(push_piece(&p, &in->runs.tables[in->runs.pieces[i].table], &in->runs.pieces[i]));
        TRY(push_out(&p));
    }
    if (append)
        TRY(append_edit(in, current, &p, may_split, io_partition_next, io_edit));
out:
    pt_free(in->env, p.held);
    return rc;
}
