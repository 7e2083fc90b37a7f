/* Bodies of the resources API: what all formats share. */
#include "payload/resources_body.h"

#include <string.h>

#include <apr_strings.h>
#include <openssl/evp.h>

#include "payload/body_format.h"

static const batch_body_format_t *const formats[] = {
    [BATCH_FORMAT_JSON] = &batch_body_format_json,
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
    static const char hex[] = "0123456789abcdef";
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    char *text;

    if (!EVP_DigestFinal_ex(body->digest, bytes, &length)) {
        return NULL;
    }
    text = apr_palloc(body->p, 2 * (apr_size_t)length + 1);
    for (unsigned i = 0; i < length; i++) {
        text[2 * i] = hex[bytes[i] >> 4];
        text[2 * i + 1] = hex[bytes[i] & 15];
    }
    text[2 * length] = '\0';
    return text;
}

/* ---- Reading a body ------------------------------------------------------------------------- */

apr_status_t batch_resources_body_make(batch_resources_body_t **body, batch_format_e format,
                                       const batch_limits_t *limits, batch_error_t *err,
                                       apr_pool_t *p)
{
    batch_resources_body_t *made = apr_pcalloc(p, sizeof(*made));
    apr_status_t status;

    made->p = p;
    made->format = formats[format];
    made->max_items = limits->max_items;
    made->max_item_size = limits->max_item_size;
    made->spool = batch_spool_make(p);
    *body = made;
    status = digest_make(made, err);
    return status == APR_SUCCESS ? made->format->make(made, err) : status;
}

apr_status_t batch_body_add_item(batch_resources_body_t *body, const batch_spool_entry_t *entry)
{
    /* More than that are refused anyway; their number is all that has to be known. */
    if (body->count++ >= body->max_items) {
        return APR_SUCCESS;
    }
    return batch_spool_add(body->spool, entry, &body->spool_error);
}

apr_status_t batch_resources_body_feed(batch_resources_body_t *body, const char *bytes,
                                       apr_size_t length, batch_error_t *err)
{
    apr_status_t status;

    if (!EVP_DigestUpdate(body->digest, bytes, length)) {
        return batch_error_set(err, APR_EGENERAL, NULL, body->p, "SHA-256 failed");
    }
    status = body->format->feed(body, bytes, length, err);
    if (body->spool_error.status != APR_SUCCESS && err) {
        *err = body->spool_error;
    }
    return status;
}

apr_status_t batch_resources_body_finish(batch_resources_request_t *request,
                                         batch_resources_body_t *body, batch_problems_t *problems,
                                         batch_error_t *err)
{
    apr_status_t status;

    memset(request, 0, sizeof(*request));
    request->save_upload = 1;
    request->atomic = 1;
    status = body->format->finish(request, body, problems, err);
    if (status != APR_SUCCESS) {
        if (body->spool_error.status != APR_SUCCESS && err) {
            *err = body->spool_error;
        }
        return status;
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
    batch_resources_body_t *body = baton;
    batch_spool_entry_t entry;
    apr_status_t status = batch_spool_next(&entry, body->spool, err);

    if (status == APR_SUCCESS) {
        item->line = entry.line;
        body->format->read_item(item, body, &entry, p);
    }
    return status;
}

static apr_status_t rewind_items(void *baton, batch_error_t *err)
{
    batch_resources_body_t *body = baton;

    return batch_spool_rewind(body->spool, err);
}

const batch_item_source_t *batch_resources_body_source(batch_resources_body_t *body,
                                                       const batch_resource_t *resource)
{
    body->format->begin_items(body, resource);
    body->source.next = next_item;
    body->source.rewind = rewind_items;
    body->source.baton = body;
    body->source.count = body->count;
    return &body->source;
}
