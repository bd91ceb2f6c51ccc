output "GROUPSTREAM_ROOT" {
  description = "For everybody."
  value       = module.store.root
}

output "roles" {
  description = "The roles to assume."
  value       = module.store.roles
}

output "policies" {
  description = "The policies to attach to roles that workloads have already."
  value       = module.store.policies
}
