/* Engine without a database: statuses, values, processes, slots. */
/* needs: nothing */
#include "tap.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>

#include "engine/host.h"
#include "engine/node.h"
#include "engine/status.h"
#include "engine/validation.h"

/* What may happen in which status, and what it leads to: all that is not here may not. */
static const struct {
    batch_status_e from;
    batch_event_e event;
    batch_status_e to;
} lives[] = {{BATCH_STATUS_PENDING, BATCH_EVENT_ADD_OPERATIONS, BATCH_STATUS_PENDING},
             {BATCH_STATUS_PENDING, BATCH_EVENT_START, BATCH_STATUS_QUEUED},
             {BATCH_STATUS_PENDING, BATCH_EVENT_REMOVE, BATCH_STATUS_PENDING},
             {BATCH_STATUS_PENDING, BATCH_EVENT_CANCEL, BATCH_STATUS_FAILED},
             {BATCH_STATUS_RECEIVING, BATCH_EVENT_RECEIVED, BATCH_STATUS_QUEUED},
             {BATCH_STATUS_REQUESTED, BATCH_EVENT_REMOVE, BATCH_STATUS_REQUESTED},
             {BATCH_STATUS_REQUESTED, BATCH_EVENT_CANCEL, BATCH_STATUS_FAILED},
             {BATCH_STATUS_REQUESTED, BATCH_EVENT_UPLOAD, BATCH_STATUS_REQUESTED},
             {BATCH_STATUS_REQUESTED, BATCH_EVENT_RECEIVED, BATCH_STATUS_QUEUED},
             {BATCH_STATUS_REQUESTED, BATCH_EVENT_FAIL, BATCH_STATUS_FAILED},
             {BATCH_STATUS_REQUESTED, BATCH_EVENT_EXPIRE, BATCH_STATUS_EXPIRED},
             {BATCH_STATUS_QUEUED, BATCH_EVENT_CANCEL, BATCH_STATUS_FAILED},
             {BATCH_STATUS_QUEUED, BATCH_EVENT_CLAIM, BATCH_STATUS_PROCESSING},
             {BATCH_STATUS_QUEUED, BATCH_EVENT_FAIL, BATCH_STATUS_FAILED},
             {BATCH_STATUS_PROCESSING, BATCH_EVENT_CANCEL, BATCH_STATUS_FAILED},
             {BATCH_STATUS_PROCESSING, BATCH_EVENT_CLAIM, BATCH_STATUS_PROCESSING},
             {BATCH_STATUS_PROCESSING, BATCH_EVENT_COMPLETE, BATCH_STATUS_COMPLETED},
             {BATCH_STATUS_PROCESSING, BATCH_EVENT_FAIL, BATCH_STATUS_FAILED},
             {BATCH_STATUS_PROCESSING, BATCH_EVENT_TIME_OUT, BATCH_STATUS_TIMED_OUT},
             {BATCH_STATUS_COMPLETED, BATCH_EVENT_REMOVE, BATCH_STATUS_COMPLETED},
             {BATCH_STATUS_FAILED, BATCH_EVENT_REMOVE, BATCH_STATUS_FAILED},
             {BATCH_STATUS_TIMED_OUT, BATCH_EVENT_REMOVE, BATCH_STATUS_TIMED_OUT},
             {BATCH_STATUS_EXPIRED, BATCH_EVENT_REMOVE, BATCH_STATUS_EXPIRED}};

/* Where it leads to, or -1. */
static int leads_to(batch_status_e from, batch_event_e event)
{
    size_t i;

    for (i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
        if (lives[i].from == from && lives[i].event == event) {
            return (int)lives[i].to;
        }
    }
    return -1;
}

/* 1 if the event may not happen, it is said so, and the job stays as it is. */
static int stays(batch_status_e from, batch_event_e event, apr_pool_t *p)
{
    batch_job_t job = {.status = from};
    batch_error_t err = {0};
    int asked_for = event < BATCH_EVENT_RECEIVED;
    apr_status_t rv = batch_status_move(&job, event, &err, p);

    return rv == (asked_for ? BATCH_ECONFLICT : APR_EGENERAL) && err.message &&
           (asked_for ? !err.tag : err.tag != NULL) && job.status == from &&
           batch_status_allows(&job, event, NULL, p) == rv;
}

