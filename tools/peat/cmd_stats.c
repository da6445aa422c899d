/* SPDX-License-Identifier: MIT
 *
 * cmd_stats.c - peat stats: the shape of the store, drawn.
 *
 * One bar per layer, then one bar per partition, cut into its layers. Many partitions are drawn a
 * few to a line, so that the picture fits a screen.
 */
#include "codec.h"
#include "output.h"
#include "store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAYER_WIDTH = 40, PARTITION_WIDTH = 32, ROWS_MAX = 24, KEY_WIDTH = 20 };

/* One line of the picture: a partition, or a few neighbours. */
typedef struct band {
    uint64_t partitions;
    uint64_t fresh_slices, fresh_bytes;
    uint64_t mid_slices, mid_bytes;
    uint64_t bottom_bytes;
    uint64_t damages;
    char key[KEY_WIDTH * 4 + 8]; /* the lower bound, shortened, fit for a terminal */
} band;

typedef struct picture {
    const cli_args *args;
    cli_bytes *out;
    band bands[ROWS_MAX];
    size_t band_count;
    const char *glyphs[4]; /* bottom, mid, fresh, other */
} picture;

static bool terminal_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < 3; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && *value != '\0')
            return strstr(value, "UTF-8") != NULL || strstr(value, "utf8") != NULL;
    }
    return false;
}

static void choose_glyphs(picture *p)
{
    static const char *const blocks[4] = {"\xe2\x96\x88", "\xe2\x96\x93", "\xe2\x96\x92",
                                          "\xe2\x96\x91"};
    static const char *const letters[4] = {"#", "=", "-", "."};
    memcpy(p->glyphs, terminal_is_utf8() ? blocks : letters, sizeof p->glyphs);
}

static peat_rc gather(void *ctx, const peat_partition_info *info)
{
    picture *p = ctx;
    uint64_t per_row = (info->count + ROWS_MAX - 1) / ROWS_MAX;
    size_t row = (size_t)(info->index / per_row);
    band *b = &p->bands[row];
    if (b->partitions++ == 0)
        cli_shorten_key(p->args, info->lower, KEY_WIDTH, b->key);
    b->fresh_slices += info->fresh_slices;
    b->fresh_bytes += info->fresh_bytes;
    b->mid_slices += info->mid_slices;
    b->mid_bytes += info->mid_bytes;
    b->bottom_bytes += info->bottom_bytes;
    b->damages += info->damages;
    p->band_count = row + 1;
    return PEAT_OK;
}

static peat_rc gather_json(void *ctx, const peat_partition_info *info)
{
    picture *p = ctx;
    cli_bytes *out = p->out;
    cli_bytes_add_text(out, info->index == 0 ? "{" : ",{");
    cli_json_field(out, "lower", (cli_encoding)p->args->key_format, info->lower);
    cli_bytes_format(out,
                     ",\"bottom_tables\":%" PRIu64 ",\"bottom_bytes\":%" PRIu64
                     ",\"mid_slices\":%" PRIu64 ",\"mid_bytes\":%" PRIu64
                     ",\"fresh_slices\":%" PRIu64 ",\"fresh_bytes\":%" PRIu64
                     ",\"entries\":%" PRIu64 ",\"tombstones\":%" PRIu64
                     ",\"obsolete_bytes\":%" PRIu64 ",\"damages\":%" PRIu64 "}",
                     info->bottom_tables, info->bottom_bytes, info->mid_slices, info->mid_bytes,
                     info->fresh_slices, info->fresh_bytes, info->entries, info->tombstones,
                     info->obsolete_bytes, info->damages);
    return PEAT_OK;
}

static size_t add_glyphs(picture *p, const char *glyph, uint64_t part, uint64_t whole, size_t width)
{
    /* Something that is there is seen. */
    size_t n = whole == 0 ? 0 : (size_t)((double)part / (double)whole * (double)width + 0.5);
    if (part > 0 && n == 0)
        n = 1;
    for (size_t i = 0; i < n; i++)
        cli_bytes_add_text(p->out, glyph);
    return n;
}

