/* Bodies of the resources API: what all formats share. */
#include "payload/resources_body.h"

#include <stdarg.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <openssl/evp.h>

#include "payload/body_format.h"
#include "text/hex.h"
#include "text/check.h"

static const batch_body_format_t *const formats[] = {
    [BATCH_FORMAT_JSON] = &batch_body_format_json,
    [BATCH_FORMAT_ARRAY] = &batch_body_format_array,
    [BATCH_FORMAT_NDJSON] = &batch_body_format_ndjson,
    [BATCH_FORMAT_CSV] = &batch_body_format_csv,
};

/* ---- The checksum --------------------------------------------------------------------------- */

static apr_status_t digest_free(void *digest)
{
    EVP_MD_CTX_free(digest);
    return APR_SUCCESS;
}

static apr_status_t digest_make(batch_resources_body_t *body, batch_error_t *err)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();

    if (digest) {
        apr_pool_cleanup_register(body->p, digest, digest_free, apr_pool_cleanup_null);
        body->digest = digest;
    }
    if (!digest || !EVP_DigestInit_ex(digest, EVP_sha256(), NULL)) {
        return batch_error_set(err, APR_ENOMEM, NULL, body->p, "no memory, or no SHA-256");
    }
    return APR_SUCCESS;
}

/** The checksum in hex, in the body's pool; NULL if it cannot be made. */
static const char *digest_end(batch_resources_body_t *body)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;

    return EVP_DigestFinal_ex(body->digest, bytes, &length) ? batch_hex(bytes, length, body->p)
                                                            : NULL;
}

static apr_status_t digest_add(batch_resources_body_t *body, const char *bytes, apr_size_t length,
                               batch_error_t *err)
{
    body->bytes += (apr_off_t)length;
    return EVP_DigestUpdate(body->digest, bytes, length)
               ? APR_SUCCESS
               : batch_error_set(err, APR_EGENERAL, NULL, body->p, "SHA-256 failed");
}

/* ---- What is wrong with a body --------------------------------------------------------------
 */

apr_status_t batch_body_refuse(batch_resources_body_t *body, batch_error_t *err, apr_int64_t line,
                               apr_int64_t column, const char *field, const char *fmt, ...)
{
    const char *words;
    va_list arguments;

    va_start(arguments, fmt);
    words = apr_pvsprintf(body->p, fmt, arguments);
    va_end(arguments);
    if (column) {
        words = apr_psprintf(body->p, "line %" APR_INT64_T_FMT ", column %" APR_INT64_T_FMT ": %s",
                             line, column, words);
    } else if (line) {
        words = apr_psprintf(body->p, "line %" APR_INT64_T_FMT ": %s", line, words);
    }
    batch_problem_add(body->problems, apr_pstrdup(body->p, field), "%s", words);
    APR_ARRAY_IDX(body->problems, body->problems->nelts - 1, batch_problem_t).line = line;
    batch_error_set(err, BATCH_EINVALID, NULL, body->p, "%s %s", field, words);
    if (err) {
        err->line = line;
        err->column = column;
    }
    return BATCH_EINVALID;
}

/** What stopped the items goes before what the format says. */
static apr_status_t item_failure(batch_resources_body_t *body, apr_status_t status,
                                 batch_error_t *err)
{
    if (body->item_error.status == APR_SUCCESS) {
        return status;
    }
    if (err) {
        *err = body->item_error;
    }
    return body->item_error.status;
}

/* ---- The format -----------------------------------------------------------------------------
 */

static apr_status_t begin_format(batch_resources_body_t *body, batch_format_e format,
                                 batch_error_t *err)
{
    body->format = formats[format];
    return body->format->make(body, err);
}

/** Bytes that are looked at before any is read. */
#define HEAD_BYTES ((apr_size_t)8)

/** Of a file that waits, bytes that are put away together. */
#define PIECE_BYTES ((apr_size_t)32 * 1024)

/** So many bytes of white space may come before it is given up to wait for what is behind. */
#define BLANK_BYTES ((apr_size_t)4096)

/** What is no text at all, by its first bytes. */
static const struct kind {
    const char *bytes;
    apr_size_t length;
    const char *words;
} kinds[] = {
    {"\x1f\x8b", 2, batch_gzip_words},
    {"PK\x03\x04", 4,
     "this is a zip file, as a workbook (.xlsx, .ods) is: save it as CSV in UTF-8"},
    {"\xd0\xcf\x11\xe0", 4,
     "this is a file of an old Office program (.xls, .doc): save it as CSV in UTF-8"},
    {"%PDF-", 5, "this is a PDF file: it must be CSV, NDJSON or JSON"},
};

