/* SPDX-License-Identifier: MIT */
/* output.c - see output.h. */
#include "compact/output.h"

typedef struct out_table {
    pt_table_writer *writer; /* kept until the end: it owns the meta's keys */
    pt_table_meta meta;
    uint64_t number;
    uint64_t obsolete_bytes;
    pt_table_ref stand_in; /* for edits; only its meta is set */
} out_table;

struct pt_output {
    const pt_compact_context *ctx;
    pt_run_kind kind;
    out_table *tables;
    size_t table_count, table_capacity;
    bool open;        /* the last table is being written */
    pt_layer *layers; /* the tables, once all are finished */
    pt_piece *pieces;
    size_t piece_count, piece_capacity;
    uint64_t piece_begin; /* of the last piece that holds something, in its table's file */
    uint64_t seq_min, seq_max;
    uint64_t bytes;
    bool kept;
    bool failed;
};

peat_rc pt_output_new(const pt_compact_context *ctx, pt_run_kind kind, uint64_t seq_min,
                      uint64_t seq_max, pt_output **ret_output)
{
    pt_output *o = (pt_output *)pt_alloc_zero(ctx->env, sizeof *o);
    if (o == NULL)
        return PEAT_NOMEM;
    o->ctx = ctx;
    o->kind = kind;
    o->seq_min = seq_min;
    o->seq_max = seq_max;
    *ret_output = o;
    return PEAT_OK;
}

void pt_output_free(pt_output *o)
{
    if (o == NULL)
        return;
    const pt_env *env = o->ctx->env;
    for (size_t i = 0; i < o->table_count; i++) {
        char name[PT_TABLE_NAME_SIZE];
        pt_table_writer_free(o->tables[i].writer);
        pt_table_name(o->tables[i].number, name);
        if (!o->kept) /* an orphan that stays is removed by the next open */
            (void)env->dir_remove(env->ctx, o->ctx->dir, name);
    }
    pt_free(env, o->tables);
    pt_free(env, o->layers);
    pt_free(env, o->pieces);
    pt_free(env, o);
}

void pt_output_keep(pt_output *o)
{
    PT_ASSERT(!o->open, "I4: a table is whole, and synced, before an edit names it");
    o->kept = true;
}

bool pt_output_has_failed(const pt_output *o)
{
    return o->failed;
}

static peat_rc note_result(pt_output *o, peat_rc rc)
{
    o->failed = o->failed || rc != PEAT_OK;
    return rc;
}

/* What is written to be merged again is compressed as well, by the codec that costs least. */
static pt_codec upper_codec(const pt_compact_context *ctx)
{
    return ctx->codec != PT_CODEC_NONE ? PT_CODEC_LZ4 : PT_CODEC_NONE;
}

static peat_rc open_table(pt_output *o)
{
    const pt_compact_context *ctx = o->ctx;
    bool bottom = o->kind == PT_RUN_BOTTOMMOST;
    if (!pt_grow(ctx->env, &o->tables, &o->table_capacity, o->table_count + 1, sizeof *o->tables))
        return PEAT_NOMEM;
    out_table *t = &o->tables[o->table_count];
    *t = (out_table){.number = atomic_fetch_add(ctx->file_next, 1)};
    pt_table_writer_options options = {.store_id = ctx->store_id,
                                       .file_number = t->number,
                                       .created_edit = ctx->edit_number,
                                       .inputs_seq_min = o->seq_min,
                                       .inputs_seq_max = o->seq_max,
                                       .run_kind = o->kind,
                                       .codec = bottom ? ctx->codec : upper_codec(ctx),
                                       .block_bytes = ctx->block_bytes,
                                       .single_reads = ctx->beyond_memory,
                                       .keys_max = 2 * ctx->entries_max,
                                       .want_filter = !bottom || ctx->bottom_filter,
                                       .want_locator = bottom};
    peat_rc rc = pt_table_writer_new(ctx->env, ctx->dir, ctx->sink, &options, &t->writer);
    if (rc != PEAT_OK)
        return rc;
    o->table_count++;
    o->open = true;
    return PEAT_OK;
}

static out_table *last_table(const pt_output *o)
{
    return &o->tables[o->table_count - 1];
}

/* The last piece of the table that has ended; its blocks end there. */
static void end_piece(pt_output *o, uint64_t end)
{
    if (o->piece_count != 0 && o->pieces[o->piece_count - 1].table + 1 == o->table_count)
        o->pieces[o->piece_count - 1].bytes = end - o->piece_begin;
}

peat_rc pt_output_end_table(pt_output *o)
{
    if (!o->open)
        return PEAT_OK;
    out_table *t = last_table(o);
    o->open = false;
    peat_rc rc = pt_table_writer_finish(t->writer, &t->meta);
    if (rc == PEAT_OK) {
        o->bytes += t->meta.file_bytes;
        end_piece(o, t->meta.section[PT_SECTION_INDEX].offset);
    }
    return note_result(o, rc);
}

/* Its first entry has ended the block of the piece before it: which is shorter, once it is
 * compressed, than it was said to be. */
static void begin_piece_bytes(pt_output *o)
{
    uint64_t begin = pt_table_writer_block_begin(last_table(o)->writer);
    if (o->piece_count > 1) {
        pt_piece *before = &o->pieces[o->piece_count - 2];
        if (before->table + 1 == o->table_count)
            before->bytes = begin - o->piece_begin;
    }
    o->piece_begin = begin;
}

