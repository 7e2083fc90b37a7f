#include "payload/item_csv.h"

#include <stdarg.h>
#include <string.h>

#include <apr_strings.h>

#include "engine/validation.h"
#include "payload/header_words.h"
#include "payload/item_json.h"
#include "payload/json_reader.h"
#include "payload/request_shape.h"
#include "text/utf8.h"
#include "text/writer.h"

/* Bytes of a name in a header row that a message shows. */
#define SHOWN_BYTES 100

/* ---- Rows in the spool ------------------------------------------------------------------------
 */

/*
 * A cell is its length, seven bits a byte, the lowest first, and its bytes: a cell of a file takes
 * no more room than there, its comma included, while it has less than 128 bytes.
 */
void batch_csv_row_add(batch_text_buffer_t *row, const char *cell, apr_size_t length)
{
    char head[10];
    apr_size_t used = 0;
    apr_size_t left = length;

    do {
        head[used++] = (char)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
        left >>= 7;
    } while (left);
    batch_text_buffer_add(row, head, used);
    batch_text_buffer_add(row, cell, length);
}

/** The cell at *at, which moves behind it. */
static char *cell_next(apr_size_t *length, char **at)
{
    const unsigned char *from = (const unsigned char *)*at;
    char *cell;
    int shift = 0;

    *length = 0;
    do {
        *length |= (apr_size_t)(*from & 0x7f) << shift;
        shift += 7;
    } while (*from++ & 0x80);
    cell = *at + (from - (const unsigned char *)*at);
    *at = cell + *length;
    return cell;
}

/* ---- The header row ---------------------------------------------------------------------------
 */

/** A header row while it is read. */
typedef struct reading {
    batch_csv_header_t *header;
    const batch_resource_t *resource;
    apr_int64_t line;
    apr_hash_t *seen; /* names */
    batch_problem_list_t list;
    apr_pool_t *p;
} reading_t;