/** Refuses what is no text. */
static apr_status_t check_kind(batch_resources_body_t *body, batch_error_t *err)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        const struct kind *kind = &kinds[i];

        if (body->head.used < kind->length ||
            memcmp(body->head.data, kind->bytes, kind->length) != 0) {
            continue;
        }
        if (!body->multipart && (body->format == formats[BATCH_FORMAT_JSON] ||
                                 body->format == formats[BATCH_FORMAT_ARRAY])) {
            batch_error_set(err, BATCH_EMALFORMED, NULL, body->p, "%s", kind->words);
            err->line = err->column = 1;
            return BATCH_EMALFORMED;
        }
        return batch_body_refuse(body, err, 0, 0, body->multipart ? "file" : "body", "%s",
                                 kind->words);
    }
    return APR_SUCCESS;
}

/** The first byte that is neither white space nor a part of a byte order mark; 0 if there is none.
 */
static char first_byte(const batch_text_buffer_t *head)
{
    static const char bom[] = "\xef\xbb\xbf";
    apr_size_t at = head->used >= 3 && !memcmp(head->data, bom, 3) ? 3 : 0;

    while (at < head->used && apr_isspace(head->data[at])) {
        at++;
    }
    return at < head->used ? head->data[at] : '\0';
}

/** 1 if the first bytes tell all that can be known from them. */
static int head_tells(const batch_resources_body_t *body)
{
    return body->head.used >= HEAD_BYTES &&
           (body->format || body->head.used >= BLANK_BYTES || first_byte(&body->head));
}

/** Asks whoever wants to know what the file is for. */
static apr_status_t tell_file(batch_resources_body_t *body, int more, batch_error_t *err)
{
    return body->file ? body->file(body->file_baton, &body->resource, body->fields, more, err)
                      : APR_SUCCESS;
}

/** Of a body whose type nobody has said: by its first bytes. */
static apr_status_t guess_format(batch_resources_body_t *body, batch_error_t *err)
{
    char first = first_byte(&body->head);
    apr_status_t status = APR_SUCCESS;

    body->is_file = first && first != '{' && first != '[';
    if (body->is_file) {
        status = tell_file(body, 0, err);
    }
    return status == APR_SUCCESS
               ? begin_format(body, body->is_file ? BATCH_FORMAT_CSV : BATCH_FORMAT_JSON, err)
               : status;
}

/** The first bytes are there, or all bytes: they go to the format. */
static apr_status_t begin_reading(batch_resources_body_t *body, batch_error_t *err)
{
    apr_status_t status = check_kind(body, err);

    body->is_begun = 1;
    if (status == APR_SUCCESS && !body->format) {
        status = guess_format(body, err);
    }
    return status == APR_SUCCESS && body->head.used
               ? body->format->feed(body, body->head.data, body->head.used, err)
               : status;
}

/** Takes the next bytes of a file, or of a request. */
static apr_status_t take_bytes(batch_resources_body_t *body, const char *bytes, apr_size_t length,
                               batch_error_t *err)
{
    apr_status_t status = APR_SUCCESS;

    while (status == APR_SUCCESS && length && !body->is_begun) {
        apr_size_t part = body->head.used < HEAD_BYTES ? HEAD_BYTES - body->head.used : 1;

        part = part < length ? part : length;
        batch_text_buffer_add(&body->head, bytes, part);
        bytes += part;
        length -= part;
        if (head_tells(body)) {
            status = begin_reading(body, err);
        }
    }
    return status == APR_SUCCESS && length ? body->format->feed(body, bytes, length, err) : status;
}

/* ---- The file in a multipart body -----------------------------------------------------------
 */

static apr_status_t take_field(void *baton, const char *name, const char *value, batch_error_t *err)
{
    batch_resources_body_t *body =
        BATCH_CAST(batch_resources_body_t, baton, BATCH_RESOURCES_BODY_MAGIC);

    (void)err;
    apr_table_setn(body->fields, name, value);
    return APR_SUCCESS;
}

