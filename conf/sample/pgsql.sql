-- The sample's tables and data, for PostgreSQL: the rows that sqlite3.sql makes, in the first schema
-- of the search path. To be run by psql as often as one likes, by several servers at once: what is
-- there already is left alone.

\set ON_ERROR_STOP on
\encoding UTF8
SET client_min_messages = warning;

BEGIN;

-- One at a time.
SELECT pg_advisory_xact_lock(hashtext('mod_batch sample')) \g /dev/null

-- A search path whose first schema does not exist yet: make it.
DO $$
DECLARE
    first text := (regexp_split_to_array(
        regexp_replace(current_setting('search_path'), '^"\$user"\s*,\s*', ''), '\s*,\s*'))[1];
BEGIN
    IF to_regnamespace(first) IS NULL THEN
        EXECUTE 'CREATE SCHEMA ' || first;
    END IF;
END $$;

SELECT to_regclass(quote_ident(current_schema()) || '.forms') IS NULL AS missing \gset
\if :missing

CREATE TABLE forms (
    id              text PRIMARY KEY NOT NULL,
    organization_id text NOT NULL,
    name            text NOT NULL,
    UNIQUE (organization_id, name)
);

CREATE TABLE records (
    id              text PRIMARY KEY NOT NULL,
    organization_id text NOT NULL,
    form_id         text NOT NULL,
    status          text,
    project_id      text,
    assigned_to_id  text,
    version         integer NOT NULL DEFAULT 1,
    latitude        double precision,
    longitude       double precision,
    created_at      text NOT NULL,
    updated_at      text NOT NULL,
    created_by_id   text,
    updated_by_id   text,
    form_values     jsonb
);
CREATE INDEX records_by_form ON records (organization_id, form_id, status);

CREATE TABLE contacts (
    id              text PRIMARY KEY NOT NULL,
    organization_id text NOT NULL,
    name            text NOT NULL,
    email           text,
    phone           text,
    notes           text,
    created_at      text NOT NULL,
    updated_at      text NOT NULL
);
CREATE INDEX contacts_by_organization ON contacts (organization_id, id);

CREATE TABLE groups (
    id              text PRIMARY KEY NOT NULL,
    organization_id text NOT NULL,
    name            text NOT NULL,
    resource        text NOT NULL,
    created_at      text NOT NULL,
    updated_at      text NOT NULL,
    UNIQUE (organization_id, name, resource)
);
CREATE INDEX groups_by_organization ON groups (organization_id, id);

CREATE TABLE shipments (
    id              text PRIMARY KEY NOT NULL,
    organization_id text NOT NULL,
    tracking_number text NOT NULL,
    carrier         text,
    status          text,
    recipient       text,
    eta             text,
    created_at      text NOT NULL,
    updated_at      text NOT NULL,
    UNIQUE (organization_id, tracking_number)
);

CREATE TABLE trackers (
    id              text PRIMARY KEY NOT NULL,
    organization_id text NOT NULL,
    tracking_number text NOT NULL,
    carrier         text,
    status          text,
    created_at      text NOT NULL,
    updated_at      text NOT NULL,
    UNIQUE (organization_id, tracking_number)
);

CREATE TABLE assets (
    id              text PRIMARY KEY NOT NULL,
    organization_id text NOT NULL,
    item_id         text NOT NULL,
    location_id     text NOT NULL,
    name            text,
    quantity        integer CHECK (quantity >= 0),
    created_at      text NOT NULL,
    updated_at      text NOT NULL,
    UNIQUE (organization_id, item_id, location_id)
);

INSERT INTO forms (id, organization_id, name) VALUES
    ('81413088-71b9-11ee-b962-0242ac120002', 'acme', 'Testing App'),
    ('8252419a-71b9-11ee-b962-0242ac120002', 'acme', 'Hydrants'),
    ('836352ac-71b9-11ee-b962-0242ac120002', 'globex', 'Testing App');

-- The ids of a form's records are in arithmetic progression in their first 32 bits, so that they
-- look random and are the same everywhere: 8a70dd2a, 8fd6cd9c and so on for acme's "Testing App".
-- The step 90566770 is 0x0565f072; 2322652458 is 0x8a70dd2a, 1374389535 is 0x51eb851f and
-- 2654435769 is 0x9e3779b9.