static void draw_layer(picture *p, const char *name, const char *glyph, uint64_t bytes,
                       uint64_t whole)
{
    char size[CLI_NUMBER_SIZE];
    cli_bytes_format(p->out, "  %-7s %10s  ", name, cli_human(bytes, size));
    size_t n = add_glyphs(p, glyph, bytes, whole, LAYER_WIDTH);
    cli_bytes_format(p->out, "%*s %3.0f %%\n", n < LAYER_WIDTH ? (int)(LAYER_WIDTH - n) : 0, "",
                     whole == 0 ? 0.0 : 100.0 * (double)bytes / (double)whole);
}

static void draw_layers(picture *p, const peat_statistics *stats)
{
    uint64_t whole = stats->disk_bytes;
    cli_bytes_add_text(p->out, "\nLayers\n");
    draw_layer(p, "log", p->glyphs[3], stats->log_bytes, whole);
    draw_layer(p, "fresh", p->glyphs[2], stats->fresh_bytes, whole);
    draw_layer(p, "mid", p->glyphs[1], stats->mid_bytes, whole);
    draw_layer(p, "bottom", p->glyphs[0], stats->bottom_bytes, whole);
    draw_layer(p, "other", p->glyphs[3], stats->other_bytes, whole);
}

static uint64_t band_bytes(const band *b)
{
    return b->fresh_bytes + b->mid_bytes + b->bottom_bytes;
}

static void draw_band(picture *p, const band *b, uint64_t largest)
{
    char size[CLI_NUMBER_SIZE], text[CLI_COUNTED_SIZE];
    size_t columns = 0;
    cli_bytes_add_text(p->out, "  ");
    size_t n = add_glyphs(p, p->glyphs[0], b->bottom_bytes, largest, PARTITION_WIDTH);
    n += add_glyphs(p, p->glyphs[1], b->mid_bytes, largest, PARTITION_WIDTH);
    n += add_glyphs(p, p->glyphs[2], b->fresh_bytes, largest, PARTITION_WIDTH);
    for (const char *c = b->key; *c != '\0'; c++)
        columns += ((unsigned char)*c & 0xc0) != 0x80;
    cli_bytes_format(p->out, "%*s %10s  %s", n < PARTITION_WIDTH ? (int)(PARTITION_WIDTH - n) : 0,
                     "", cli_human(band_bytes(b), size), b->key);
    if (b->partitions > 1 || b->mid_slices + b->fresh_slices + b->damages > 0)
        cli_bytes_format(p->out, "%*s", columns < KEY_WIDTH ? (int)(KEY_WIDTH - columns) : 0, "");
    if (b->partitions > 1)
        cli_bytes_format(p->out, "  %s", cli_counted(b->partitions, "partition", text));
    if (b->mid_slices + b->fresh_slices > 0)
        cli_bytes_format(p->out, "  +%s",
                         cli_counted(b->mid_slices + b->fresh_slices, "slice", text));
    if (b->damages > 0)
        cli_bytes_format(p->out, "  %" PRIu64 " damaged", b->damages);
    cli_bytes_add_char(p->out, '\n');
}

static void draw_partitions(picture *p, const peat_statistics *stats)
{
    uint64_t largest = 0;
    cli_bytes_format(p->out, "\nPartitions: %s bottom %s mid %s fresh, and the first key\n",
                     p->glyphs[0], p->glyphs[1], p->glyphs[2]);
    for (size_t i = 0; i < p->band_count; i++)
        if (band_bytes(&p->bands[i]) > largest)
            largest = band_bytes(&p->bands[i]);
    for (size_t i = 0; i < p->band_count; i++)
        draw_band(p, &p->bands[i], largest);
    bool settled = stats->slices == 0 && stats->recovered_records == 0;
    cli_bytes_add_text(p->out, settled ? "\nSettled: one run per partition.\n" : "");
}