/** The format of the file is known, and what it is for, or else the file waits for that. */
static apr_status_t begin_file(void *baton, const char *type, const char *name, batch_error_t *err)
{
    batch_resources_body_t *body =
        BATCH_CAST(batch_resources_body_t, baton, BATCH_RESOURCES_BODY_MAGIC);
    batch_format_e format;
    const char *wrong = batch_content_type_of_file(&format, type, name, body->p);
    apr_status_t status = tell_file(body, 1, err);

    if (status == APR_INCOMPLETE) {
        body->waiting = batch_spool_make(body->p);
        body->piece.p = body->p;
        status = APR_SUCCESS;
    }
    if (status != APR_SUCCESS) {
        return status;
    }
    if (wrong) {
        return batch_body_refuse(body, err, 0, 0, "file", "%s", wrong);
    }
    body->format = formats[format];
    return body->waiting ? APR_SUCCESS : body->format->make(body, err);
}

/** Puts the last piece of a file that waits to the others. */
static apr_status_t put_piece(batch_resources_body_t *body, batch_error_t *err)
{
    batch_spool_entry_t entry = {0, body->piece.data, body->piece.used};
    apr_status_t status = APR_SUCCESS;

    if (body->piece.used) {
        status = batch_spool_add(body->waiting, &entry, err);
        body->piece.used = 0;
    }
    return status;
}

static apr_status_t feed_file(void *baton, const char *bytes, apr_size_t length, batch_error_t *err)
{
    batch_resources_body_t *body =
        BATCH_CAST(batch_resources_body_t, baton, BATCH_RESOURCES_BODY_MAGIC);
    apr_status_t status = digest_add(body, bytes, length, err);

    if (status == APR_SUCCESS && !body->waiting) {
        return take_bytes(body, bytes, length, err);
    }
    batch_text_buffer_add(&body->piece, bytes, length);
    return status == APR_SUCCESS && body->piece.used >= PIECE_BYTES ? put_piece(body, err) : status;
}

/** All fields are known: reads the file that has waited for them. */
static apr_status_t read_waiting(batch_resources_body_t *body, batch_error_t *err)
{
    batch_spool_entry_t entry;
    apr_status_t status = tell_file(body, 0, err);

    if (status == APR_SUCCESS) {
        status = body->format->make(body, err);
    }
    if (status == APR_SUCCESS) {
        status = put_piece(body, err);
    }
    while (status == APR_SUCCESS && body->item_error.status == APR_SUCCESS) {
        status = batch_spool_next(&entry, body->waiting, err);
        if (status == APR_SUCCESS) {
            status = take_bytes(body, entry.text, entry.length, err);
        }
    }
    return status == APR_EOF ? APR_SUCCESS : status;
}

/** What is wrong with the parts is a problem of the body. */
static apr_status_t multipart_failure(batch_resources_body_t *body, apr_status_t status,
                                      batch_error_t *err)
{
    return status == BATCH_EINVALID && !body->problems->nelts
               ? batch_body_refuse(body, err, 0, 0, "body", "%s", err->message)
               : status;
}

/* ---- Reading a body ------------------------------------------------------------------------- */

apr_status_t batch_resources_body_make(batch_resources_body_t **body,
                                       const batch_content_t *content,
                                       const batch_resource_t *resource,
                                       const batch_limits_t *limits, batch_problems_t *problems,
                                       batch_error_t *err, apr_pool_t *p)
{
    batch_resources_body_t *made = apr_pcalloc(p, sizeof(*made));
    batch_multipart_target_t target = {take_field, begin_file, feed_file, made};
    /* The items may be read in another thread than that of the request. */
    apr_status_t status = batch_pool_borrow(&made->p, p);

    made->magic = BATCH_RESOURCES_BODY_MAGIC;
    *body = made;
    if (status != APR_SUCCESS) {
        return batch_error_set(err, APR_ENOMEM, NULL, p, "no memory");
    }
    made->resource = resource;
    made->problems = problems;
    made->max_items = limits->max_items;
    made->max_item_size = limits->max_item_size;
    made->head.p = made->p;
    made->fields = apr_table_make(made->p, 4);
    made->spool = batch_spool_make(made->p);
    made->is_file = content->boundary || content->format != BATCH_FORMAT_JSON;
    status = digest_make(made, err);
    if (status == APR_SUCCESS && content->boundary) {
        made->multipart = batch_multipart_make(content->boundary, &target, made->p);
    } else if (status == APR_SUCCESS && content->format != BATCH_FORMAT_UNKNOWN) {
        status = begin_format(made, content->format, err);
    }
    return status;
}

