output "GROUPSTREAM_ROOT" {
  description = "For everybody."
  value       = module.store.root
}

output "GROUPSTREAM_REGISTRY_URL" {
  description = "For the writer and the maintainer, each with a Cloud SQL Auth Proxy beside it. There is no password."
  value       = module.registry.registry_urls
}

output "service_accounts" {
  description = "Whom to impersonate, or to bind workloads to."
  value       = module.store.service_accounts
}

output "cloud_sql_connection" {
  description = "cloud-sql-proxy --auto-iam-authn CONNECTION"
  value       = module.registry.connection_name
}

output "first_statements" {
  description = "SQL to run once."
  value       = module.registry.first_statements
}
