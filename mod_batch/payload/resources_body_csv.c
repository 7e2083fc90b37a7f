/*
 * The format CSV (RFC 4180): a header row, and a row an item. libcsv finds the cells. It holds one
 * cell at a time, whatever its size, so it is fed a line at a time and at most SLICE_BYTES of one,
 * and what it holds of a row that is too large is thrown away each time.
 */
#include "payload/body_format.h"

#include <string.h>

#include <apr_strings.h>
#include <csv.h>

#include "payload/header_words.h"
#include "payload/item_csv.h"
#include "text/check.h"

/* Fed to libcsv at a time. */
#define SLICE_BYTES ((apr_size_t)16 * 1024)

/* By so much libcsv's memory of a cell grows each time. */
#define CELL_BYTES ((apr_size_t)4 * 1024)

/* Bytes that a header row may have. */
#define HEADER_BYTES ((apr_size_t)1024 * 1024)

/** The file while it comes. */
typedef struct csv_file {
    unsigned magic;
#define CSV_FILE_MAGIC 0x2c1f0f3au
    batch_resources_body_t *body;
    struct csv_parser parser;
    int bom_used;         /* bytes of a byte order mark at the start; -1: behind the start */
    apr_int64_t line;     /* the physical line that is being read, from 1 */
    apr_size_t line_used; /* its bytes so far */
    int after_cr;         /* the last byte was CR: LF would be of the same line end */
    /* The row that is being read. */
    int open;                /* it has begun */
    apr_int64_t row_line;    /* where it has begun */
    apr_size_t row_used;     /* its bytes so far, with the line end that was just fed */
    apr_size_t ended;        /* bytes of the line end that was just fed */
    int has_text;            /* one of its cells so far has more than blanks */
    batch_text_buffer_t row; /* its cells, unless it is too large */
    apr_size_t most;         /* bytes that a row may have */
    int has_header;
    batch_csv_header_t header;
    apr_status_t status; /* of the callbacks; another than APR_SUCCESS ends the reading */
    batch_error_t *err;  /* of the call that is under way */
} csv_file_t;

/* ---- What libcsv finds ------------------------------------------------------------------------
 */

/** Spaces are a part of a cell: RFC 4180, section 2. */
static int is_space(unsigned char byte)
{
    (void)byte;
    return 0;
}

static int is_blank(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    return at == end;
}

/** 1 if the row has more bytes than are kept. */
static int is_too_large(const csv_file_t *file)
{
    return file->row_used > file->most + file->ended;
}

static void cell_found(void *cell, size_t length, void *baton)
{
    csv_file_t *file = BATCH_CAST(csv_file_t, baton, CSV_FILE_MAGIC);

    if (length && !is_blank(cell, (const char *)cell + length)) {
        file->has_text = 1;
    }
    if (!is_too_large(file)) {
        batch_csv_row_add(&file->row, cell, length);
    }
}

static void take_header(csv_file_t *file)
{
    batch_resources_body_t *body = file->body;
    int before = body->problems->nelts;

    file->has_header = 1;
    file->header.is_all = !file->ended && file->line == 1;
    if (is_too_large(file)) {
        file->status = batch_body_refuse(
            body, file->err, file->row_line, 0, "header",
            "the header row has more than %" APR_SIZE_T_FMT " bytes%s", file->most,
            file->header.is_all ? "; the file is one line: curl -d takes line ends out, "
                                  "--data-binary does not"
                                : "");
        return;
    }
    batch_csv_header_read(&file->header, &file->row, body->resource, file->row_line, body->problems,
                          body->p);
    file->most = (apr_size_t)body->max_item_size + (file->header.skipped ? BATCH_ITEM_WRAPPING : 0);
    for (int i = before; i < body->problems->nelts; i++) {
        APR_ARRAY_IDX(body->problems, i, batch_problem_t).line = file->row_line;
    }
    if (body->problems->nelts > before) {
        const batch_problem_t *problem = &APR_ARRAY_IDX(body->problems, before, batch_problem_t);

        file->status = batch_error_set(file->err, BATCH_EINVALID, NULL, body->p, "header %s: %s",
                                       problem->field, problem->message);
        file->err->line = file->row_line;
    }
}

