#include "payload/resources_json.h"

#include "engine/status.h"
#include "text/writer.h"

/* ---- The envelope --------------------------------------------------------------------------- */

apr_status_t batch_envelope_begin(const batch_sink_t *sink, const batch_envelope_t *envelope)
{
    batch_text_writer_t writer;

    batch_text_writer_init(&writer, sink);
    batch_write_text(&writer, "{\"message\":");
    batch_write_json_string(&writer, envelope->message);
    batch_write_name(&writer, "data");
    return batch_writer_end(&writer);
}

/**
 * Writes one element of errors; index: of the item, -1 = none; line: of the body, 0 = none; id: of
 * the item or row, or NULL. *count: of those before it.
 */
static void write_error(batch_text_writer_t *writer, int *count, apr_int64_t index,
                        apr_int64_t line, const char *id, const char *field, const char *code,
                        const char *message)
{
    batch_write_text(writer, (*count)++ ? ",{\"index\":" : "{\"index\":");
    if (index < 0) {
        batch_write_text(writer, "null");
    } else {
        batch_write_number(writer, index);
    }
    if (line) {
        batch_write_number_member(writer, "line", line);
    }
    if (id) {
        batch_write_text_member(writer, "id", id);
    }
    batch_write_text_member(writer, "field", field);
    batch_write_text_member(writer, "code", code);
    batch_write_text_member(writer, "message", message);
    batch_write_text(writer, "}");
}

static void write_errors(batch_text_writer_t *writer, const batch_envelope_t *envelope)
{
    int count = 0;

    batch_write_name(writer, "errors");
    batch_write_text(writer, "[");
    for (int i = 0; envelope->problems && i < envelope->problems->nelts; i++) {
        const batch_problem_t *problem = &APR_ARRAY_IDX(envelope->problems, i, batch_problem_t);

        write_error(writer, &count, -1, problem->line, NULL, problem->field, envelope->code,
                    problem->message);
    }
    for (int i = 0; envelope->errors && i < envelope->errors->nelts; i++) {
        const batch_item_error_t *error = &APR_ARRAY_IDX(envelope->errors, i, batch_item_error_t);

        write_error(writer, &count, error->ordinal < envelope->received ? error->ordinal : -1,
                    error->line, error->id, error->field, error->code, error->message);
    }
    if (!count && envelope->code) {
        write_error(writer, &count, -1, 0, NULL, NULL, envelope->code, envelope->message);
    }
    batch_write_text(writer, "]");
}

static void write_pagination(batch_text_writer_t *writer, const batch_envelope_t *envelope)
{
    apr_int64_t behind = envelope->page * envelope->limit;

    batch_write_name(writer, "pagination");
    if (!envelope->limit) {
        batch_write_text(writer, "null");
        return;
    }
    batch_write_text(writer, "{\"limit\":");
    batch_write_number(writer, envelope->limit);
    batch_write_number_member(writer, "page", envelope->page);
    batch_write_name(writer, "has_more");
    batch_write_text(writer, behind < envelope->total_count ? "true" : "false");
    batch_write_number_member(writer, "total_count", envelope->total_count);
    batch_write_text(writer, "}");
}

apr_status_t batch_envelope_end(const batch_sink_t *sink, const batch_envelope_t *envelope)
{
    batch_text_writer_t writer;

    batch_text_writer_init(&writer, sink);
    batch_write_number_member(&writer, "status", envelope->status);
    write_errors(&writer, envelope);
    batch_write_text_member(&writer, "code", envelope->code);
    write_pagination(&writer, envelope);
    batch_write_text_member(&writer, "endpoint", envelope->endpoint);
    batch_write_text(&writer, "}");
    return batch_writer_end(&writer);
}

/* ---- Phases --------------------------------------------------------------------------------- */

/** A phase as clients see it. */
typedef struct phase {
    int synchronous;
    apr_int64_t total;
    apr_int64_t success;
    apr_int64_t error;
    apr_time_t started_at; /* 0 = not yet */
    apr_time_t completed_at;
} phase_t;

static phase_t phase_parsing(const batch_job_t *job)
{
    /* While an upload is being received, fewer items are stored than were counted. */
    phase_t phase = {1,
                     job->received,
                     job->stored - job->counts.duplicates,
                     job->counts.duplicates,
                     job->expires_at ? job->upload_began_at : job->created_at,
                     job->parsed_at};

    return phase;
}

static phase_t phase_validation(const batch_job_t *job)
{
    apr_int64_t total = job->stored - job->counts.duplicates;
    phase_t phase = {1, total, 0, 0, job->parsed_at, job->validated_at};

    if (job->validated_at) {
        phase.error = job->invalid;
        phase.success = total - job->invalid;
    }
    return phase;
}

static phase_t phase_processing(const batch_job_t *job)
{
    apr_int64_t kept = job->cleanup_done - job->counts.overwritten; /* refused by the database */
    phase_t phase = {job->mode == BATCH_MODE_SYNC,
                     job->total,
                     batch_counts_applied(&job->counts),
                     job->counts.errors - job->invalid - kept,
                     job->started_at,
                     job->processed_at};

    if (phase.synchronous && !phase.started_at && job->processed_at) {
        phase.started_at = job->validated_at;
    }
    if (job->last_tries &&
        job->position < batch_job_items(job)) { /* some are tried behind the cleanup */
        phase.completed_at = 0;
    }
    return phase;
}

static phase_t phase_cleanup(const batch_job_t *job)
{
    phase_t phase = {job->mode == BATCH_MODE_SYNC,
                     job->cleanup_total > 0 ? job->cleanup_total : 0, /* below 0: not counted yet */
                     job->counts.overwritten,
                     job->cleanup_done - job->counts.overwritten,
                     job->processed_at,
                     0};

    if (job->status == BATCH_STATUS_COMPLETED) {
        phase.completed_at = job->completed_at;
    }
    return phase;
}

