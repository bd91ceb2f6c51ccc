output "connection_name" {
  description = "What the Cloud SQL Auth Proxy is started with: cloud-sql-proxy --auto-iam-authn CONNECTION_NAME."
  value       = google_sql_database_instance.registry.connection_name
}

output "registry_urls" {
  description = "GROUPSTREAM_REGISTRY_URL of each account, through a proxy on the same machine or in the same pod. There is no password, in it or elsewhere."
  value       = { for role, user in local.users : role => "postgresql+psycopg://${urlencode(user)}@127.0.0.1:5432/${local.database}" }
}

output "first_statements" {
  description = "Run these once in the database, as its administrator: an account of IAM begins without any rights, and a table must belong to all of them."
  value = join("\n", concat(
    ["CREATE ROLE ${local.database} NOLOGIN;", "GRANT USAGE, CREATE ON SCHEMA public TO ${local.database};"],
    flatten([for user in values(local.users) : ["GRANT ${local.database} TO \"${user}\";", "ALTER ROLE \"${user}\" SET role = '${local.database}';"]]),
  ))
}