peat_rc pt_output_add(pt_output *o, const pt_entry *entry, uint64_t key_hash)
{
    peat_rc rc = PEAT_OK;
    PT_ASSERT((o->kind == PT_RUN_BOTTOMMOST) == (o->piece_count == 0),
              "an upper run is cut into pieces, a bottommost one into tables");
    if (!o->open)
        TRY(open_table(o));
    pt_table_writer *w = last_table(o)->writer;
    TRY(pt_table_writer_add(w, entry, key_hash));
    if (o->piece_count != 0) {
        pt_piece *p = &o->pieces[o->piece_count - 1];
        if (p->entries++ == 0)
            begin_piece_bytes(o);
        p->tombstones += entry->kind == PT_KIND_DELETE;
    }
out:
    return note_result(o, rc);
}

/* Partitions that share a file keep all of it until the last of them is merged: few are to. */
static bool is_wide(const pt_output *o)
{
    uint64_t most = o->kind == PT_RUN_FLUSHED ? o->ctx->upper_bytes : 0;
    return o->open && most != 0 && pt_table_writer_bytes(last_table(o)->writer) >= most;
}

peat_rc pt_output_begin_piece(pt_output *o, const pt_piece *piece)
{
    peat_rc rc = PEAT_OK;
    uint32_t block;
    if (o->piece_count != 0 && o->pieces[o->piece_count - 1].entries == 0)
        o->piece_count--; /* nothing was left of it */
    if (is_wide(o))
        TRY(pt_output_end_table(o));
    if (o->open)
        TRY(pt_table_writer_cut(last_table(o)->writer, &block));
    bool room =
        pt_grow(o->ctx->env, &o->pieces, &o->piece_capacity, o->piece_count + 1, sizeof *o->pieces);
    TRY(room ? PEAT_OK : PEAT_NOMEM);
    o->pieces[o->piece_count] = *piece;
    o->pieces[o->piece_count++].table = o->table_count - o->open;
out:
    return note_result(o, rc);
}

pt_piece *pt_output_piece(pt_output *o)
{
    return o->piece_count != 0 ? &o->pieces[o->piece_count - 1] : NULL;
}

static peat_rc make_layers(pt_output *o)
{
    if (o->layers == NULL)
        o->layers = (pt_layer *)pt_alloc(o->ctx->env, o->table_count * sizeof *o->layers);
    if (o->layers == NULL)
        return PEAT_NOMEM;
    for (size_t i = 0; i < o->table_count; i++) {
        out_table *t = &o->tables[i];
        t->stand_in.meta = &t->meta;
        o->layers[i] = (pt_layer){.table_ref = &t->stand_in,
                                  .bytes = t->meta.file_bytes,
                                  .entries = t->meta.entries,
                                  .tombstones = t->meta.tombstones,
                                  .obsolete_bytes = t->obsolete_bytes};
    }
    return PEAT_OK;
}

peat_rc pt_output_finish(pt_output *o)
{
    peat_rc rc = PEAT_OK;
    if (o->piece_count != 0 && o->pieces[o->piece_count - 1].entries == 0)
        o->piece_count--;
    TRY(pt_output_end_table(o));
    if (o->table_count != 0) {
        TRY(make_layers(o));
        int e = o->ctx->env->dir_sync(o->ctx->env->ctx, o->ctx->dir);
        if (e != 0)
            rc = pt_fail_os(o->ctx->sink, e, "syncing the store's directory for new tables");
    }
out:
    return note_result(o, rc);
}

pt_output_files pt_output_get_files(const pt_output *o)
{
    if (o == NULL)
        return (pt_output_files){0};
    PT_ASSERT(!o->open && (o->layers != NULL || o->table_count == 0),
              "I4: a table is whole, and synced, before an edit names it");
    for (size_t i = 0; i < o->piece_count; i++)
        PT_ASSERT(o->pieces[i].entries != 0, "a piece holds something");
    return (pt_output_files){.tables = o->layers,
                             .table_count = o->table_count,
                             .pieces = o->pieces,
                             .piece_count = o->piece_count};
}

void pt_output_count_obsolete(pt_output *o, uint64_t bytes)
{
    if (o->open)
        o->tables[o->table_count - 1].obsolete_bytes += bytes;
}

static const pt_table_writer *open_writer(const pt_output *o)
{
    return o->open ? o->tables[o->table_count - 1].writer : NULL;
}

uint64_t pt_output_table_bytes(const pt_output *o)
{
    const pt_table_writer *w = open_writer(o);
    return w != NULL ? pt_table_writer_bytes(w) : 0;
}

bool pt_output_table_full(const pt_output *o)
{
    const pt_table_writer *w = open_writer(o);
    uint64_t most = o->ctx->entries_max != 0 ? o->ctx->entries_max : UINT64_MAX;
    return w != NULL &&
           (pt_table_writer_bytes(w) >= o->ctx->table_bytes || pt_table_writer_entries(w) >= most);
}

uint64_t pt_output_bytes(const pt_output *o)
{
    const pt_table_writer *w = open_writer(o);
    return o->bytes + (w != NULL ? pt_table_writer_bytes(w) : 0);
}