static phase_t (*const phase_of[BATCH_PHASE_COUNT])(const batch_job_t *job) = {
    [BATCH_PHASE_PARSING] = phase_parsing,
    [BATCH_PHASE_VALIDATION] = phase_validation,
    [BATCH_PHASE_PROCESSING] = phase_processing,
    [BATCH_PHASE_CLEANUP] = phase_cleanup,
};

static const char *phase_status(const batch_job_t *job, const phase_t *phase)
{
    if (phase->completed_at || job->status == BATCH_STATUS_COMPLETED) {
        return "completed";
    }
    if (batch_status_is_final(job->status)) {
        return "failed";
    }
    return phase->started_at ? "processing" : "pending";
}

/** Writes a member that is a time in whole seconds since 1970, or null for 0. */
static void write_time(batch_text_writer_t *writer, const char *name, apr_time_t time)
{
    if (time) {
        batch_write_number_member(writer, name, apr_time_sec(time));
    } else {
        batch_write_text_member(writer, name, NULL);
    }
}

static void write_phase(batch_text_writer_t *writer, const batch_job_t *job, batch_phase_e which)
{
    phase_t phase = phase_of[which](job);

    batch_write_text(writer, which ? ",{\"name\":" : "{\"name\":");
    batch_write_json_string(writer, batch_phase_name(which));
    batch_write_text_member(writer, "mode", phase.synchronous ? "synchronous" : "asynchronous");
    batch_write_text_member(writer, "status", phase_status(job, &phase));
    batch_write_number_member(writer, "total", phase.total);
    batch_write_number_member(writer, "processed", phase.success + phase.error);
    batch_write_number_member(writer, "success", phase.success);
    batch_write_number_member(writer, "error", phase.error);
    write_time(writer, "started_at", phase.started_at);
    write_time(writer, "completed_at", phase.completed_at);
    batch_write_text(writer, "}");
}

static void write_phases(batch_text_writer_t *writer, const batch_job_t *job)
{
    int last = batch_action_is(job->action, BATCH_ACTION_CLEANS_UP) ? BATCH_PHASE_CLEANUP
                                                                    : BATCH_PHASE_PROCESSING;

    batch_write_name(writer, "phases");
    batch_write_text(writer, "[");
    for (int i = 0; i <= last; i++) {
        write_phase(writer, job, (batch_phase_e)i);
    }
    batch_write_text(writer, "]");
}

/* ---- The batch ------------------------------------------------------------------------------ */

static void write_stats(batch_text_writer_t *writer, const batch_counts_t *counts)
{
    batch_write_name(writer, "stats");
    batch_write_text(writer, "{\"created\":");
    batch_write_number(writer, counts->created);
    batch_write_number_member(writer, "updated", counts->updated);
    batch_write_number_member(writer, "deleted", counts->deleted);
    batch_write_number_member(writer, "overwritten", counts->overwritten);
    batch_write_number_member(writer, "duplicates", counts->duplicates);
    batch_write_number_member(writer, "errors", counts->errors);
    batch_write_text(writer, "}");
}

static void write_flag(batch_text_writer_t *writer, const char *name, int flag)
{
    batch_write_name(writer, name);
    batch_write_text(writer, flag ? "true" : "false");
}

apr_status_t batch_resources_write_job(const batch_sink_t *sink, const batch_job_t *job,
                                       const batch_urls_t *urls)
{
    static const batch_urls_t none = {NULL, NULL, NULL, NULL, NULL};
    batch_text_writer_t writer;

    urls = urls ? urls : &none;
    batch_text_writer_init(&writer, sink);
    batch_write_text(&writer, "{\"object\":\"batch\"");
    batch_write_text_member(&writer, "id", job->id);
    batch_write_text_member(&writer, "organization_id",
                            *job->organization ? job->organization : NULL);
    batch_write_text_member(&writer, "resource", job->resource);
    batch_write_text_member(&writer, "action", batch_action_name(job->action));
    batch_write_text_member(&writer, "mode", batch_mode_name(job->mode));
    batch_write_text_member(&writer, "via", batch_via_name(job->via));
    batch_write_text_member(&writer, "status", batch_status_name(job->status));
    batch_write_text_member(&writer, "reason", job->reason);
    batch_write_text_member(&writer, "duplicate_handling",
                            batch_duplicates_name(job->duplicate_handling));
    write_phases(&writer, job);
    write_stats(&writer, &job->counts);
    write_flag(&writer, "has_upload_file", batch_job_has_upload(job));
    write_flag(&writer, "has_errors_file", batch_job_has_errors(job));
    write_time(&writer, "created_at", job->created_at);
    write_time(&writer, "updated_at", job->updated_at);
    write_time(&writer, "started_at", job->started_at);
    write_time(&writer, "completed_at", job->completed_at);
    batch_write_text_member(&writer, "created_by", job->created_by);
    batch_write_text_member(&writer, "created_by_id", job->created_by_id);
    batch_write_text_member(&writer, "updated_by", job->updated_by);
    batch_write_text_member(&writer, "updated_by_id", job->updated_by_id);
    batch_write_text_member(&writer, "checksum", job->checksum);
    batch_write_text_member(&writer, "_upload_url", urls->upload);
    batch_write_text_member(&writer, "_upload_csv_url", urls->upload_csv);
    batch_write_text_member(&writer, "_upload_json_url", urls->upload_json);
    batch_write_text_member(&writer, "_errors_csv_url", urls->errors_csv);
    batch_write_text_member(&writer, "_errors_json_url", urls->errors_json);
    batch_write_text(&writer, "}");
    return batch_writer_end(&writer);
}