-- acme's "Testing App": 500 records, 111 of them with the status delete_this.
INSERT INTO records (id, organization_id, form_id, status, project_id, assigned_to_id, version,
                     latitude, longitude, created_at, updated_at, created_by_id, updated_by_id,
                     form_values)
SELECT lpad(to_hex((2322652458 + (n - 1) * 90566770::bigint) % 4294967296), 8, '0')
           || '-71b9-11ee-b962-0242ac120002',
       'acme',
       '81413088-71b9-11ee-b962-0242ac120002',
       CASE WHEN n % 9 IN (0, 5) THEN 'delete_this' WHEN n % 3 = 1 THEN 'fair' ELSE 'good' END,
       CASE n % 4 WHEN 1 THEN 'a1f0c7de-71b9-11ee-b962-0242ac120002'
                  WHEN 2 THEN 'a2d1b8ef-71b9-11ee-b962-0242ac120002' END,
       CASE n % 5 WHEN 1 THEN '6fcf631a-71b9-11ee-b962-0242ac120002'
                  WHEN 3 THEN '7a0c1d52-71b9-11ee-b962-0242ac120002' END,
       1 + n % 4,
       (277500 + n * 37 % 1000)::double precision / 10000,
       (-826800 + n * 53 % 1000)::double precision / 10000,
       to_char(to_timestamp(1698000000 + n * 977) AT TIME ZONE 'UTC',
               'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       to_char(to_timestamp(1698000000 + n * 977 + (n % 4) * 86413) AT TIME ZONE 'UTC',
               'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       '6fcf631a-71b9-11ee-b962-0242ac120002',
       CASE WHEN n % 4 = 0 THEN '6fcf631a-71b9-11ee-b962-0242ac120002'
            ELSE '7a0c1d52-71b9-11ee-b962-0242ac120002' END,
       jsonb_build_object(
           'asset_tag', 'TA-' || lpad(n::text, 4, '0'),
           'street', (1 + n * 7 % 240) || ' ' || CASE n % 4 WHEN 0 THEN 'Bay Street'
               WHEN 1 THEN 'Élan Avenue' WHEN 2 THEN 'O''Hara Lane' ELSE 'Central "Old" Road' END,
           'height', (n * 13 % 200)::double precision / 8,
           'inspections', n % 7,
           'lit', n % 2 = 0,
           'notes', CASE WHEN n % 6 = 0 THEN NULL ELSE 'visited on round ' || (n % 12 + 1) END,
           'photos', jsonb_build_array('photo-' || lpad(n::text, 4, '0') || '-1',
                                       'photo-' || lpad(n::text, 4, '0') || '-2'))
FROM generate_series(1, 500) AS numbers (n);

-- acme's "Hydrants": 40 records.
INSERT INTO records (id, organization_id, form_id, status, project_id, assigned_to_id, version,
                     latitude, longitude, created_at, updated_at, created_by_id, updated_by_id,
                     form_values)
SELECT lpad(to_hex((1374389535 + (n - 1) * 90566770::bigint) % 4294967296), 8, '0')
           || '-71ba-11ee-b962-0242ac120002',
       'acme',
       '8252419a-71b9-11ee-b962-0242ac120002',
       CASE n % 3 WHEN 0 THEN 'out_of_service' ELSE 'in_service' END,
       NULL,
       CASE n % 2 WHEN 0 THEN '7a0c1d52-71b9-11ee-b962-0242ac120002' END,
       1 + n % 3,
       (277900 + n * 29 % 500)::double precision / 10000,
       (-826300 + n * 31 % 500)::double precision / 10000,
       to_char(to_timestamp(1698600000 + n * 1361) AT TIME ZONE 'UTC',
               'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       to_char(to_timestamp(1698600000 + n * 1361 + (n % 3) * 7207) AT TIME ZONE 'UTC',
               'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       '7a0c1d52-71b9-11ee-b962-0242ac120002',
       '7a0c1d52-71b9-11ee-b962-0242ac120002',
       jsonb_build_object(
           'hydrant', 'H-' || lpad(n::text, 3, '0'),
           'pressure_kpa', 350 + n * 17 % 400,
           'flow_tested', n % 3 = 1,
           'color', CASE n % 4 WHEN 0 THEN 'red' WHEN 1 THEN 'yellow' WHEN 2 THEN 'blue' END)
FROM generate_series(1, 40) AS numbers (n);

-- globex's "Testing App": 60 records.
INSERT INTO records (id, organization_id, form_id, status, project_id, assigned_to_id, version,
                     latitude, longitude, created_at, updated_at, created_by_id, updated_by_id,
                     form_values)
SELECT lpad(to_hex((2654435769 + (n - 1) * 90566770::bigint) % 4294967296), 8, '0')
           || '-71bb-11ee-b962-0242ac120002',
       'globex',
       '836352ac-71b9-11ee-b962-0242ac120002',
       CASE n % 3 WHEN 0 THEN 'delete_this' WHEN 1 THEN 'good' ELSE 'fair' END,
       CASE n % 2 WHEN 0 THEN 'b3e2a9f0-71b9-11ee-b962-0242ac120002' END,
       CASE n % 2 WHEN 1 THEN '8b1d2e63-71b9-11ee-b962-0242ac120002' END,
       1 + n % 2,
       (515000 + n * 41 % 700)::double precision / 10000,
       (-1200 + n * 43 % 700)::double precision / 10000,
       to_char(to_timestamp(1698300000 + n * 1709) AT TIME ZONE 'UTC',
               'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       to_char(to_timestamp(1698300000 + n * 1709 + (n % 2) * 3607) AT TIME ZONE 'UTC',
               'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       '8b1d2e63-71b9-11ee-b962-0242ac120002',
       '8b1d2e63-71b9-11ee-b962-0242ac120002',
       jsonb_build_object(
           'serial', 'GX/' || lpad((n * 113)::text, 5, '0'),
           'site', CASE n % 3 WHEN 0 THEN 'Göteborg' WHEN 1 THEN 'Kraków' ELSE '東京' END,
           'weight', (n * 19 % 160)::double precision / 4,
           'secret', 'globex only ' || n)
FROM generate_series(1, 60) AS numbers (n);

INSERT INTO contacts (id, organization_id, name, email, phone, notes, created_at, updated_at) VALUES
    ('c0010000-71b9-4000-8000-0242ac120002', 'acme', 'Dana Díaz', 'dana@example.com',
     '+1 555 0100', 'prefers mail', '2023-10-23T09:00:00Z', '2023-10-23T09:00:00Z'),
    ('c0020000-71b9-4000-8000-0242ac120002', 'acme', 'Eve Eriksson', 'eve@example.com',
     NULL, NULL, '2023-10-23T09:05:00Z', '2023-10-24T10:00:00Z'),
    ('c0030000-71b9-4000-8000-0242ac120002', 'acme', 'Frank O''Neill', NULL,
     '+1 555 0102', 'night shift, "gate 3"', '2023-10-23T09:10:00Z', '2023-10-23T09:10:00Z'),
    ('c0040000-71b9-4000-8000-0242ac120002', 'acme', 'Grace Gupta', 'grace@example.com',
     '+1 555 0103', NULL, '2023-10-23T09:15:00Z', '2023-10-23T09:15:00Z'),
    ('c0050000-71b9-4000-8000-0242ac120002', 'globex', 'Hana Horák', 'hana@example.org',
     '+420 555 010', NULL, '2023-10-23T09:20:00Z', '2023-10-23T09:20:00Z'),
    ('c0060000-71b9-4000-8000-0242ac120002', 'globex', 'Dana Díaz', 'dana@example.org',
     NULL, 'another one of that name', '2023-10-23T09:25:00Z', '2023-10-23T09:25:00Z');

INSERT INTO groups (id, organization_id, name, resource, created_at, updated_at) VALUES
    ('d0010000-71b9-4000-8000-0242ac120002', 'acme', 'Inspectors', 'contact',
     '2023-10-23T10:00:00Z', '2023-10-23T10:00:00Z'),
    ('d0020000-71b9-4000-8000-0242ac120002', 'acme', 'Downtown', 'location',
     '2023-10-23T10:05:00Z', '2023-10-23T10:05:00Z'),
    ('d0030000-71b9-4000-8000-0242ac120002', 'acme', 'Downtown', 'contact',
     '2023-10-23T10:10:00Z', '2023-10-23T10:10:00Z'),
    ('d0040000-71b9-4000-8000-0242ac120002', 'globex', 'Downtown', 'location',
     '2023-10-23T10:15:00Z', '2023-10-23T10:15:00Z'),
    ('d0050000-71b9-4000-8000-0242ac120002', 'globex', 'Drivers', 'contact',
     '2023-10-23T10:20:00Z', '2023-10-23T10:20:00Z');

INSERT INTO shipments (id, organization_id, tracking_number, carrier, status, recipient, eta,
                       created_at, updated_at) VALUES
    ('e0010000-71b9-4000-8000-0242ac120002', 'acme', '1Z999AA10123456784', 'ups', 'in_transit',
     'Dana Díaz', '2023-11-02T16:00:00Z', '2023-10-23T11:00:00Z', '2023-10-25T08:00:00Z'),
    ('e0020000-71b9-4000-8000-0242ac120002', 'acme', '9400111899223197428490', 'usps', 'pending',
     'Eve Eriksson', NULL, '2023-10-23T11:05:00Z', '2023-10-23T11:05:00Z'),
    ('e0030000-71b9-4000-8000-0242ac120002', 'acme', 'JD014600003SE', 'dhl', 'delivered',
     'Frank O''Neill', '2023-10-24T12:00:00Z', '2023-10-21T11:10:00Z', '2023-10-24T12:07:00Z'),
    ('e0040000-71b9-4000-8000-0242ac120002', 'acme', '449044304137821', 'fedex', 'exception',
     NULL, NULL, '2023-10-23T11:15:00Z', '2023-10-26T17:30:00Z'),
    ('e0050000-71b9-4000-8000-0242ac120002', 'globex', '1Z999AA10123456784', 'ups',
     'out_for_delivery', 'Hana Horák', '2023-10-27T18:00:00Z', '2023-10-23T11:20:00Z',
     '2023-10-27T07:00:00Z'),
    ('e0060000-71b9-4000-8000-0242ac120002', 'globex', 'RR123456785CZ', 'cpost', 'pending',
     NULL, NULL, '2023-10-23T11:25:00Z', '2023-10-23T11:25:00Z');

INSERT INTO trackers (id, organization_id, tracking_number, carrier, status, created_at, updated_at)
VALUES
    ('f0010000-71b9-4000-8000-0242ac120002', 'acme', '1Z999AA10123456784', 'ups', 'in_transit',
     '2023-10-23T12:00:00Z', '2023-10-25T08:00:00Z'),
    ('f0020000-71b9-4000-8000-0242ac120002', 'acme', 'JD014600003SE', 'dhl', 'delivered',
     '2023-10-21T12:05:00Z', '2023-10-24T12:07:00Z'),
    ('f0030000-71b9-4000-8000-0242ac120002', 'acme', '449044304137821', 'fedex', 'exception',
     '2023-10-23T12:10:00Z', '2023-10-26T17:30:00Z'),
    ('f0040000-71b9-4000-8000-0242ac120002', 'globex', '1Z999AA10123456784', 'ups',
     'out_for_delivery', '2023-10-23T12:15:00Z', '2023-10-27T07:00:00Z'),
    ('f0050000-71b9-4000-8000-0242ac120002', 'globex', 'RR123456785CZ', 'cpost', 'pending',
     '2023-10-23T12:20:00Z', '2023-10-23T12:20:00Z');

INSERT INTO assets (id, organization_id, item_id, location_id, name, quantity, created_at,
                    updated_at) VALUES
    ('ab010000-71b9-4000-8000-0242ac120002', 'acme', 'pump-40', 'depot-1', 'Pump, 40 l/s', 4,
     '2023-10-23T13:00:00Z', '2023-10-23T13:00:00Z'),
    ('ab020000-71b9-4000-8000-0242ac120002', 'acme', 'pump-40', 'depot-2', 'Pump, 40 l/s', 0,
     '2023-10-23T13:05:00Z', '2023-10-24T09:00:00Z'),
    ('ab030000-71b9-4000-8000-0242ac120002', 'acme', 'hose-20m', 'depot-1', 'Hose, 20 m', 125,
     '2023-10-23T13:10:00Z', '2023-10-23T13:10:00Z'),
    ('ab040000-71b9-4000-8000-0242ac120002', 'acme', 'cone', 'truck-7', NULL, 30,
     '2023-10-23T13:15:00Z', '2023-10-23T13:15:00Z'),
    ('ab050000-71b9-4000-8000-0242ac120002', 'globex', 'pump-40', 'depot-1', 'Čerpadlo', 2,
     '2023-10-23T13:20:00Z', '2023-10-23T13:20:00Z'),
    ('ab060000-71b9-4000-8000-0242ac120002', 'globex', 'pallet', 'hall-b', 'Paleta', NULL,
     '2023-10-23T13:25:00Z', '2023-10-23T13:25:00Z');

\endif

COMMIT;