static void test_transitions(apr_pool_t *p)
{
    batch_error_t err = {0};
    batch_job_t job = {.status = BATCH_STATUS_QUEUED};
    int from, event;

    for (from = 0; from < BATCH_STATUS_COUNT; from++) {
        for (event = 0; event < BATCH_EVENT_COUNT; event++) {
            int to = leads_to((batch_status_e)from, (batch_event_e)event);

            job.status = (batch_status_e)from;
            if (to < 0) {
                ok(stays((batch_status_e)from, (batch_event_e)event, p), "%s: not event %d",
                   batch_status_name((batch_status_e)from), event);
            } else {
                ok(batch_status_move(&job, (batch_event_e)event, &err, p) == APR_SUCCESS &&
                       (int)job.status == to,
                   "%s: event %d", batch_status_name((batch_status_e)from), event);
            }
        }
    }
    job.status = BATCH_STATUS_PROCESSING;
    batch_status_move(&job, BATCH_EVENT_START, &err, p);
    ok(strstr(err.message, "pending"), "a refusal says what can be started");
    batch_status_begin(&job, BATCH_BEGIN_RECEIVING);
    is_number(job.status, BATCH_STATUS_RECEIVING, "a job that is taken in begins so");
    batch_status_begin(&job, BATCH_BEGIN_REQUESTED);
    is_number(job.status, BATCH_STATUS_REQUESTED, "one without its items so");
    batch_status_begin(&job, BATCH_BEGIN_PENDING);
    is_number(job.status, BATCH_STATUS_PENDING, "and one that waits for its start so");
}

static void test_conclusion(apr_pool_t *p)
{
    batch_job_t job = {
        .action = BATCH_ACTION_DELETE, .total = 3, .status = BATCH_STATUS_PROCESSING};

    job.counts.errors = 3;
    is_number(batch_status_conclude(&job, NULL, p), APR_SUCCESS, "a job ends");
    is_number(job.status, BATCH_STATUS_FAILED, "one of which nothing was applied has failed");
    ok(job.reason && strstr(job.reason, "none of the 3"), "and says so: %s", job.reason);
    is_number(batch_status_conclude(&job, NULL, p), APR_EGENERAL, "it does not end twice");
    job.action = BATCH_ACTION_OVERWRITE;
    job.status = BATCH_STATUS_PROCESSING;
    batch_status_conclude(&job, NULL, p);
    is_string(job.reason, "none of the 3 objects could be overwritten: see the errors of the batch",
              "in good English");
    job.action = BATCH_ACTION_DELETE;
    job.status = BATCH_STATUS_PROCESSING;
    job.counts.errors = 2;
    job.counts.deleted = 1;
    batch_status_conclude(&job, NULL, p);
    is_number(job.status, BATCH_STATUS_COMPLETED, "one applied item is a success");
    is_string(job.reason, NULL, "without a reason");
    memset(&job, 0, sizeof(job));
    job.status = BATCH_STATUS_PROCESSING;
    batch_status_conclude(&job, NULL, p);
    is_number(job.status, BATCH_STATUS_COMPLETED, "a job without items succeeds");
}

static int fits(const batch_column_t *column, batch_kind_e kind, const char *text, apr_pool_t *p)
{
    batch_value_t value = {column->name, text, kind};
    batch_fault_t fault;

    return batch_value_settle(&fault, &value, column, p);
}

static void test_values(apr_pool_t *p)
{
    batch_column_t text = {.name = "t", .type = BATCH_TYPE_TEXT, .max = 3};
    batch_column_t number = {.name = "n", .type = BATCH_TYPE_INTEGER, .min = "0"};
    batch_column_t real = {.name = "r", .type = BATCH_TYPE_NUMBER};
    batch_column_t flag = {.name = "b", .type = BATCH_TYPE_BOOLEAN};
    batch_column_t date = {.name = "d", .type = BATCH_TYPE_DATE};
    batch_column_t stamp = {.name = "s", .type = BATCH_TYPE_TIMESTAMP};
    batch_column_t words = {.name = "w", .type = BATCH_TYPE_TEXT};

    words.words = apr_array_make(p, 2, sizeof(const char *));
    APR_ARRAY_PUSH(words.words, const char *) = "yes";
    APR_ARRAY_PUSH(words.words, const char *) = "no";
    ok(fits(&text, BATCH_KIND_STRING, "\xc3\xa4\xc3\xb6\xc3\xbc", p), "max counts characters");
    ok(!fits(&text, BATCH_KIND_STRING, "abcd", p), "one more is too long");
    ok(!fits(&text, BATCH_KIND_NUMBER, "1", p), "a number is no text");
    ok(fits(&text, BATCH_KIND_NULL, NULL, p), "null fits an optional column");
    text.required = 1;
    ok(!fits(&text, BATCH_KIND_NULL, NULL, p), "null does not fit a required one");
    ok(fits(&number, BATCH_KIND_NUMBER, "0", p), "min itself fits");
    ok(!fits(&number, BATCH_KIND_NUMBER, "-1", p), "less does not");
    ok(!fits(&number, BATCH_KIND_NUMBER, "1.5", p), "a fraction is no integer");
    ok(!fits(&number, BATCH_KIND_NUMBER, "9223372036854775808", p), "nor is 2^63");
    ok(fits(&number, BATCH_KIND_NUMBER, "9223372036854775807", p), "2^63 - 1 is");
    ok(!fits(&number, BATCH_KIND_STRING, "1", p), "a string is no integer");
    ok(fits(&real, BATCH_KIND_NUMBER, "-1.5e3", p), "a number in scientific notation");
    ok(!fits(&real, BATCH_KIND_NUMBER, "1e999", p), "infinity is none");
    ok(fits(&flag, BATCH_KIND_BOOLEAN, "true", p), "true is a boolean");
    ok(!fits(&flag, BATCH_KIND_STRING, "true", p), "a string is not");
    ok(fits(&date, BATCH_KIND_STRING, "2024-02-29", p), "a leap day");
    ok(!fits(&date, BATCH_KIND_STRING, "2023-02-29", p), "no leap day in 2023");
    ok(!fits(&date, BATCH_KIND_STRING, "2100-02-29", p), "nor in 2100");
    ok(!fits(&date, BATCH_KIND_STRING, "2024-1-01", p), "a month has two digits");
    ok(!fits(&date, BATCH_KIND_STRING, "2024-01-01T00:00:00Z", p), "a date has no time");
    ok(fits(&stamp, BATCH_KIND_STRING, "2023-10-06T02:56:34Z", p), "a timestamp in UTC");
    ok(fits(&stamp, BATCH_KIND_STRING, "2023-10-06T02:56:34.123456+05:30", p),
       "with fraction and offset");
    ok(!fits(&stamp, BATCH_KIND_STRING, "2023-10-06T25:00:00Z", p), "no hour 25");
    ok(!fits(&stamp, BATCH_KIND_STRING, "2023-10-06T02:56:34", p), "an offset is required");
    ok(!fits(&stamp, BATCH_KIND_STRING, "2023-10-06T02:56:34.Z", p), "a fraction has digits");
    ok(fits(&words, BATCH_KIND_STRING, "no", p), "a word of the enum");
    ok(!fits(&words, BATCH_KIND_STRING, "No", p), "another word");
}

