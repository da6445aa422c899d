/* SPDX-License-Identifier: MIT
 *
 * commands.c - the one table of commands: usage, manual, options.
 */
#include "cli.h"
#include "suggest.h"

#include <string.h>

const cli_command cli_commands[] = {
    {"get", "KEY...", "print the values of keys",
     "Prints the value of KEY: its bytes and nothing else, so that a redirected output is the "
     "value. A newline follows on a terminal, and behind hex and base64; a terminal gets control "
     "bytes as \\xHH, unless --raw is given. Of several KEYs, and with --json, the records are "
     "printed as scan prints them.\n\n"
     "The exit code is 1 when one of the keys is not there; the others are printed all the same.",
     "peat get words.peat bog\npeat get photos.peat cat > cat.jpg\n"
     "peat get -k hex words.peat 626f67\npeat get words.peat bog fen mire",
     CLI_TAKES_STORE, 1, CLI_ANY, cli_run_get,
     "db key-format value-format format separator no-escapes no-newline raw json wait quiet memory "
     "help"},
    {"put", "KEY VALUE...", "set the values of keys",
     "Sets KEY to VALUE, creating the store if there is none. Several pairs are written as one: "
     "all "
     "of them are there afterwards, or none. When the command returns, they are on disk.",
     "peat put words.peat bog 'wet ground'\npeat put --value-file photo.jpg words.peat photo\n"
     "peat put words.peat temperature -- -5\n"
     "peat put words.peat fen 'low land' mire 'deep mud'",
     CLI_TAKES_STORE, 2, CLI_PAIRS, cli_run_put,
     "db key-format value-format value-file compression wait memory quiet help"},
    {"del", "KEY...", "remove keys",
     "Removes each KEY. When the command returns, that is on disk.\n\n"
     "The exit code is 1 when one of the keys was not there; the others are removed all the same.",
     "peat del words.peat bog fen", CLI_TAKES_STORE, 1, CLI_ANY, cli_run_del,
     "db key-format wait memory quiet help"},
    {"scan", "", "print records in order of their keys",
     "Prints records in the order of their keys' bytes, between bounds, one way or the other.\n\n"
     "The exit code is 1 when there was none to print.",
     "peat scan --prefix 'GREEK SMALL' --limit 5 unicode.peat\n"
     "peat scan --reverse --keys-only --limit 1 words.peat\n"
     "peat scan --lower b --upper c --json words.peat",
     CLI_TAKES_STORE, 0, 0, cli_run_scan,
     "db prefix lower upper reverse limit keys-only values-only key-format value-format format "
     "separator no-escapes raw json progress wait memory quiet help"},
    {"count", "", "count records",
     "Counts the records between bounds, exactly, by reading their keys; with --approximate, at "
     "once from indexes, where overwritten and deleted ones count until they are merged away.",
     "peat count words.peat\npeat count --prefix user/ words.peat", CLI_TAKES_STORE, 0, 0,
     cli_run_count, "db prefix lower upper key-format approximate json wait memory quiet help"},
    {"load", "[FILE...]", "write records from files or a pipe",
     "Writes the records of each FILE, or of standard input, in batches, creating the store if "
     "there is none. A FILE of - is standard input. Formats: see peat(1). A FILE that cannot be "
     "read is found before anything is loaded. With --json, input that begins with a brace is read "
     "as "
     "jsonl, unless a format is given.\n\n"
     "When the command ends with exit code 0, everything is on disk. When it is killed, every "
     "batch that was acknowledged (--ack) survives. Bad input ends it with exit code 2 and the "
     "number of the bad record and where it begins; the records before it stay. A key of more than "
     "65,535 bytes or a value of more than 1 GiB is bad input, and is found before more of it is "
     "read. SIGINT ends it between two batches.",
     "peat load words.peat words.tsv\npeat load -f jsonl -F id users.peat < users.jsonl\n"
     "peat load -t ';' unicode.peat UnicodeData.txt\n"
     "peat dump old.peat | peat load new.peat",
     CLI_TAKES_STORE, 0, CLI_ANY, cli_run_load,
     "db format separator no-escapes key-field key-format value-format batch sync ack no-log "
     "settle compression json wait memory quiet help"},
    {"dump", "", "print every record",
     "Prints every record, or those between bounds, in the order of the keys: one state of the "
     "store, that of the moment the command began. What it prints, load reads, for any bytes.",
     "peat dump words.peat > words.tsv\npeat dump -f nul -k hex -v hex words.peat\n"
     "peat dump --json --prefix user/ users.peat | peat load --json copy.peat",
     CLI_TAKES_STORE, 0, 0, cli_run_dump,
     "db prefix lower upper format separator no-escapes key-format value-format raw json progress "
     "wait memory quiet help"},
    {"info", "", "tell what the store is",
     "Tells what the store is: its format and application, how much is in it and how densely, its "
     "first and last key, and where its records and bytes are by the beginning of their keys.\n\n"
     "The beginnings are up to --limit (default 16): those that most of the keys have. Their "
     "counts "
     "and bytes are estimates from indexes.",
     "peat info words.peat\npeat info --json words.peat", CLI_TAKES_STORE, 0, 0, cli_run_info,
     "db key-format limit json wait memory quiet help"},
    {"stats", "", "draw the shape of the store",
     "Draws where the bytes are: layers, partitions and their runs. With --json, every counter "
     "of the library and every partition. A settled store has one run (bottom) per partition.\n\n"
     "Entries are all versions that are stored, in tables and in memory. What is overwritten or "
     "deleted is estimated from a sample of the keys, and so are the bytes of a partition that "
     "shares tables with others.",
     "peat stats words.peat\npeat stats --counters words.peat\npeat stats --json words.peat",
     CLI_TAKES_STORE, 0, 0, cli_run_stats, "db counters json key-format wait memory quiet help"},
    {"check", "", "verify every byte",
     "Reads every file of the store and verifies checksums, order, counts and references. Each "
     "damaged place is a line on standard output: file, offset, what is wrong. Changes nothing.\n\n"
     "The exit code is 0 for a sound store and 3 for a damaged one.",
     "peat check words.peat\npeat check --json words.peat", CLI_TAKES_STORE, 0, 0, cli_run_check,
     "db json wait memory quiet help"},
    {"repair", "NEW", "make a new store of what is left of a damaged one",
     "Makes the store NEW of every record that can still be read of the damaged store DIR, which "
     "is "
     "not changed. Each damaged place is a line on standard output, as with check.\n\n"
     "A record is doubtful when a place is lost where it could have been overwritten or deleted "
     "later. Doubtful records are left out of NEW, unless --accept-doubtful is given; --doubtful "
     "writes them to a file to look through. When the manifest is lost all records are "
     "doubtful.\n\n"
     "Try it after a copy of the disk was made, and only when there is no better copy: a backup is "
     "complete, a repair is what is left.\n\n"
     "The exit code is 0 when nothing is missing in NEW, 1 when NEW was made but records are lost "
     "or "
     "were left out, 3 when it could not be made.",
     "peat repair broken.peat mended.peat\n"
     "peat repair --doubtful doubtful.tsv broken.peat mended.peat\n"
     "peat load mended.peat doubtful.tsv",
     CLI_TAKES_STORE, 1, 1, cli_run_repair,
     "db doubtful accept-doubtful format separator no-escapes key-format value-format compression "
     "json wait memory quiet help"},
    {"compact", "", "rewrite the store into its densest form",
     "Rewrites the records between bounds, or all, into one run without overwritten and deleted "
     "ones. What is such a run already stays as it is, its compression too. The store does this by "
     "itself when it pays; this does it now. SIGINT stops it and keeps what was done.",
     "peat compact words.peat\npeat compact --prefix user/ users.peat", CLI_TAKES_STORE, 0, 0,
     cli_run_compact, "db prefix lower upper key-format compression json wait memory quiet help"},
    {"export", "", "stream a copy of the store to standard output",
     "Writes one state of the store, or of the records between bounds, as a checksummed stream, "
     "for "
     "a file, a pipe or another machine. peat import makes a store from it, and refuses one that "
     "was cut short.",
     "peat export words.peat > words.stream\n"
     "peat export words.peat | ssh host peat import words.peat",
     CLI_TAKES_STORE, 0, 0, cli_run_export,
     "db prefix lower upper key-format progress wait memory quiet help"},
    {"import", "", "make a store from a stream on standard input",
     "Makes a new store from what peat export wrote. The exit code is 0 when the copy is complete, "
     "verified and on disk; otherwise there is no store at DIR.",
     "peat import copy.peat < words.stream", CLI_TAKES_STORE, 0, 0, cli_run_import,
     "db compression wait memory quiet help"},
    {"help", "[COMMAND]", "explain a command", "Explains COMMAND, or lists the commands.",
     "peat help load\npeat help --man load | man -l -", CLI_NO_STORE, 0, 1, cli_run_help,
     "man completion write help"},
    {"version", "", "print the version", "Prints the version of the command and of the library.",
     "peat version", CLI_NO_STORE, 0, 0, cli_run_version, "json help"},
    {NULL, NULL, NULL, NULL, NULL, CLI_NO_STORE, 0, 0, NULL, NULL},
};

const cli_command *cli_find_command(const char *name)
{
    for (const cli_command *c = cli_commands; c->name != NULL; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

int cli_no_command(const cli_args *args, const char *name)
{
    cli_guess guess = {0};
    if (*name == '-')
        return cli_fail(
            args, CLI_USAGE,
            "no command '%s'; options go after the command, as in 'peat COMMAND %s ...'; "
            "see 'peat help'",
            name, name);
    for (const cli_command *c = cli_commands; c->name != NULL; c++)
        cli_guess_offer(&guess, name, strlen(name), c->name);
    if (guess.name != NULL)
        return cli_fail(args, CLI_USAGE, "no command '%s'; did you mean '%s'? See 'peat help'",
                        name, guess.name);
    return cli_fail(args, CLI_USAGE, "no command '%s'; see 'peat help'", name);
}
