/* SPDX-License-Identifier: MIT */
/* merge_edit.c - see merge_edit.h. */
#include "compact/merge_edit.h"

#include "compact/split.h"

static const pt_partition *partition_then(const pt_merge_edit_input *in, size_t i)
{
    return in->version->partitions[in->pick->first + i];
}

static const pt_partition *find_partition(const pt_version *v, uint64_t id)
{
    for (size_t i = 0; i < v->count; i++)
        if (v->partitions[i]->id == id)
            return v->partitions[i];
    return NULL;
}

static bool is_input(const pt_layer *inputs, size_t count, const pt_layer *l)
{
    for (size_t i = 0; i < count; i++)
        if (inputs[i].table_ref == l->table_ref)
            return true;
    return false;
}

/* The layers that were not merged: newer upper runs on top, older ones below, in order; the new
 * one, if there is one, takes the place of the inputs. Returns how many. */
static size_t rest_of_runs(const pt_partition *cur, const pt_partition *then,
                           const pt_merge_part *part, const pt_layer *replacement,
                           pt_layer *ret_layers)
{
    size_t n = 0, replaced = 0;
    bool placed = replacement == NULL;
    for (size_t i = 0; i < cur->run_count; i++) {
        const pt_layer *l = &cur->runs[i];
        if (!is_input(then->runs + part->run_from, part->run_count, l)) {
            ret_layers[n++] = *l;
            continue;
        }
        if (!placed)
            ret_layers[n++] = *replacement;
        placed = true;
        replaced++;
    }
    PT_ASSERT(placed && replaced >= part->run_count,
              "I9: what a merge has read is still there when its outcome is installed");
    return n;
}

static uint64_t inputs_obsolete(const pt_partition *p, const pt_merge_part *part)
{
    uint64_t n = 0;
    for (size_t i = 0; i < part->run_count; i++)
        n += p->runs[part->run_from + i].obsolete_bytes;
    return n;
}

static peat_rc intermediate_part_edit(const pt_merge_edit_input *in, size_t i,
                                      const pt_version *current, size_t *io_piece,
                                      pt_bytes *io_edit)
{
    const pt_partition *then = partition_then(in, i);
    const pt_partition *cur = find_partition(current, then->id);
    PT_ASSERT(cur != NULL, "I9: a partition that is claimed does not go");
    pt_layer layer = {0};
    bool any = false;
    if (*io_piece < in->files.piece_count) {
        const pt_piece *piece = &in->files.pieces[*io_piece];
        any = piece->partition_id == then->id;
        if (any) {
            uint64_t obsolete = inputs_obsolete(then, &in->pick->parts[i]);
            uint64_t dropped = in->dropped_bytes[i];
            layer = in->files.tables[0];
            layer.bytes = piece->bytes;
            layer.entries = piece->entries;
            layer.tombstones = piece->tombstones;
            layer.obsolete_bytes = obsolete > dropped ? obsolete - dropped : 0;
            ++*io_piece;
        }
    }
    pt_layer *runs = (pt_layer *)pt_alloc(in->env, (cur->run_count + 1) * sizeof *runs);
    if (runs == NULL)
        return PEAT_NOMEM;
    size_t n = rest_of_runs(cur, then, &in->pick->parts[i], any ? &layer : NULL, runs);
    peat_rc rc = pt_edit_add_partition(io_edit, cur->id, cur->lower, runs, n, cur->bottom,
                                       cur->bottom_count);
    pt_free(in->env, runs);
    return rc;
}

