/* Which path and method lead to which endpoint. */
#include "http/exchange.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "text/uuid.h"

/* A method of a path. */
typedef struct method {
    batch_endpoint_fn *endpoint;             /* NULL: the path does not have it */
    const batch_request_words_t *parameters; /* what its query string may have */
    int lists_problems; /* the endpoint answers with the problems of the query string among others
                         */
} method_t;

/*
 * A path is PREFIX/root[/ID[/leaf]]; at its end .json may stand, behind a root a slash. A leaf with
 * an extension of its own is a leaf of its own. Add a line to add a route.
 */
struct batch_route {
    const char *root;
    int has_id;
    int is_file;      /* a signed URL may lead there */
    const char *leaf; /* NULL: none */
    method_t get;
    method_t post;
    method_t remove;
    method_t put;
};

/* clang-format off */
#define NONE                        {NULL, NULL, 0}
#define ANSWERS(endpoint, parameters) {endpoint, &batch_parameters_##parameters, 0}
#define LISTS(endpoint, parameters)   {endpoint, &batch_parameters_##parameters, 1}

static const batch_route_t routes[] = {
    {"batch", 1, 0, "operations",
     NONE, ANSWERS(batch_records_add_operations, change), NONE, NONE},
    {"batch", 1, 0, "start",
     NONE, ANSWERS(batch_records_start, change), NONE, NONE},
    {"batch", 1, 0, "errors",
     ANSWERS(batch_records_errors_json, look), NONE, NONE, NONE},
    {"batch", 1, 0, "errors.csv",
     ANSWERS(batch_records_errors_csv, look), NONE, NONE, NONE},
    {"batch", 1, 0, NULL,
     ANSWERS(batch_records_get, look), NONE, ANSWERS(batch_records_delete, change), NONE},
    {"batch", 0, 0, NULL,
     LISTS(batch_records_list, records_list), LISTS(batch_records_create, records_create),
     NONE, NONE},
    {"batches", 1, 0, "cancel",
     NONE, ANSWERS(batch_resources_cancel, change), NONE, NONE},
    {"batches", 1, 1, "upload",
     ANSWERS(batch_resources_upload_json, signed), ANSWERS(batch_resources_upload, upload), NONE,
     ANSWERS(batch_resources_upload, upload)},
    {"batches", 1, 1, "upload.csv",
     ANSWERS(batch_resources_upload_csv, signed), NONE, NONE, NONE},
    {"batches", 1, 1, "errors",
     ANSWERS(batch_resources_errors_json, signed), NONE, NONE, NONE},
    {"batches", 1, 1, "errors.csv",
     ANSWERS(batch_resources_errors_csv, signed), NONE, NONE, NONE},
    {"batches", 1, 0, NULL,
     LISTS(batch_resources_get, files), NONE, NONE, NONE},
    {"batches", 0, 0, NULL,
     LISTS(batch_resources_list, resources_list), LISTS(batch_resources_create, resources_create),
     NONE, NONE},
};
/* clang-format on */

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
    int has_slash = 0;
    size_t i;

    x->dot_json = length > EXTENSION_LENGTH && !strcmp(path + length - EXTENSION_LENGTH, EXTENSION);
    if (x->dot_json) {
        length -= EXTENSION_LENGTH;
        path[length] = '\0';
    } else if (length > 1 && path[length - 1] == '/') {
        path[--length] = '\0';
        has_slash = 1;
    }
    /* The longest routes come first in the table. */
    for (i = 0; i < ROUTE_COUNT; i++) {
        char *rest = apr_pstrmemdup(p, path, length);
        const char *id;

        /* "/batches/" is the list; behind a batch a slash means a part of it, without saying which.
         */
        if (!(has_slash && routes[i].has_id) && route_fits(&routes[i], &id, rest)) {
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

/* The request's method as the route has it. */
static const method_t *method_of(const batch_route_t *route, const request_rec *r)
{
    static const method_t none = NONE;

    switch (r->method_number) {
    case M_GET: /* HEAD too: httpd leaves the body out */
        return &route->get;
    case M_POST:
        return &route->post;
    case M_PUT:
        return &route->put;
    case M_DELETE:
        return &route->remove;
    default:
        return &none;
    }
}

int batch_route_answer(batch_exchange_t *x, const batch_route_t *route)
{
    request_rec *r = x->r;
    const method_t *method = method_of(route, r);
    int code;

    if (!method->endpoint) {
        apr_table_setn(r->headers_out, "Allow", batch_route_methods(route, r->pool));
        return batch_reply_error(x, HTTP_METHOD_NOT_ALLOWED, "this path does not have that method");
    }
    if (r->method_number != M_GET && !batch_origin_may_change(x, &code)) {
        return code;
    }
    if ((r->method_number == M_POST || r->method_number == M_PUT) &&
        !batch_body_is_whole(x, &code)) {
        return code;
    }
    x->problems = batch_problems_make(r->pool);
    batch_parameters_check(x, method->parameters);
    return x->problems->nelts && !method->lists_problems ? batch_reply_problems(x, x->problems)
                                                         : method->endpoint(x);
}

int batch_route_is_file(const batch_route_t *route)
{
    return route->is_file;
}

const char *batch_route_methods(const batch_route_t *route, apr_pool_t *p)
{
    return apr_pstrcat(p, route->get.endpoint ? "GET, HEAD, " : "",
                       route->post.endpoint ? "POST, " : "", route->put.endpoint ? "PUT, " : "",
                       route->remove.endpoint ? "DELETE, " : "", "OPTIONS", NULL);
}