static void refuse_name(reading_t *reading, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void refuse_name(reading_t *reading, const char *name, const char *fmt, ...)
{
    va_list arguments;
    const char *words;

    va_start(arguments, fmt);
    words = apr_pvsprintf(reading->p, fmt, arguments);
    va_end(arguments);
    words = apr_psprintf(reading->p, "line %" APR_INT64_T_FMT ": %s", reading->line, words);
    batch_problem_list_add(&reading->list, words, "%s", name);
}

/** A name that the resource does not have. The first one gets all the words. */
static void refuse_unknown(reading_t *reading, const char *name)
{
    int where = (reading->header->columns->nelts ? 0 : BATCH_HEADER_FIRST) |
                (reading->list.listed ? BATCH_HEADER_TOLD : 0) |
                (reading->header->is_all ? BATCH_HEADER_ALL : 0);

    refuse_name(
        reading, name, "%s",
        batch_header_unknown_words(reading->resource, name, strlen(name), where, reading->p));
}

/** The name as a message can show it. */
static const char *shown(const char *cell, apr_size_t length, apr_pool_t *p)
{
    apr_size_t most = length < SHOWN_BYTES ? length : SHOWN_BYTES;

    while (most < length && most && ((unsigned char)cell[most] & 0xC0) == 0x80) {
        most--;
    }
    return apr_pstrmemdup(p, cell, most);
}

static void name_read(reading_t *reading, const char *cell, apr_size_t length)
{
    batch_csv_column_t *column = apr_array_push(reading->header->columns);
    const char *name = shown(cell, length, reading->p);

    memset(column, 0, sizeof(*column));
    if (!batch_utf8_is_valid(cell, length)) {
        refuse_name(reading, apr_psprintf(reading->p, "column %d", reading->header->columns->nelts),
                    "its name is not UTF-8: the file must be saved as CSV in UTF-8");
        return;
    }
    if (!length) {
        refuse_name(reading, apr_psprintf(reading->p, "column %d", reading->header->columns->nelts),
                    "has no name");
        return;
    }
    if (apr_hash_get(reading->seen, cell, (apr_ssize_t)length)) {
        refuse_name(reading, name, "is given twice");
        return;
    }
    if (length <= BATCH_VALUES_NAME_BYTES) {
        const char *whole = apr_pstrmemdup(reading->p, cell, length);

        apr_hash_set(reading->seen, whole, (apr_ssize_t)length, "");
        column->column = batch_resource_column(reading->resource, whole);
        column->name = column->column                           ? column->column->name
                       : !strcmp(whole, reading->resource->key) ? reading->resource->key
                                                                : NULL;
    }
    if (!column->name) {
        reading->header->columns->nelts--;
        refuse_unknown(reading, name);
        reading->header->columns->nelts++;
    } else if (column->column && column->column->readonly &&
               strcmp(column->name, reading->resource->key) != 0) {
        refuse_name(reading, name, "cannot be set by a batch");
    }
}

/** How many of the leading columns are those of an error file. */
static int skipped_count(const batch_text_buffer_t *row, const batch_resource_t *resource)
{
    static const char *const around[] = {"line", "index", "field", "code", "message"};
    char *at = row->data;
    int known = 0; /* the next one of these */
    int count = 0;
    int own = 0; /* how many the resource has as well */

    while (count < 5 && known < 5 && at < row->data + row->used) {
        apr_size_t length;
        const char *cell = cell_next(&length, &at);

        while (known < 5 &&
               (strlen(around[known]) != length || memcmp(around[known], cell, length) != 0)) {
            known++;
        }
        if (known == 5) {
            break;
        }
        own += batch_resource_column(resource, around[known]) != NULL ||
               !strcmp(around[known], resource->key);
        known++;
        count++;
    }
    return own && count < 5 ? 0 : count;
}

void batch_csv_header_read(batch_csv_header_t *header, const batch_text_buffer_t *row,
                           const batch_resource_t *resource, apr_int64_t line,
                           batch_problems_t *problems, apr_pool_t *p)
{
    reading_t reading = {header, resource, line, apr_hash_make(p), {problems, 0, 0}, p};
    char *at = row->data;

    header->columns = apr_array_make(p, 16, sizeof(batch_csv_column_t));
    header->skipped = skipped_count(row, resource);
    while (at < row->data + row->used) {
        apr_size_t length;
        const char *cell = cell_next(&length, &at);

        if (reading.list.listed == BATCH_PROBLEMS_LISTED) {
            reading.list.more++; /* and nothing is kept of it */
        } else if (header->columns->nelts < header->skipped) {
            memset(apr_array_push(header->columns), 0, sizeof(batch_csv_column_t));
        } else if (!header->columns->nelts && batch_header_names_separator(cell, length)) {
            refuse_name(
                &reading, shown(cell, length, p),
                "the file must begin with the names of its columns: take the line sep= out, "
                "and separate cells by commas");
            break;
        } else {
            name_read(&reading, cell, length);
        }
    }
    batch_problem_list_end(&reading.list, "header");
}

/* ---- Items ------------------------------------------------------------------------------------
 */

/** The item as a JSON object; which of its members are no strings their kinds say. */
static const char *make_original(const batch_source_item_t *item, apr_pool_t *p)
{
    batch_text_buffer_t buffer = {.p = p};
    batch_sink_t sink = batch_text_buffer_sink(&buffer);
    batch_text_writer_t writer;

    batch_text_buffer_reserve(&buffer, item->size + 64);
    batch_text_writer_init(&writer, &sink);
    for (int i = 0; i < item->value_count; i++) {
        const batch_value_t *value = item->sent ? &item->sent[i] : &item->values[i];

        batch_write_text(&writer, i ? "," : "{");
        batch_write_json_string(&writer, value->name);
        batch_write_text(&writer, ":");
        if (value->kind == BATCH_KIND_STRING || value->kind == BATCH_KIND_CELL ||
            value->kind == BATCH_KIND_BROKEN || !value->value) {
            batch_write_json_string(&writer, value->value);
        } else {
            batch_write_text(&writer, value->value);
        }
    }
    batch_write_bytes(&writer, item->value_count ? "}" : "{}", item->value_count ? 2 : 3);
    return batch_writer_end(&writer) == APR_SUCCESS ? buffer.data : NULL;
}

/** The cells of a row behind the skipped ones as a JSON array of strings. */
static const char *make_array(const batch_csv_header_t *header, const char *text, apr_size_t length,
                              apr_pool_t *p)
{
    batch_text_buffer_t buffer = {.p = p};
    batch_sink_t sink = batch_text_buffer_sink(&buffer);
    batch_text_writer_t writer;
    char *at = (char *)text;
    int place = 0;

    batch_text_writer_init(&writer, &sink);
    batch_write_text(&writer, "[");
    for (; at < text + length; place++) {
        apr_size_t cell_length;
        const char *cell = cell_next(&cell_length, &at);

        if (place >= header->skipped) {
            batch_write_text(&writer, place > header->skipped ? "," : "");
            batch_write_json_string_n(&writer, cell, cell_length);
        }
    }
    batch_write_bytes(&writer, "]", 2);
    return batch_writer_end(&writer) == APR_SUCCESS ? buffer.data : NULL;
}

/** Says which byte of a cell no text may have: the cell number column of its row. */
static void refuse_byte(batch_source_item_t *item, const batch_value_t *value, const char *cell,
                        apr_size_t length, int column, apr_pool_t *p)
{
    apr_size_t place = batch_utf8_valid_length(cell, length);

    if (memchr(cell, '\0', length)) {
        place = (apr_size_t)((const char *)memchr(cell, '\0', length) - cell);
        batch_item_wrong(
            item, "nul_byte", value->name,
            apr_psprintf(p, "has a byte NUL (byte %" APR_SIZE_T_FMT " of the cell in column %d)",
                         place + 1, column));
        return;
    }
    batch_item_wrong(item, "invalid_utf8", value->name,
                     apr_psprintf(p,
                                  "has the byte 0x%02X, which is not UTF-8 (byte %" APR_SIZE_T_FMT
                                  " of the cell in column %d): save the file as CSV in UTF-8",
                                  (unsigned char)cell[place], place + 1, column));
}

/** A cell with bytes that no text may have, as U+FFFD; in p. */
static const char *cell_mend(const char *cell, apr_size_t length, apr_pool_t *p)
{
    batch_text_buffer_t buffer = {.p = p};
    batch_sink_t sink = batch_text_buffer_sink(&buffer);
    batch_text_writer_t writer;

    batch_text_writer_init(&writer, &sink);
    batch_write_utf8(&writer, cell, length);
    batch_write_bytes(&writer, "", 1);
    return batch_writer_end(&writer) == APR_SUCCESS ? buffer.data : "";
}

/** Gives the value of a cell its kind. */
static void value_type(batch_value_t *value, const batch_column_t *column, apr_pool_t *p)
{
    value->kind = BATCH_KIND_CELL;
    if (!strcmp(value->value, BATCH_CSV_NULL)) {
        value->kind = BATCH_KIND_NULL;
        value->value = NULL;
    } else if (!column) {
        value->kind = BATCH_KIND_STRING; /* the key */
    } else if (batch_type_form(column->type) == BATCH_FORM_ANY) {
        /* A byte order mark, which a document may begin with, is no part of a value. */
        value->kind =
            *value->value != '\xef' && batch_json_is_valid(value->value, strlen(value->value), p)
                ? BATCH_KIND_JSON
                : BATCH_KIND_CELL;
    } else {
        batch_value_type_cell(value, column, p);
    }
}

/** Reads the cells of a row in place; returns how many there are, those that are skipped included.
 */
static int cells_read(batch_source_item_t *item, const batch_csv_header_t *header, char *text,
                      apr_size_t text_length, apr_pool_t *p)
{
    const batch_csv_column_t *columns = (const batch_csv_column_t *)header->columns->elts;
    char *at = text;
    char *end = text + text_length;
    int place = 0;

    for (; at < end; place++) {
        batch_value_t *value = &item->values[item->value_count];
        char *before = at;
        apr_size_t length;
        char *cell = cell_next(&length, &at);

        *before = '\0'; /* the end of the cell before */
        if (!length || place >= header->columns->nelts || !columns[place].name) {
            continue;
        }
        value->name = columns[place].name;
        value->value = cell;
        value->kind = BATCH_KIND_CELL;
        if (!batch_utf8_is_valid(cell, length)) {
            refuse_byte(item, value, cell, length, place + 1, p);
            value->value = cell_mend(cell, length, p);
            value->kind = BATCH_KIND_BROKEN;
        }
        item->value_count++;
    }
    *end = '\0';
    return place;
}

/** Gives each value its kind; the values are in the order of the columns. */
static void values_type(batch_source_item_t *item, const batch_csv_header_t *header, apr_pool_t *p)
{
    const batch_csv_column_t *columns = (const batch_csv_column_t *)header->columns->elts;

    for (int i = 0; i < item->value_count; i++, columns++) {
        while (columns->name != item->values[i].name) {
            columns++;
        }
        if (item->values[i].kind == BATCH_KIND_CELL) {
            value_type(&item->values[i], columns->column, p);
        }
    }
}

static void refuse_large(batch_source_item_t *item, const batch_csv_header_t *header, apr_pool_t *p)
{
    item->value_count = 0;
    item->unreadable = 1;
    batch_item_wrong(
        item, "too_large", NULL,
        apr_psprintf(p, "the row has more than %" APR_INT64_T_FMT " bytes", header->max_item_size));
}

void batch_csv_row_read(batch_source_item_t *item, const batch_csv_header_t *header,
                        const char *text, apr_size_t length, apr_pool_t *p)
{
    int columns = header->columns->nelts;
    apr_int64_t line = item->line;
    char *copy;
    int cells;

    memset(item, 0, sizeof(*item));
    item->line = line;
    if (!text) {
        refuse_large(item, header, p);
        return;
    }
    item->size = length;
    item->values = apr_palloc(p, (apr_size_t)(unsigned)(columns + 1) * sizeof(batch_value_t));
    copy = apr_pmemdup(p, text, length + 1);
    cells = cells_read(item, header, copy, length, p);
    values_type(item, header, p);
    if (cells != columns) {
        /* Its cells may not stand under their names. */
        item->unreadable = 1;
        item->wrong = NULL;
        batch_item_wrong(item, "wrong_cell_count", NULL,
                         apr_psprintf(p, "the row has %d cells, and the header row %d",
                                      cells - header->skipped, columns - header->skipped));
        item->original = make_array(header, text, length, p);
        return;
    }
    if (header->skipped && !item->value_count) {
        item->unreadable = 1;
        batch_item_wrong(item, "empty", NULL,
                         "the row has no values: its item is not in the error file");
    }
    item->make_original = make_original;
}
