#include "payload/operations.h"

#include <string.h>

#include <apr_strings.h>

#include "engine/validation.h"
#include "payload/id_set.h"
#include "payload/json_reader.h"
#include "payload/operations_shape.h"
#include "text/json.h"
#include "text/text_buffer.h"
#include "text/writer.h"
#include "text/check.h"

/* No id has a longer text: quotes, and each of its bytes as a \u escape. */
#define LONGEST_ID_TEXT ((apr_size_t)6 * BATCH_ID_BYTES + 2)

struct batch_operations_parser {
    unsigned magic;
#define OPERATIONS_PARSER_MAGIC 0x02ed55afu
    apr_pool_t *p;
    apr_pool_t *scratch; /* for one id at a time */
    batch_body_e body;
    apr_status_t status; /* what making it failed with */
    batch_json_reader_t *reader;
    batch_id_set_t *ids;
    apr_int64_t ids_sent;
    int ids_over;
    batch_problem_list_t id_problems;
};

/** Takes one id that is a well-formed string in JSON. */
static apr_status_t add_id(batch_operations_parser_t *parser, const char *id, apr_size_t length,
                           apr_int64_t index)
{
    const char *message = NULL;
    apr_status_t status;

    if (!length) {
        message = "must not be empty";
    } else if (length > BATCH_ID_BYTES) {
        message = "must not be longer than " APR_STRINGIFY(BATCH_ID_BYTES) " bytes";
    } else if (memchr(id, '\0', length)) {
        message = "must not contain U+0000";
    }
    if (message) {
        batch_problem_list_add(&parser->id_problems, message,
                               "operations[0].ids[%" APR_INT64_T_FMT "]", index);
        return APR_SUCCESS;
    }
    if (parser->ids_over) {
        return APR_SUCCESS;
    }
    status = batch_id_set_add(parser->ids, id, length, index);
    if (status == BATCH_ETOOLARGE) {
        parser->ids_over = 1;
        return APR_SUCCESS;
    }
    return status;
}

/** Takes one id that is no string: a whole number is the string that says the same. */
static apr_status_t add_number(batch_operations_parser_t *parser,
                               const batch_json_element_t *element)
{
    batch_value_t value = {"ids", apr_pstrmemdup(parser->scratch, element->text, element->length),
                           BATCH_KIND_NUMBER};
    apr_status_t status = APR_SUCCESS;
    batch_fault_t fault;

    if (batch_key_settle(&fault, &value, BATCH_KEY_TEXT, parser->scratch)) {
        status = add_id(parser, value.value, strlen(value.value), element->index);
    } else {
        batch_problem_list_add(&parser->id_problems, "must be a string or a whole number",
                               "operations[0].ids[%" APR_INT64_T_FMT "]", element->index);
    }
    apr_pool_clear(parser->scratch);
    return status;
}

/** Takes one element of ids: a batch_json_element_fn. */
static apr_status_t take_element(void *baton, const batch_json_element_t *element)
{
    batch_operations_parser_t *parser =
        BATCH_CAST(batch_operations_parser_t, baton, OPERATIONS_PARSER_MAGIC);
    apr_size_t length;
    const char *id;
    apr_status_t status;

    parser->ids_sent++;
    if (strchr("-0123456789", element->first) && element->text) {
        return add_number(parser, element);
    }
    if (element->first != '"') {
        batch_problem_list_add(&parser->id_problems, "must be a string or a whole number",
                               "operations[0].ids[%" APR_INT64_T_FMT "]", element->index);
        return APR_SUCCESS;
    }
    if (!element->text) {
        return add_id(parser, "", BATCH_ID_BYTES + 1, element->index);
    }
    if (!memchr(element->text, '\\', element->length)) {
        return add_id(parser, element->text + 1, element->length - 2, element->index);
    }
    id = batch_json_string_decode(&length, element->text, element->length, parser->scratch);
    status = add_id(parser, id, length, element->index);
    apr_pool_clear(parser->scratch);
    return status;
}

batch_operations_parser_t *batch_operations_parser_make(batch_body_e body, apr_int64_t max_objects,
                                                        apr_pool_t *p)
{
    batch_operations_parser_t *parser = apr_pcalloc(p, sizeof(*parser));
    batch_json_reader_config_t config = {
        .path = body == BATCH_BODY_CREATE ? "batch.operations[0].ids" : "operations[0].ids",
        .element = take_element,
        .baton = parser,
        .max_skeleton = BATCH_OPERATIONS_BYTES,
        .max_element = LONGEST_ID_TEXT,
    };

    parser->magic = OPERATIONS_PARSER_MAGIC;
    parser->p = p;
    parser->body = body;
    parser->id_problems.problems = batch_problems_make(p);
    parser->reader = batch_json_reader_make(&config, p);
    parser->status = batch_id_set_make(&parser->ids, max_objects, p);
    if (parser->status == APR_SUCCESS) {
        parser->status = apr_pool_create(&parser->scratch, p);
    }
    return parser;
}