/** A row of which nothing is kept any more may have had a text in it. */
static void row_found(int end, void *baton)
{
    csv_file_t *file = BATCH_CAST(csv_file_t, baton, CSV_FILE_MAGIC);

    (void)end;
    if (file->status == APR_SUCCESS && (file->has_text || is_too_large(file))) {
        if (!file->has_header) {
            take_header(file);
        } else {
            batch_spool_entry_t entry = {file->row_line, file->row.data, file->row.used};

            if (is_too_large(file)) {
                entry.text = NULL;
            }
            file->status = batch_body_add_item(file->body, &entry);
        }
    }
    file->open = 0;
    file->row_used = 0;
    file->row.used = 0;
}

/* ---- Reading ----------------------------------------------------------------------------------
 */

static apr_status_t parser_free(void *parser)
{
    csv_free(parser);
    return APR_SUCCESS;
}

static apr_status_t make(batch_resources_body_t *body, batch_error_t *err)
{
    csv_file_t *file = apr_pcalloc(body->p, sizeof(*file));

    file->magic = CSV_FILE_MAGIC;
    if (csv_init(&file->parser, CSV_STRICT | CSV_STRICT_FINI)) {
        return batch_error_set(err, APR_ENOMEM, NULL, body->p, "no memory");
    }
    apr_pool_cleanup_register(body->p, &file->parser, parser_free, apr_pool_cleanup_null);
    csv_set_space_func(&file->parser, is_space);
    csv_set_blk_size(&file->parser, CELL_BYTES);
    file->body = body;
    file->line = 1;
    file->most = HEADER_BYTES;
    file->row.p = body->p;
    file->header.max_item_size = body->max_item_size;
    body->state = file;
    return APR_SUCCESS;
}

/** libcsv has stopped at the byte `at` of what it was fed last, with `rest`. */
static apr_status_t stopped(csv_file_t *file, apr_size_t at, const char *rest, apr_size_t length)
{
    const char *other;

    if (file->status != APR_SUCCESS) {
        return file->status;
    }
    if (csv_error(&file->parser) != CSV_EPARSE) {
        return batch_error_set(file->err, APR_ENOMEM, NULL, file->body->p, "libcsv: %s",
                               csv_strerror(csv_error(&file->parser)));
    }
    other = batch_header_separator_name(rest, length);
    return batch_body_refuse(
        file->body, file->err, file->line, (apr_int64_t)(file->line_used + at) + 1, "body",
        "%s%s%s",
        file->parser.quoted
            ? "behind the closing quote of a cell there must be a comma or the end of the row; a "
              "quote inside a cell is written twice"
            : "a cell with a quote in it must stand in quotes, and the quote must be written "
              "twice",
        other ? "; cells are separated by commas, not by " : "", other ? other : "");
}

/** Feeds a piece of one line, the last of whose bytes, as many as ended says, are its end. */
static apr_status_t feed_piece(csv_file_t *file, const char *bytes, apr_size_t length,
                               apr_size_t ended)
{
    apr_size_t fed;

    if (!file->open && length > ended) {
        file->open = 1;
        file->has_text = 0;
        file->row_line = file->line;
    }
    file->ended = ended;
    file->row_used += file->open ? length : 0;
    fed = csv_parse(&file->parser, bytes, length, cell_found, row_found, file);
    if (fed != length || file->status != APR_SUCCESS) {
        return stopped(file, fed, bytes + fed, length - fed);
    }
    if (file->open && is_too_large(file)) {
        /* One byte stays: libcsv takes a quote that it has put there back. */
        file->parser.entry_pos = file->parser.entry_pos ? 1 : 0;
        file->row.used = 0;
    }
    file->ended = 0;
    file->line_used += length;
    if (ended) {
        file->line++;
        file->line_used = 0;
    }
    return APR_SUCCESS;
}