void batch_resources_body_when_file(batch_resources_body_t *body, batch_body_file_fn *fn,
                                    void *baton)
{
    body->file = fn;
    body->file_baton = baton;
}

apr_status_t batch_body_add_item(batch_resources_body_t *body, const batch_spool_entry_t *entry)
{
    if (body->count++ < body->max_items) {
        return batch_spool_add(body->spool, entry, &body->item_error);
    }
    if (body->is_file) {
        return batch_body_refuse(body, &body->item_error, 0, 0, "data",
                                 "has more than %" APR_INT64_T_FMT
                                 " items, and may have that many: send several batches",
                                 body->max_items);
    }
    /* Of a request their number is known at its end, and is in what it is refused with. */
    return APR_SUCCESS;
}

const apr_table_t *batch_resources_body_fields(const batch_resources_body_t *body)
{
    return body->fields;
}

int batch_resources_body_is_file(const batch_resources_body_t *body)
{
    return body->is_file;
}

apr_int64_t batch_resources_body_count(const batch_resources_body_t *body)
{
    return body->count;
}

apr_status_t batch_resources_body_feed(batch_resources_body_t *body, const char *bytes,
                                       apr_size_t length, batch_error_t *err)
{
    batch_error_t ignored = {0};
    apr_status_t status;

    err = err ? err : &ignored;
    if (body->multipart) {
        status =
            multipart_failure(body, batch_multipart_feed(body->multipart, bytes, length, err), err);
    } else {
        status = digest_add(body, bytes, length, err);
        if (status == APR_SUCCESS) {
            status = take_bytes(body, bytes, length, err);
        }
    }
    return item_failure(body, status, err);
}

apr_status_t batch_resources_body_finish(batch_resources_request_t *request,
                                         batch_resources_body_t *body, batch_error_t *err)
{
    batch_error_t ignored = {0};
    apr_status_t status = APR_SUCCESS;

    err = err ? err : &ignored;
    memset(request, 0, sizeof(*request));
    request->save_upload = 1;
    request->atomic = 1;
    request->via = BATCH_VIA_FILE;
    request->has_data = 1;
    if (body->multipart) {
        status = multipart_failure(body, batch_multipart_finish(body->multipart, err), err);
    }
    if (status == APR_SUCCESS && body->waiting) {
        status = read_waiting(body, err);
    }
    if (status == APR_SUCCESS && !body->is_begun) {
        status = begin_reading(body, err);
    }
    if (status == APR_SUCCESS) {
        status = body->format->finish(request, body, err);
    }
    if (status != APR_SUCCESS || body->item_error.status != APR_SUCCESS) {
        return item_failure(body, status, err);
    }
    request->count = body->count;
    request->checksum = digest_end(body);
    return request->checksum ? APR_SUCCESS
                             : batch_error_set(err, APR_EGENERAL, NULL, body->p, "SHA-256 failed");
}

/* ---- The items ------------------------------------------------------------------------------ */

static apr_status_t next_item(void *baton, batch_source_item_t *item, batch_error_t *err,
                              apr_pool_t *p)
{
    batch_resources_body_t *body =
        BATCH_CAST(batch_resources_body_t, baton, BATCH_RESOURCES_BODY_MAGIC);
    batch_spool_entry_t entry = {0};
    apr_status_t status = body->items_begun == APR_SUCCESS
                              ? batch_spool_next(&entry, body->spool, err)
                              : batch_error_set(err, body->items_begun, NULL, body->p, "no memory");

    if (status == APR_SUCCESS) {
        item->line = entry.line;
        body->format->read_item(item, body, &entry, p);
    }
    return status;
}

static apr_status_t rewind_items(void *baton, batch_error_t *err)
{
    batch_resources_body_t *body =
        BATCH_CAST(batch_resources_body_t, baton, BATCH_RESOURCES_BODY_MAGIC);

    return batch_spool_rewind(body->spool, err);
}

const batch_item_source_t *batch_resources_body_source(batch_resources_body_t *body,
                                                       const batch_resource_t *resource)
{
    body->source.early = batch_body_early_end(body);
    body->items_begun = body->format->begin_items(body, resource, body->p);
    body->source.next = next_item;
    body->source.rewind = rewind_items;
    body->source.baton = body;
    body->source.count = body->count;
    return &body->source;
}