/* Tables that were appended behind the merged ones meanwhile stay, behind them. */
static size_t new_bottom(const pt_merge_edit_input *in, const pt_version *current,
                         pt_layer *ret_layers)
{
    size_t n = 0;
    for (size_t i = 0; i < in->files.table_count; i++)
        ret_layers[n++] = in->files.tables[i];
    for (size_t i = 0; i < in->pick->count; i++) {
        const pt_partition *then = partition_then(in, i);
        const pt_partition *cur = find_partition(current, then->id);
        PT_ASSERT(cur->bottom_count >= then->bottom_count && cur->run_count >= then->run_count,
                  "I9: what a merge has read is still there when its outcome is installed");
        for (size_t j = 0; j < cur->bottom_count; j++)
            if (!is_input(then->bottom, then->bottom_count, &cur->bottom[j]))
                ret_layers[n++] = cur->bottom[j];
    }
    return n;
}

static void add_layer_sizes(pt_layer *io, const pt_layer *l)
{
    io->bytes += l->bytes;
    io->entries += l->entries;
    io->tombstones += l->tombstones;
    io->obsolete_bytes += l->obsolete_bytes;
}

/* Upper runs that came on top while the merge ran, of all its partitions: one layer per file,
 * newest first. */
static size_t new_runs(const pt_merge_edit_input *in, const pt_version *current,
                       pt_layer *ret_layers)
{
    size_t n = 0;
    for (size_t i = 0; i < in->pick->count; i++) {
        const pt_partition *then = partition_then(in, i);
        const pt_partition *cur = find_partition(current, then->id);
        for (size_t j = 0; j < cur->run_count; j++) {
            const pt_layer *l = &cur->runs[j];
            if (is_input(then->runs, then->run_count, l))
                continue;
            size_t at = 0;
            while (at < n &&
                   ret_layers[at].table_ref->meta->file_number > l->table_ref->meta->file_number)
                at++;
            if (at < n && ret_layers[at].table_ref == l->table_ref) {
                add_layer_sizes(&ret_layers[at], l);
                continue;
            }
            memmove(ret_layers + at + 1, ret_layers + at, (n - at) * sizeof *ret_layers);
            ret_layers[at] = *l;
            n++;
        }
    }
    return n;
}

static peat_rc bottom_edit(const pt_merge_edit_input *in, const pt_version *current,
                           uint64_t *io_partition_next, pt_bytes *io_edit)
{
    size_t most = in->files.table_count;
    for (size_t i = 0; i < in->pick->count; i++) {
        const pt_partition *cur = find_partition(current, partition_then(in, i)->id);
        PT_ASSERT(cur != NULL, "I9: a partition that is claimed does not go");
        most += cur->bottom_count + cur->run_count;
    }
    pt_layer *layers = (pt_layer *)pt_alloc(in->env, 2 * most * sizeof *layers);
    if (layers == NULL)
        return PEAT_NOMEM;
    const pt_partition *p = partition_then(in, 0);
    pt_split_plan plan = {.id = p->id, .lower = p->lower};
    plan.bottom = layers;
    plan.bottom_count = new_bottom(in, current, layers);
    plan.runs = layers + most;
    plan.run_count = new_runs(in, current, layers + most);
    peat_rc rc = PEAT_OK;
    for (size_t i = 1; i < in->pick->count && rc == PEAT_OK; i++)
        rc = pt_edit_drop_partition(io_edit, partition_then(in, i)->id);
    if (rc == PEAT_OK)
        rc = pt_split_edit(in->env, &plan, in->partition_bytes, io_partition_next, io_edit);
    pt_free(in->env, layers);
    return rc;
}

peat_rc pt_merge_edit_make(const pt_merge_edit_input *in, const pt_version *current,
                           uint64_t *io_partition_next, pt_bytes *io_edit)
{
    peat_rc rc = PEAT_OK;
    size_t piece = 0;
    for (size_t i = 0; i < in->files.table_count; i++)
        TRY(pt_edit_add_table(io_edit, in->files.tables[i].table_ref->meta));
    if (in->pick->kind == PT_MERGE_BOTTOMMOST)
        return bottom_edit(in, current, io_partition_next, io_edit);
    for (size_t i = 0; i < in->pick->count; i++)
        TRY(intermediate_part_edit(in, i, current, &piece, io_edit));
out:
    return rc;
}
