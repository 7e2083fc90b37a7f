// What Fulcrum's own clients send: the npm package fulcrum-app, and requests exactly as fulcrum-js
// 3 makes them. Prints TAP; t/client.t runs it with BATCH_URL, BATCH_TOKEN, BATCH_FORM and
// BATCH_IDS (at least 20).
'use strict';

const http = require('http');
const Client = require('fulcrum-app').Client;

const url = process.env.BATCH_URL;
const token = process.env.BATCH_TOKEN;
const form = process.env.BATCH_FORM;
const ids = process.env.BATCH_IDS.split(',');
const deadline = Date.now() + Number(process.env.BATCH_DEADLINE || 60) * 1000;

let count = 0;

function ok(truth, name, detail) {
  count += 1;
  console.log(`${truth ? 'ok' : 'not ok'} ${count} - ${name}`);
  if (!truth && detail !== undefined) {
    console.log(`# ${JSON.stringify(detail)}`);
  }
}

function is(got, wanted, name) {
  ok(JSON.stringify(got) === JSON.stringify(wanted), name, {got, wanted});
}

function operation(selected) {
  return {action: 'delete', resource: 'record', form_id: form, ids: selected};
}

// Asks again until the batch is final.
async function poll(get) {
  for (;;) {
    const batch = await get();
    if (batch.status === 'success' || batch.status === 'failed') {
      return batch;
    }
    if (Date.now() > deadline) {
      throw new Error(`the batch does not end: ${JSON.stringify(batch)}`);
    }
    await new Promise(resolve => setTimeout(resolve, 10));
  }
}

async function fulcrumApp() {
  const client = new Client(token, {baseUrl: url});
  const get = id => client.api.get(`batch/${id}`).then(answer => answer.batch);

  const waiting = {start: false, operations: [operation(ids.slice(0, 5))]};
  const created = await client.api.post('batch', {body: {batch: waiting}});
  is(created.batch.status, 'pending', 'fulcrum-app: creates a batch');
  const started = await client.api.post(`batch/${created.batch.id}/start`);
  is(started.batch.status, 'running', 'fulcrum-app: starts it, with an empty JSON body');
  const ended = await poll(() => get(created.batch.id));
  is([ended.status, ended.objects_total, ended.objects_success, ended.objects_failed],
    ['success', 5, 5, 0], 'fulcrum-app: polls it to its end');

  const direct = await client.api.post('batch',
    {body: {batch: {operations: [operation(ids.slice(5, 10))]}}});
  is((await poll(() => get(direct.batch.id))).objects_success, 5,
    'fulcrum-app: creates one that starts at once');

  const empty = await client.api.post('batch', {body: {batch: {start: false}}});
  const set = await client.api.post(`batch/${empty.batch.id}/operations`,
    {body: {operations: [operation(ids.slice(10, 12))]}});
  is(set.operations, [operation(ids.slice(10, 12))], 'fulcrum-app: adds operations');

  const query = `SELECT _record_id AS id FROM "Testing App" WHERE _record_id = '${ids[0]}'`;
  const {ids: unused, ...selecting} = operation([]);
  const selected = await client.api.post('batch',
    {body: {batch: {operations: [{...selecting, query}]}}});
  is([selected.batch.objects_total, (await poll(() => get(selected.batch.id))).status],
    [0, 'success'], 'fulcrum-app: selects by a query what is gone already');

  const list = await client.api.get('batch', {qs: {per_page: 1000}});
  is(list.batches.map(batch => batch.id),
    [selected.batch.id, empty.batch.id, direct.batch.id, created.batch.id],
    'fulcrum-app: lists batches');
  is([list.current_page, list.total_pages, list.total_count, list.per_page], [1, 1, 4, 1000],
    'fulcrum-app: with their numbers');

  await client.api.del(`batch/${empty.batch.id}`);
  const gone = await get(empty.batch.id).then(() => 'there', error => error.message);
  is(gone, 'Not Found', 'fulcrum-app: removes one, and is told that it is gone');
  const refused = await new Client('wrong', {baseUrl: url}).api.get('batch')
    .then(() => 'let in', error => error.message);
  is(refused, 'Unauthorized', 'fulcrum-app: a wrong token');
  const wrong = await client.api.post('batch', {body: {batch: {operations: [operation([])]}}})
    .then(() => 'taken', error => error.message);
  is(wrong, 'HTTP 422', 'fulcrum-app: a wrong operation');
  const errors = await client.api.get(`batch/${created.batch.id}/errors.json`);
  is(errors, [], 'fulcrum-app: reads the errors');
}

// One request with exactly these headers, on a connection that is kept, as node-fetch and axios do.
const agent = new http.Agent({keepAlive: true, maxSockets: 1});

function send(method, path, headers, body) {
  return new Promise((resolve, reject) => {
    const all = Object.assign({
      Accept: 'application/json', 'X-ApiToken': token, 'User-Agent': 'fulcrum-js version 3.0.0'
    }, headers);
    const target = url.replace(/\/api\/v2$/, '') + path;
    const request = http.request(target, {method, agent, headers: all}, response => {
      const parts = [];
      response.on('data', part => parts.push(part));
      response.on('end', () => {
        const text = Buffer.concat(parts).toString('utf8');
        resolve({
          status: response.statusCode,
          type: response.headers['content-type'],
          body: text ? JSON.parse(text) : null
        });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

function sendJson(method, path, value) {
  const body = JSON.stringify(value);
  const headers = {'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body)};
  return send(method, path, headers, body);
}

async function fulcrumJs() {
  const created = await sendJson('POST', '/api/v2/batch.json',
    {batch: {start: false, operations: []}});
  is(created.status, 201, 'fulcrum-js: POST /api/v2/batch.json');
  is(created.type.split(';')[0], 'application/json', 'fulcrum-js: the media type');
  const id = created.body.batch.id;
  const set = await sendJson('POST', `/api/v2/batch/${id}/operations.json`,
    {operations: [operation(ids.slice(12, 15))]});
  is([set.status, set.body.operations.length], [200, 1],
    'fulcrum-js: POST /api/v2/batch/ID/operations.json');
  const started = await send('POST', `/api/v2/batch/${id}/start.json`,
    {'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': 0});
  is([started.status, started.body.batch.status], [202, 'running'],
    'fulcrum-js: POST /api/v2/batch/ID/start.json');
  const ended = await poll(async () => (await send('GET', `/api/v2/batch/${id}.json`)).body.batch);
  is([ended.status, ended.objects_success], ['success', 3],
    'fulcrum-js: GET /api/v2/batch/ID.json');

  const order = 'sort=created_at&sort_direction=ASC';
  const first = await send('GET', `/api/v2/batch.json?page=1&per_page=100&${order}`);
  const all = first.body.batches;
  const page = await send('GET', `/api/v2/batch.json?page=2&per_page=2&${order}`);
  is(page.body.batches.map(batch => batch.id), all.slice(2, 4).map(batch => batch.id),
    'fulcrum-js: the second page, oldest first');
  is([page.body.current_page, page.body.per_page, page.body.total_count], [2, 2, all.length],
    'fulcrum-js: with its numbers');
}

fulcrumApp().then(fulcrumJs).then(() => {
  console.log(`1..${count}`);
  agent.destroy();
}, error => {
  console.log(`not ok ${count + 1} - ${error.message.replace(/\s+/g, ' ')}`);
  console.log(`# ${error.stack.split('\n').join('\n# ')}`);
  console.log(`1..${count + 1}`);
  process.exit(1);
});