static void test_processes(apr_pool_t *p)
{
    batch_owner_t self, other;
    siginfo_t ended;
    pid_t child;
    int status;

    is_number(batch_host_self(&self, p), APR_SUCCESS, "this process has a name");
    is_number(self.pid, getpid(), "its pid");
    ok(self.start_time > 0, "its start time");
    ok(!batch_host_owner_gone(&self, &self), "it is alive");
    other = self;
    other.start_time++;
    ok(batch_host_owner_gone(&other, &self), "a process of this pid with another start is gone");
    other.host = "elsewhere";
    ok(!batch_host_owner_gone(&other, &self), "of another host nothing is known");
    child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    ok(!batch_host_process_gone(child, 0), "a child is alive");
    kill(child, SIGKILL);
    while (waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT) != 0) {
    }
    ok(batch_host_process_gone(child, 0), "as a zombie it is gone");
    waitpid(child, &status, 0);
    ok(batch_host_process_gone(child, 0), "and when it is buried, too");
}

static void test_slots(apr_pool_t *p)
{
    batch_error_t err = {0};
    batch_node_t *node;
    batch_owner_t self;
    pid_t child;
    int status;

    batch_host_self(&self, p);
    is_number(batch_node_create(&node, 2, &err, p), APR_SUCCESS, "a node with two slots");
    child = fork();
    if (child == 0) {
        batch_owner_t owner;
        batch_host_self(&owner, p);
        _exit(batch_node_slot_take(node, &owner) == 0 ? 0 : 1);
    }
    waitpid(child, &status, 0);
    ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a child takes the first slot and dies");
    is_number(batch_node_slot_take(node, &self), 0, "the slot of a dead process is free");
    is_number(batch_node_slot_take(node, &self), 1, "so is the second");
    is_number(batch_node_slot_take(node, &self), BATCH_NO_SLOT, "there are no more");
    ok(!batch_node_vacancy_take(node), "nobody has given one back");
    batch_node_slot_release(node, 0, &self);
    ok(batch_node_vacancy_take(node) && !batch_node_vacancy_take(node),
       "whoever waits hears of it when one is given back");
    is_number(batch_node_slot_take(node, &self), 0, "until one is given back");

    ok(batch_node_poll_due(node, apr_time_from_sec(3600)), "the first look into the queue is due");
    ok(!batch_node_poll_due(node, apr_time_from_sec(3600)), "the next one only after a while");
    ok(!batch_node_wake_take(node), "nobody was woken");
    batch_node_wake(node);
    ok(batch_node_wake_take(node), "a wake-up can be taken");
    ok(!batch_node_wake_take(node), "once");
}

int main(void)
{
    apr_pool_t *p;

    apr_initialize();
    apr_pool_create(&p, NULL);
    test_transitions(p);
    test_conclusion(p);
    test_values(p);
    test_processes(p);
    test_slots(p);
    apr_pool_destroy(p);
    apr_terminate();
    return tap_end();
}