/** Feeds a slice, a line at a time; lines end with LF, CRLF or CR. */
static apr_status_t feed_slice(csv_file_t *file, const char *at, const char *end)
{
    const char *lf = at;
    const char *cr = at;
    apr_status_t status = APR_SUCCESS;

    if (at < end && file->after_cr && *at == '\n') {
        at++; /* libcsv has seen the line end, and would take this for a blank line */
        if (file->open) {
            /* It is in a cell. */
            status = csv_parse(&file->parser, "\n", 1, cell_found, row_found, file) == 1
                         ? APR_SUCCESS
                         : stopped(file, 0, "", 0);
            file->row_used++;
        }
    }
    file->after_cr = 0;
    while (at < end && status == APR_SUCCESS) {
        apr_size_t ended;

        if (lf && lf <= at) {
            lf = memchr(at, '\n', (apr_size_t)(end - at));
        }
        if (cr && cr <= at) {
            cr = memchr(at, '\r', (apr_size_t)(end - at));
        }
        if (cr && (!lf || cr < lf)) {
            ended = 1 + (cr + 1 == lf);
            file->after_cr = cr + 1 == end;
            status = feed_piece(file, at, (apr_size_t)(cr - at) + ended, ended);
            at = cr + ended;
        } else if (lf) {
            status = feed_piece(file, at, (apr_size_t)(lf - at) + 1, 1);
            at = lf + 1;
        } else {
            status = feed_piece(file, at, (apr_size_t)(end - at), 0);
            at = end;
        }
    }
    return status;
}

/** Skips a byte order mark; returns where the file goes on. What only began as one is fed. */
static const char *skip_bom(csv_file_t *file, const char *at, const char *end, apr_status_t *status)
{
    static const char bom[] = "\xef\xbb\xbf";

    while (at < end && file->bom_used >= 0 && *at == bom[file->bom_used]) {
        at++;
        file->bom_used = file->bom_used == 2 ? -1 : file->bom_used + 1;
    }
    if (at < end && file->bom_used >= 0) {
        apr_size_t used = (apr_size_t)file->bom_used;

        file->bom_used = -1;
        *status = used ? feed_slice(file, bom, bom + used) : APR_SUCCESS;
    }
    return at;
}

static apr_status_t feed(batch_resources_body_t *body, const char *bytes, apr_size_t length,
                         batch_error_t *err)
{
    csv_file_t *file = BATCH_CAST(csv_file_t, body->state, CSV_FILE_MAGIC);
    const char *end = bytes + length;
    apr_status_t status = APR_SUCCESS;

    file->err = err;
    bytes = skip_bom(file, bytes, end, &status);
    while (bytes < end && status == APR_SUCCESS) {
        apr_size_t left = (apr_size_t)(end - bytes);

        length = left < SLICE_BYTES ? left : SLICE_BYTES;
        status = feed_slice(file, bytes, bytes + length);
        bytes += length;
    }
    return status;
}

static apr_status_t finish(batch_resources_request_t *request, batch_resources_body_t *body,
                           batch_error_t *err)
{
    csv_file_t *file = BATCH_CAST(csv_file_t, body->state, CSV_FILE_MAGIC);

    (void)request;
    file->err = err;
    if (csv_fini(&file->parser, cell_found, row_found, file)) {
        return batch_body_refuse(body, err, file->row_line, 0, "body",
                                 "the row that begins here has a cell whose closing quote is "
                                 "missing");
    }
    if (file->status == APR_SUCCESS && !file->has_header) {
        return batch_body_refuse(body, err, file->line, 0, "body",
                                 "has no header row with the names of the columns");
    }
    return file->status;
}

/* ---- Items ------------------------------------------------------------------------------------
 */

static apr_status_t begin_items(batch_resources_body_t *body, const batch_resource_t *resource,
                                apr_pool_t *p)
{
    const batch_csv_header_t *header = &((csv_file_t *)body->state)->header;
    const char *names = "";

    (void)resource; /* the header row was judged for it */
    body->item_state = (void *)header;
    for (int i = 0; i < header->columns->nelts; i++) {
        const char *name = APR_ARRAY_IDX(header->columns, i, batch_csv_column_t).name;

        if (name) {
            names = apr_pstrcat(p, names, *names ? "," : "", name, NULL);
        }
    }
    body->source.header = names;
    return APR_SUCCESS;
}

static void read_item(batch_source_item_t *item, batch_resources_body_t *body,
                      const batch_spool_entry_t *entry, apr_pool_t *p)
{
    batch_csv_row_read(item, body->item_state, entry->text, entry->length, p);
}

const batch_body_format_t batch_body_format_csv = {make, feed, finish, begin_items, read_item};
