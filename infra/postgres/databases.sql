-- Run by the image of PostgreSQL once, on an empty volume: two databases, each with an owner who sees nothing of the other.
\set ON_ERROR_STOP on
\getenv prefect_password PREFECT_DB_PASSWORD
\getenv registry_password REGISTRY_DB_PASSWORD

CREATE ROLE prefect LOGIN PASSWORD :'prefect_password';
CREATE ROLE groupstream LOGIN PASSWORD :'registry_password';
CREATE DATABASE prefect OWNER prefect;
CREATE DATABASE groupstream OWNER groupstream;
REVOKE CONNECT ON DATABASE prefect, groupstream FROM PUBLIC;

\connect prefect
CREATE EXTENSION IF NOT EXISTS pg_trgm; -- Prefect searches names with it
