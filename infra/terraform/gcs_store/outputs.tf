output "root" {
  description = "GROUPSTREAM_ROOT."
  value       = module.rules.gcs_root
}

output "service_accounts" {
  description = "The addresses of the accounts of the reader, the writer and the maintainer."
  value       = { for role, account in google_service_account.role : role => account.email }
}