static void draw_head(picture *p, const peat_statistics *stats)
{
    char a[CLI_COUNTED_SIZE], b[CLI_COUNTED_SIZE], c[CLI_COUNTED_SIZE];
    char d[CLI_COUNTED_SIZE], e[CLI_COUNTED_SIZE];
    cli_bytes_format(p->out, "%s: %s on disk\n%s (of them %s) in %s, %s\n", p->args->dir,
                     cli_human(stats->disk_bytes, a), cli_counted(stats->entries, "entry", b),
                     cli_counted(stats->tombstones, "deletion", c),
                     cli_counted(stats->partitions, "partition", d),
                     cli_counted(stats->tables, "table", e));
    if (stats->recovered_records > 0)
        cli_bytes_format(p->out, "%s in memory, read from the log (%s)\n",
                         cli_human(stats->recovered_bytes, a),
                         cli_counted(stats->recovered_records, "record", b));
    if (stats->obsolete_bytes > 0)
        cli_bytes_format(p->out,
                         "about %s overwritten or deleted, to be merged away (estimated from a "
                         "sample, which takes some new keys for old ones)\n",
                         cli_human(stats->obsolete_bytes, a));
}

/* A counter in the unit that its name ends with. */
static void list_counter(cli_bytes *out, const char *name, uint64_t value)
{
    char text[CLI_NUMBER_SIZE];
    size_t size = strlen(name);
    bool bytes = strstr(name, "_bytes") != NULL || strncmp(name, "bytes_", 6) == 0;
    bool time = strstr(name, "_us_") != NULL || (size > 3 && strcmp(name + size - 3, "_us") == 0);
    if (time)
        (void)snprintf(text, sizeof text, "%.3f s", (double)value / 1e6);
    else if (bytes)
        (void)cli_human(value, text);
    else
        (void)cli_group(value, text);
    cli_bytes_format(out, "  %-24s %16s\n", name, text);
}

static void list_counters(picture *p, const peat_statistics *stats)
{
    cli_bytes_add_text(p->out, "\nCounters, since the store was opened for this, and gauges\n");
#define LIST(name) list_counter(p->out, #name, stats->name);
    PEAT_STATISTICS_LIST(LIST)
#undef LIST
}

static int draw(picture *p, peat_db *db)
{
    peat_statistics stats = {.size = sizeof stats};
    peat_rc rc = peat_stats(db, &stats);
    if (rc == PEAT_OK)
        rc = peat_shape(db, gather, p);
    if (rc != PEAT_OK)
        return cli_store_fail(p->args, db, rc, "look into");
    choose_glyphs(p);
    draw_head(p, &stats);
    draw_layers(p, &stats);
    draw_partitions(p, &stats);
    if (p->args->counters)
        list_counters(p, &stats);
    return CLI_OK;
}

static int draw_json(picture *p, peat_db *db)
{
    peat_buf json = PEAT_BUF_INIT;
    peat_rc rc = peat_stats_json(db, &json);
    if (rc == PEAT_OK) {
        cli_bytes_add_text(p->out, "{\"stats\":");
        cli_bytes_add(p->out, json.data, json.size);
        cli_bytes_add_text(p->out, ",\"partitions\":[");
        rc = peat_shape(db, gather_json, p);
        cli_bytes_add_text(p->out, "]}\n");
    }
    peat_buf_free(&json);
    return rc == PEAT_OK ? CLI_OK : cli_store_fail(p->args, db, rc, "look into");
}

int cli_run_stats(cli_args *args)
{
    peat_db *db = NULL;
    cli_bytes out = {0};
    picture p = {.args = args, .out = &out};
    int code = cli_open(args, CLI_READ, &db);
    if (code != CLI_OK)
        return code;
    code = args->json ? draw_json(&p, db) : draw(&p, db);
    code = cli_close(args, db, code);
    if (code == CLI_OK)
        return cli_print(args, &out);
    cli_bytes_free(&out);
    return code;
}
