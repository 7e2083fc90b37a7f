/* Which path and method lead to which endpoint. */
#include "http/exchange.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

/*
 * A path is PREFIX/root[/ID[/leaf]]; at its end .json may stand. A leaf with an extension of its
 * own is a leaf of its own. Add a line to add a route.
 */
struct batch_route {
    const char *root;
    int has_id;
    int is_file;      /* a signed URL may lead there */
    const char *leaf; /* NULL: none */
    batch_endpoint_fn *get;
    batch_endpoint_fn *post;
    batch_endpoint_fn *remove;
    batch_endpoint_fn *put;
};

static const batch_route_t routes[] = {
    {"batch", 1, 0, "operations", NULL, batch_records_set_operations, NULL, NULL},
    {"batch", 1, 0, "start", NULL, batch_records_start, NULL, NULL},
    {"batch", 1, 0, "errors", batch_records_errors_json, NULL, NULL, NULL},
    {"batch", 1, 0, "errors.csv", batch_records_errors_csv, NULL, NULL, NULL},
    {"batch", 1, 0, NULL, batch_records_get, NULL, batch_records_delete, NULL},
    {"batch", 0, 0, NULL, batch_records_list, batch_records_create, NULL, NULL},
    {"batches", 1, 0, "cancel", NULL, batch_resources_cancel, NULL, NULL},
    {"batches", 1, 1, "upload", batch_resources_upload_json, batch_resources_upload, NULL,
     batch_resources_upload},
    {"batches", 1, 1, "upload.csv", batch_resources_upload_csv, NULL, NULL, NULL},
    {"batches", 1, 1, "errors", batch_resources_errors_json, NULL, NULL, NULL},
    {"batches", 1, 1, "errors.csv", batch_resources_errors_csv, NULL, NULL, NULL},
    {"batches", 1, 0, NULL, batch_resources_get, NULL, NULL, NULL},
    {"batches", 0, 0, NULL, batch_resources_list, batch_resources_create, NULL, NULL},
};

#define ROUTE_COUNT      (sizeof(routes) / sizeof(*routes))

#define EXTENSION        ".json"
#define EXTENSION_LENGTH (sizeof(EXTENSION) - 1)

/* Cuts the last segment off path, which becomes shorter; NULL where there is none. */
static char *cut_segment(char *path)
{
    char *slash = strrchr(path, '/');

    if (!slash) {
        return NULL;
    }
    *slash = '\0';
    return slash + 1;
}

/* Cuts what the route wants off path; 1 if all of it was there, so that path is the prefix. */
static int route_fits(const batch_route_t *route, const char **id, char *path)
{
    const char *segment;

    if (route->leaf) {
        segment = cut_segment(path);
        if (!segment || strcmp(segment, route->leaf) != 0) {
            return 0;
        }
    }
    *id = NULL;
    if (route->has_id) {
        *id = cut_segment(path);
        if (!*id || !batch_uuid_is_valid(*id)) {
            return 0;
        }
    }
    segment = cut_segment(path);
    return segment && !strcmp(segment, route->root);
}

batch_api_e batch_route_api(const char *path, apr_pool_t *p)
{
    char *rest = apr_pstrdup(p, path ? path : "");
    char *segment;

    /* The last segment that is a root: what stands before it is the prefix. */
    while ((segment = cut_segment(rest))) {
        char *extension = strstr(segment, EXTENSION);

        if (extension && !extension[EXTENSION_LENGTH]) {
            *extension = '\0';
        }
        if (!strcmp(segment, "batches")) {
            return BATCH_API_RESOURCES;
        }
        if (!strcmp(segment, "batch")) {
            return BATCH_API_RECORDS;
        }
    }
    return BATCH_API_RECORDS;
}

const batch_route_t *batch_route_find(batch_exchange_t *x)
{
    apr_pool_t *p = x->r->pool;
    char *path = apr_pstrdup(p, x->r->uri);
    apr_size_t length = strlen(path);
    size_t i;

    x->dot_json = length > EXTENSION_LENGTH && !strcmp(path + length - EXTENSION_LENGTH, EXTENSION);
    if (x->dot_json) {
        length -= EXTENSION_LENGTH;
        path[length] = '\0';
    }
    /* The longest routes come first in the table. */
    for (i = 0; i < ROUTE_COUNT; i++) {
        char *rest = apr_pstrmemdup(p, path, length);
        const char *id;

        if (route_fits(&routes[i], &id, rest)) {
            x->prefix = rest;
            x->id = id;
            if (id) {
                ap_str_tolower((char *)id); /* a part of rest, which is ours */
            }
            return &routes[i];
        }
    }
    return NULL;
}

batch_endpoint_fn *batch_route_endpoint(const batch_route_t *route, const request_rec *r)
{
    switch (r->method_number) {
    case M_GET: /* HEAD too: httpd leaves the body out */
        return route->get;
    case M_POST:
        return route->post;
    case M_PUT:
        return route->put;
    case M_DELETE:
        return route->remove;
    default:
        return NULL;
    }
}

int batch_route_is_file(const batch_route_t *route)
{
    return route->is_file;
}

const char *batch_route_methods(const batch_route_t *route, apr_pool_t *p)
{
    return apr_pstrcat(p, route->get ? "GET, HEAD, " : "", route->post ? "POST, " : "",
                       route->put ? "PUT, " : "", route->remove ? "DELETE, " : "", "OPTIONS", NULL);
}