apr_status_t batch_operations_parser_feed(batch_operations_parser_t *parser, const char *bytes,
                                          apr_size_t length, batch_error_t *err)
{
    if (parser->status != APR_SUCCESS) {
        return batch_error_set(err, parser->status, NULL, parser->p,
                               "no random bytes or no memory to read the request with");
    }
    return batch_json_reader_feed(parser->reader, bytes, length, err);
}

const char *batch_operations_query(const char *operations, apr_pool_t *p)
{
    batch_json_slice_t document, operation;
    batch_json_cursor_t cursor;
    struct json_object *first, *query = NULL;

    if (!operations) {
        return NULL;
    }
    document = batch_json_document(operations, strlen(operations));
    batch_json_walk(&cursor, &document);
    if (batch_json_next_element(&operation, &cursor) &&
        batch_json_read(&first, &operation, 1, p) == APR_SUCCESS) {
        (void)json_object_object_get_ex(first, "query", &query);
    }
    return json_object_is_type(query, json_type_string)
               ? apr_pstrdup(p, json_object_get_string(query))
               : NULL;
}

/* ---- Writing ------------------------------------------------------------------------------- */

static void write_ids(batch_text_writer_t *writer, const apr_array_header_t *ids)
{
    batch_write_text(writer, "[");
    for (int i = 0; i < ids->nelts; i++) {
        const batch_item_t *item = &APR_ARRAY_IDX(ids, i, const batch_item_t);

        batch_write_text(writer, i ? "," : "");
        batch_write_json_string_n(writer, item->key, item->key_length);
    }
    batch_write_text(writer, "]");
}

/** The place of the first operation's ids in text, where they are to go. */
static batch_json_slice_t find_ids(const batch_json_slice_t *text)
{
    batch_json_cursor_t cursor;
    batch_json_slice_t operation;
    batch_json_slice_t ids = {NULL, 0};

    batch_json_walk(&cursor, text);
    if (batch_json_next_element(&operation, &cursor)) {
        batch_json_member(&ids, &operation, "ids");
    }
    return ids;
}

apr_status_t batch_operations_write(const batch_sink_t *sink,
                                    const batch_operations_request_t *request, apr_pool_t *ptemp)
{
    const char *text = request->text ? request->text : "[]";
    batch_json_slice_t document = batch_json_document(text, strlen(text));
    batch_json_slice_t ids = {NULL, 0};
    batch_text_writer_t writer;

    (void)ptemp;
    batch_text_writer_init(&writer, sink);
    if (request->first.has_ids) {
        ids = find_ids(&document);
    }
    if (ids.text) {
        batch_write_bytes(&writer, text, (apr_size_t)(ids.text - text));
        write_ids(&writer, request->first.ids);
        text = ids.text + ids.length;
    }
    batch_write_text(&writer, text);
    return batch_writer_end(&writer);
}

/* ---- The end of a request ------------------------------------------------------------------ */

/** Hands over the problems of the ids, and says how many are not listed. */
static void finish_problems(batch_problem_list_t *list, const batch_operations_parser_t *parser)
{
    const batch_problems_t *found = parser->id_problems.problems;

    for (int i = 0; i < found->nelts; i++) {
        const batch_problem_t *problem = &APR_ARRAY_IDX(found, i, const batch_problem_t);
        batch_problem_list_add(list, problem->message, "%s", problem->field);
    }
    list->more += parser->id_problems.more;
    batch_problem_list_end(list, "operations");
}

/** All operations as they are kept behind others. */
static const char *write_whole(const batch_operations_request_t *request, apr_pool_t *p)
{
    batch_text_buffer_t buffer = {.p = p};
    batch_sink_t sink = batch_text_buffer_sink(&buffer);

    /* Into memory nothing fails. */
    (void)batch_operations_write(&sink, request, p);
    return batch_text_buffer_end(&buffer);
}

apr_status_t batch_operations_parser_finish(batch_operations_request_t *request,
                                            batch_operations_parser_t *parser,
                                            batch_problems_t *problems, batch_error_t *err)
{
    batch_problem_list_t list = {problems, 0, 0};
    batch_json_slice_t text;
    const char *skeleton;
    apr_size_t length;
    apr_status_t status = batch_operations_parser_feed(parser, "", 0, err);

    if (status != APR_SUCCESS) {
        return status;
    }
    status = batch_json_reader_finish(&skeleton, &length, parser->reader, err);
    if (status != APR_SUCCESS) {
        return status;
    }
    text = batch_json_document(skeleton, length);
    batch_operations_read_shape(request, &list, parser->body, &text, parser->p, parser->scratch);
    finish_problems(&list, parser);
    if (request->first.has_ids) {
        request->first.ids = batch_id_set_items(parser->ids);
        request->first.ids_sent = parser->ids_sent;
        request->first.ids_over = parser->ids_over;
        if (parser->body == BATCH_BODY_OPERATIONS) {
            request->whole = write_whole(request, parser->p);
        }
    }
    return APR_SUCCESS;
}
